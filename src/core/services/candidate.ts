/** One container → how it can be reached: by an alias, by an address of its own, or not at all and why. */

import { type Ipv4, toCidrs } from "../addresses/ipv4.ts";
import { clip } from "../clip.ts";
import type { Attachment, Container, Network } from "../model.ts";
import type { Identity } from "./identity.ts";
import type { Wishes } from "./labels.ts";
import { fingerprint, type Name, wishedName, withoutComposeParts } from "./name.ts";
import type { SkipCode } from "./skipped.ts";

/** How a container gets its address. */
export type Reach =
  | { readonly kind: "alias"; readonly target: Ipv4; readonly network: Network; readonly note: string | null }
  | {
      readonly kind: "direct";
      readonly target: Ipv4;
      readonly network: Network;
      readonly note: string | null;
    }
  /** It does not run: its alias stays in force, and the first visit starts it. */
  | { readonly kind: "asleep"; readonly network: Network; readonly note: string | null }
  | { readonly kind: "host" }
  | { readonly kind: "shared"; readonly with: string }
  /** `keeps` when it may still hold a lease: it is only between two states. */
  | { readonly kind: "none"; readonly code: SkipCode; readonly reason: string; readonly keeps: boolean };

/** The parts of the host's state that a container's way depends on. */
export interface Surroundings {
  readonly networkOf: (attachment: Attachment) => Network | undefined;
  /** The host's own addresses, on any device. */
  readonly hostAddresses: ReadonlySet<Ipv4>;
}

/** Finds an attachment's network by Docker's id, and where it says none by name: the one with the lowest id. */
export function networkIndex(networks: readonly Network[]): Surroundings["networkOf"] {
  const byId = new Map(networks.map((network) => [network.id, network]));
  const byName = new Map<string, Network>();
  for (const network of [...networks].sort(byIdentity))
    if (!byName.has(network.name)) byName.set(network.name, network);
  return ({ network, networkId }) => (networkId === "" ? byName.get(network) : byId.get(networkId));
}

const byIdentity = (a: Network, b: Network): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** The way to a container. */
export function reachOf(container: Container, wishes: Wishes, around: Surroundings): Reach {
  if (wishes.refused !== null) return { kind: "none", code: "label", reason: wishes.refused, keeps: true };
  const reach = wayTo(container, wishes, around);
  const restriction = wishes.allow !== null ? "ocdd.allow" : wishes.ports !== null ? "ocdd.ports" : null;
  if (restriction === null || reach.kind === "alias" || reach.kind === "asleep" || reach.kind === "none")
    return reach;
  const why = {
    host: "it has the host's own network",
    shared: "it shares another container's network, whose labels count",
    direct: "its address on the LAN is reached without this host",
  }[reach.kind];
  return {
    kind: "none",
    code: "label",
    reason: `label ${restriction} cannot be enforced: ${why}`,
    keeps: true,
  };
}

function wayTo(container: Container, wishes: Wishes, { networkOf, hostAddresses }: Surroundings): Reach {
  const mode = container.networkMode;
  if (mode === "host") return { kind: "host" };
  if (mode.startsWith("container:")) return { kind: "shared", with: mode.slice("container:".length) };
  if (mode === "none") {
    const reason = "the container has no network: if that is meant, label it ocdd.enable=false";
    return { kind: "none", code: "no-network", reason, keeps: false };
  }
  const usable = container.attachments.flatMap((attachment) => {
    const network = networkOf(attachment);
    return network !== undefined && attachment.address !== undefined
      ? [{ network, target: attachment.address, priority: attachment.priority }]
      : [];
  });
  // Docker's own choice for the default route: the highest gateway priority, then the lowest name.
  const open = usable
    .filter(({ network }) => !network.internal && DRIVERS.has(network.driver))
    .sort(
      (a, b) =>
        b.priority - a.priority ||
        (a.network.name < b.network.name ? -1 : a.network.name > b.network.name ? 1 : 0) ||
        byIdentity(a.network, b.network),
    );
  const named = open.filter(({ network }) => network.name === wishes.network);
  const wished = [...named].sort((a, b) => byIdentity(a.network, b.network))[0];
  const chosen = wished ?? open[0];
  if (chosen === undefined) return unreachable(container, usable);
  if (hostAddresses.has(chosen.target)) {
    const reason = `its address ${chosen.target} is one of this host's own`;
    return { kind: "none", code: "host-address", reason, keeps: true };
  }
  const kind = chosen.network.driver === "bridge" ? "alias" : "direct";
  const note = networkNote(wishes, named.length, chosen.network) ?? routeNote(chosen);
  return { kind, target: chosen.target, network: chosen.network, note };
}

/**
 * The way to a container that does not run: Docker shows no address. Only an alias can wait for it; undefined where it
 * has another way.
 */
export function asleepReach(container: Container, wishes: Wishes, around: Surroundings): Reach | undefined {
  const { networkMode, attachments } = container;
  if (networkMode === "host" || networkMode === "none" || networkMode.startsWith("container:"))
    return undefined;
  // Docker makes its default bridge again whenever it starts, and connects a container by the network's name
  const stopped = attachments.map((one) => ({
    ...one,
    networkId: around.networkOf(one) === undefined ? "" : one.networkId,
    address: one.address ?? NO_ADDRESS,
  }));
  const reach = reachOf({ ...container, attachments: stopped }, wishes, around);
  if (reach.kind === "direct") return undefined;
  return reach.kind === "alias" ? { kind: "asleep", network: reach.network, note: reach.note } : reach;
}

/** In place of the address that a stopped container gets when it starts. */
const NO_ADDRESS = "0.0.0.0" as Ipv4;

function networkNote({ network: wish }: Wishes, named: number, chosen: Network): string | null {
  if (wish === null || named === 1) return null;
  return named === 0
    ? `label ocdd.network names "${clip(wish)}", which it cannot be reached on; "${clip(chosen.name)}" is used`
    : `label ocdd.network names "${clip(wish)}", as ${named} of its networks are called; the one with the id ${clip(chosen.id, 12)} is used`;
}

function routeNote({ network, target }: { readonly network: Network; readonly target: Ipv4 }): string | null {
  return network.routed === true
    ? `its address ${target} is of a routed network: clients need a route to ${toCidrs(network.subnets).join(", ")} by this host`
    : null;
}

/** Drivers whose addresses this host or its LAN can reach. */
const DRIVERS = new Set(["bridge", "macvlan", "ipvlan"]);

function unreachable(container: Container, usable: readonly { readonly network: Network }[]): Reach {
  const internal = usable.find(({ network }) => network.internal);
  if (internal !== undefined) {
    const reason = `its network "${clip(internal.network.name)}" is internal, and cannot be reached from outside: connect it to another one as well, or label it ocdd.enable=false`;
    return { kind: "none", code: "internal-network", reason, keeps: false };
  }
  const foreign = usable[0];
  if (foreign !== undefined) {
    const reason = `the network driver "${clip(foreign.network.driver)}" of its network "${clip(foreign.network.name)}" is not supported`;
    return { kind: "none", code: "foreign-driver", reason, keeps: false };
  }
  const what = container.attachments.length === 0 ? "is on no network" : "has no IPv4 address";
  const reason = `it ${what} yet (${clip(container.state)})`;
  return { kind: "none", code: "no-address", reason, keeps: true };
}

/** The name a container asks for: label, service, or its own name. A one-off's labels are copies of its service's. */
export function wishOf(container: Container, wishes: Wishes, { membership, oneOff }: Identity): Name {
  return (
    wishedName((oneOff ? null : wishes.name) ?? "") ??
    wishedName(membership?.service ?? "") ??
    wishedName(withoutComposeParts(container.name)) ??
    wishedName(container.name) ??
    (`container-${fingerprint(container.id)}` as Name)
  );
}
