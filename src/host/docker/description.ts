/** What Docker knows of a container and of its image, for those who ask what it is. */

import { parseIpv4 } from "../../core/addresses/ipv4.ts";
import { momentIn } from "../../core/moment.ts";
import { type Json, number, record, string } from "./json.ts";

/** Texts are untrusted. */
export interface ContainerDescription {
  readonly id: string;
  readonly name: string;
  readonly running: boolean;
  readonly paused: boolean;
  /** Of its first process, on this host; null while it does not run. */
  readonly pid: number | null;
  /** Seconds since the epoch, null where Docker does not say. */
  readonly created: number | null;
  readonly startedAt: number | null;
  readonly labels: ReadonlyMap<string, string>;
  /** As it was asked for. */
  readonly image: string;
  /** `sha256:` and 64 digits. */
  readonly imageId: string;
  /** `NAME=value`; secret. */
  readonly environment: readonly string[];
  /** Its address in each network, by the network's name. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Docker's whole answer. */
  readonly whole: Json;
}

export interface ImageDescription {
  /** `sha256:` and 64 digits. */
  readonly id: string;
  /** `NAME@sha256:...`; null for an image that no registry has. */
  readonly digest: string | null;
  readonly tags: readonly string[];
  /** Seconds since the epoch, null where Docker does not say. */
  readonly created: number | null;
  readonly labels: ReadonlyMap<string, string>;
  readonly environment: ReadonlyMap<string, string>;
}

/** Reads `GET /containers/{id}/json` field by field: at worst a field counts as absent. */
export function readContainerDescription(item: Json): ContainerDescription {
  const state = record(item.State);
  const config = record(item.Config);
  const networks = Object.entries(record(record(item.NetworkSettings).Networks));
  const pid = number(state.Pid);
  const running = state.Running === true;
  return {
    id: string(item.Id),
    name: string(item.Name).replace(/^\//, ""),
    running,
    paused: state.Paused === true,
    pid: running && Number.isInteger(pid) && pid > 0 ? pid : null,
    created: seconds(item.Created),
    startedAt: seconds(state.StartedAt),
    labels: texts(config.Labels),
    image: string(config.Image),
    imageId: string(item.Image),
    environment: list(config.Env),
    addresses: new Map(
      networks.flatMap(([name, network]): [string, string][] => {
        const address = parseIpv4(string(record(network).IPAddress));
        return address === undefined ? [] : [[name, address]];
      }),
    ),
    whole: item,
  };
}

/** Reads `GET /images/{name}/json`. */
export function readImageDescription(item: Json): ImageDescription {
  const config = record(item.Config);
  const pairs = list(config.Env).map((line): [string, string] => {
    const at = line.indexOf("=");
    return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
  });
  return {
    id: string(item.Id),
    digest: list(item.RepoDigests)[0] ?? null,
    tags: list(item.RepoTags),
    created: seconds(item.Created),
    labels: texts(config.Labels),
    environment: new Map(pairs),
  };
}

function seconds(value: unknown): number | null {
  const time = momentIn(string(value));
  return time && Math.floor(time);
}

const texts = (value: unknown): Map<string, string> =>
  new Map(
    Object.entries(record(value)).flatMap(([key, text]) => (typeof text === "string" ? [[key, text]] : [])),
  );

const list = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
