/**
 * What each container is told of itself: one file that the director writes and `serve` reads. A container is known by where its
 * packets come from, which is its address and the bridge port of its veth.
 */

import { perObject } from "../memo.ts";
import { labelMetadata } from "../methods/metadata.ts";
import type { BridgePort, Container, Network, Service } from "../model.ts";
import { field } from "../text.ts";
import { networkIndex } from "./candidate.ts";

export interface SelfInput {
  readonly services: readonly Service[];
  /** All that exist, also those that do not run. */
  readonly containers: readonly Container[];
  readonly networks: readonly Network[];
  readonly bridgePorts: readonly BridgePort[];
  /** First twelve digits of a container's id → since when it runs, in seconds since the epoch, as far as that is known. */
  readonly since: ReadonlyMap<string, number | null>;
  readonly zone: string;
  /** The Docker host's name, with the zone. */
  readonly host: string;
}

/** Characters of one container's labels, as JSON; labels beyond them are left out. */
export const MOST_LABELS = 16_384;

/**
 * The file; empty where no container is told anything. Told are those that have an alias, at their addresses on Docker's bridge
 * networks; not one whose network another container shares: the two cannot be told apart.
 */
export function renderSelves(input: SelfInput): string {
  const containers = new Map(input.containers.map((one) => [one.id, one]));
  const shared = new Set(input.containers.flatMap(({ networkMode }) => sharedWith(networkMode) ?? []));
  const networkOf = networkIndex(input.networks);
  const ports = new Map(
    input.bridgePorts.map(({ container, bridge, name }) => [`${container} ${bridge}`, name]),
  );
  const lines = input.services.flatMap((service) => {
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
    const since = input.since.get(container.id.slice(0, 12)) ?? null;
    const key = JSON.stringify([at, since, input.zone, input.host]);
    const make = () => JSON.stringify({ at, self: selfOf(service, container, since, input) });
    return [{ address: service.address, line: lineOf(service, key, make) }];
  });
  if (lines.length === 0) return "";
  // in an order that does not depend on how Docker was asked
  const sorted = lines.sort((a, b) => (a.address < b.address ? -1 : 1)).map(({ line }) => line);
  return `{"schemaVersion":1,"containers":[\n${sorted.join(",\n")}\n]}\n`;
}

const lineOf = perObject<Service, string>();

/** Id or name of the container whose network is shared. */
const sharedWith = (mode: string): string | undefined => /^container:(.+)$/s.exec(mode)?.[1];

function selfOf(
  service: Service,
  container: Container,
  since: number | null,
  { zone, host }: SelfInput,
): object {
  return {
    schemaVersion: 1,
    name: service.name,
    fqdn: service.fqdn,
    names: service.names.map((name) => `${name}.${zone}`).filter((name) => name !== service.fqdn),
    address: service.address,
    container: field(container.name),
    containerId: container.id.slice(0, 12),
    metadata: {
      ...labelsOf(container.labels, "", () => boundedLabels(container.labels)),
      runtime: { image: field(container.image), created: iso(container.created), started: iso(since), host },
    },
  };
}

const labelsOf = perObject<ReadonlyMap<string, string>, { readonly oci: object; readonly meta: object }>();

/** Labels by their names, as long as they fit. */
function boundedLabels(labels: ReadonlyMap<string, string>): { readonly oci: object; readonly meta: object } {
  const { oci, meta } = labelMetadata(labels);
  let left = MOST_LABELS;
  const fits = (entry: readonly [string, unknown]): boolean => {
    const length = JSON.stringify(entry).length;
    if (length <= left) left -= length;
    else return false;
    return true;
  };
  return { oci: Object.fromEntries([...oci].filter(fits)), meta: Object.fromEntries([...meta].filter(fits)) };
}

/** Null for a time that is not known. */
const iso = (seconds: number | null): string | null =>
  seconds === null || seconds === 0 ? null : `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;

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
