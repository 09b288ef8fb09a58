/** Docker's description of one container, as far as starting and stopping need it. Every field is untrusted and bounded. */

import { type Ipv4, parseIpv4 } from "../../core/addresses/ipv4.ts";
import { clip } from "../../core/clip.ts";
import { DEPENDS_ON, type Dependency, dependenciesOf } from "../../core/lifecycle/depends-on.ts";
import { momentIn } from "../../core/moment.ts";
import type { Port } from "../../core/ports.ts";
import { type Json, number, portsInOrder, record, string } from "./json.ts";

export interface ContainerDetails {
  readonly id: string;
  readonly name: string;
  /** Docker's word: created, running, paused, restarting, removing, exited, dead. */
  readonly state: string;
  /** True also while it is paused, and while Docker waits before it starts it again. */
  readonly running: boolean;
  readonly paused: boolean;
  /** Exit status of its last end; 0 when it has never ended. */
  readonly exitCode: number;
  /** Why Docker could not start it, in Docker's words; empty when it could. */
  readonly error: string;
  /** Seconds since the epoch; null when it was never started. */
  readonly startedAt: number | null;
  /** Network id → its address there; only while it runs. */
  readonly addresses: ReadonlyMap<string, Ipv4>;
  /** What the image and the container expose, by number. */
  readonly ports: readonly Port[];
  /** Command of its HEALTHCHECK, to be run inside it; null when it has none. */
  readonly healthcheck: readonly string[] | null;
  readonly healthStatus: "starting" | "healthy" | "unhealthy" | "none";
  readonly restartPolicy: "no" | "always" | "unless-stopped" | "on-failure";
  /** What compose's depends_on names. */
  readonly dependsOn: readonly Dependency[];
}

/** Characters of Docker's words about a failed start. */
const ERROR_LENGTH = 300;
const NAME_LENGTH = 255;
/** Characters of a HEALTHCHECK's command, all its arguments together. */
const COMMAND_LENGTH = 65_536;

/** Reads `GET /containers/{id}/json`, field by field: at worst a field counts as absent. */
export function readDetails(id: string, item: Json): ContainerDetails {
  const state = record(item.State);
  const config = record(item.Config);
  const networks = Object.values(record(record(item.NetworkSettings).Networks)).map(record);
  return {
    id,
    name: clip(string(item.Name).replace(/^\//, ""), NAME_LENGTH),
    state: clip(string(state.Status)),
    running: state.Running === true,
    paused: state.Paused === true,
    exitCode: Math.trunc(number(state.ExitCode)),
    error: clip(string(state.Error).trim(), ERROR_LENGTH),
    startedAt: momentIn(string(state.StartedAt)),
    addresses: new Map(
      networks.flatMap((network): [string, Ipv4][] => {
        const address = parseIpv4(string(network.IPAddress));
        return address === undefined ? [] : [[string(network.NetworkID), address]];
      }),
    ),
    ports: portsInOrder(Object.keys(record(config.ExposedPorts)).map(exposed)),
    healthcheck: healthcheck(config),
    healthStatus: oneOf(record(state.Health).Status, ["none", "starting", "healthy", "unhealthy"]),
    restartPolicy: oneOf(record(record(item.HostConfig).RestartPolicy).Name, [
      "no",
      "always",
      "unless-stopped",
      "on-failure",
    ]),
    dependsOn: dependenciesOf(string(record(config.Labels)[DEPENDS_ON])),
  };
}

/** The word, or the first of them. */
function oneOf<T extends string>(value: unknown, words: readonly [T, ...T[]]): T {
  return words.find((word) => word === value) ?? words[0];
}

/** `80/tcp`. */
function exposed(key: string): [string, number] {
  const [, port = "", protocol = ""] = /^(\d{1,5})\/([a-z]+)$/.exec(key) ?? [];
  return [protocol, Number(port)];
}

/** `["CMD", …]` and `["CMD-SHELL", text]` as argv; the shell is the image's own (SHELL in its Dockerfile). */
function healthcheck(config: Json): string[] | null {
  const [kind, ...rest] = strings(record(config.Healthcheck).Test);
  const shell = strings(config.Shell);
  const argv =
    kind === "CMD"
      ? rest
      : kind === "CMD-SHELL"
        ? [...(shell.length > 0 ? shell : ["/bin/sh", "-c"]), rest[0] ?? ""]
        : [];
  const length = argv.reduce((sum, argument) => sum + argument.length + 1, 0);
  return argv.length > 0 && length <= COMMAND_LENGTH ? argv : null;
}

/** The list, or none when an item of it is no text. */
function strings(value: unknown): string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : [];
}
