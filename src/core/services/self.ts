/**
 * What each container is told of itself: one file that the director writes and `serve` reads. A container is known by where its
 * packets come from, which is its address and the bridge port of its veth.
 */

import type { Ipv4 } from "../addresses/ipv4.ts";
import type { Config } from "../config/config.ts";
import { perObject } from "../memo.ts";
import { labelMetadata } from "../methods/metadata.ts";
import type { Container, Observation, Service } from "../model.ts";
import { iso } from "../moment.ts";
import type { Listing } from "../page/listing.ts";
import { field } from "../text.ts";
import { networkIndex } from "./candidate.ts";

export interface SelfInput {
  readonly config: Pick<Config, "zone" | "hostName">;
  readonly seen: Pick<Observation, "containers" | "stopped" | "networks" | "bridgePorts">;
  readonly services: readonly Service[];
  /** Where it is known since when a container runs. */
  readonly listing: Pick<Listing, "services">;
  readonly hostIp: Ipv4;
}

/** Characters of one container's labels, as JSON; labels beyond them are left out. */
export const MOST_LABELS = 16_384;

/**
 * The file; empty where no container is told anything. Told are those that have an alias, at their addresses on Docker's bridge
 * networks; not one whose network another container shares: the two cannot be told apart.
 */
export function renderSelves(input: SelfInput): string {
  const { seen, services } = input;
  const containers = new Map(seen.containers.map((one) => [one.id, one]));
  const shared = sharedNetworks(seen);
  const networkOf = networkIndex(seen.networks);
  const ports = new Map(
    seen.bridgePorts.map(({ container, bridge, name }) => [`${container} ${bridge}`, name]),
  );
  const since = new Map(input.listing.services.map((row) => [row.containerId, row.since]));
  const where = `${input.config.zone} ${input.config.hostName} ${input.hostIp}`;
  const lines = services.flatMap((service) => {
    const container = containers.get(service.instances[0]?.id ?? "");
    if (service.kind !== "alias" || container === undefined) return [];
    if (shared.has(container.id) || shared.has(container.name)) return [];
    const at = container.attachments.flatMap((attachment) => {
      const network = networkOf(attachment);
      const port = network?.driver === "bridge" ? ports.get(`${container.id} ${network.bridge}`) : undefined;
      const { address } = attachment;
      return address === undefined || port === undefined ? [] : [{ address, port }];
    });
    if (at.length === 0) return [];
    const started = since.get(container.id.slice(0, 12)) ?? null;
    const key = `${where} ${started} ${at.map(({ address, port }) => `${address} ${port}`).join(" ")}`;
    const make = () => JSON.stringify({ at, self: selfOf(service, container, started, input) });
    return [{ address: service.address, line: lineOf(service, key, make) }];
  });
  if (lines.length === 0) return "";
  // in an order that does not depend on how Docker was asked
  const sorted = lines.sort((a, b) => (a.address < b.address ? -1 : 1));
  const last = sorted.length - 1;
  const texts = sorted.map(({ line }, i) => (i === last ? `${line}\n]}\n` : `${line},\n`));
  return `{"schemaVersion":1,"containers":[\n`.concat(...texts);
}

const lineOf = perObject<Service, string>();

/** Ids or names of containers whose network another one shares, which may not run now, and start at any time. */
const sharedNetworks = ({ containers, stopped = [] }: SelfInput["seen"]): ReadonlySet<string> =>
  new Set(
    [...containers, ...stopped].flatMap(
      ({ networkMode }) => /^container:(.+)$/s.exec(networkMode)?.[1] ?? [],
    ),
  );

/** With the keys that `ocdd metadata` and services.json have. */
function selfOf(service: Service, container: Container, started: number | null, input: SelfInput): object {
  const { zone, hostName } = input.config;
  return {
    schemaVersion: 1,
    name: service.name,
    fqdn: service.fqdn,
    names: service.names.map((name) => `${name}.${zone}`).filter((name) => name !== service.fqdn),
    address: service.address,
    container: field(container.name),
    containerId: container.id.slice(0, 12),
    ...labelsOf(container.labels, "", () => boundedLabels(container.labels)),
    runtime: {
      // Docker's list says 0 where it does not know
      deployed_at: iso(container.created || null),
      started_at: iso(started),
      host: input.hostIp,
      host_name: `${hostName}.${zone}`,
      address: service.address,
      image: field(container.image),
    },
  };
}

interface Labels {
  readonly labels: object;
  readonly meta: object;
}

const labelsOf = perObject<ReadonlyMap<string, string>, Labels>();

/** As long as they fit. */
function boundedLabels(all: ReadonlyMap<string, string>): Labels {
  const { oci, meta } = labelMetadata(all);
  let left = MOST_LABELS;
  const fits = (label: readonly [string, unknown]): boolean => {
    const length = JSON.stringify(label).length;
    if (length > left) return false;
    left -= length;
    return true;
  };
  return {
    labels: Object.fromEntries([...oci].filter(fits)),
    meta: Object.fromEntries([...meta].filter(fits)),
  };
}

/** What one container is told, and the bridge port through which it is told. */
export interface Self {
  readonly port: string;
  /** JSON, one line. */
  readonly text: string;
}

/** Reads the file: by address. Undefined where it is none, or a newer version's. */
export function readSelves(text: string): ReadonlyMap<string, Self> | undefined {
  try {
    const { schemaVersion, containers } = JSON.parse(text) as {
      readonly schemaVersion: number;
      readonly containers: readonly {
        readonly at: readonly { readonly address: string; readonly port: string }[];
        readonly self: object;
      }[];
    };
    if (schemaVersion !== 1) return undefined;
    return new Map(
      containers.flatMap(({ at, self }) => {
        const told = `${JSON.stringify(self)}\n`;
        return at.map(({ address, port }) => [address, { port, text: told }] as const);
      }),
    );
  } catch {
    return undefined;
  }
}
