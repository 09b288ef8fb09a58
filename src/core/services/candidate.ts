/** One container → how it can be reached: by an alias, by an address it has anyway, or not at all and why. */

import type { Ipv4 } from "../addresses/ipv4.ts";
import { clip } from "../clip.ts";
import type { Container, Network } from "../model.ts";
import type { Wishes } from "./labels.ts";
import { fingerprint, type Name, toName, withoutComposeParts } from "./name.ts";
import type { SkipCode } from "./skipped.ts";

/** How a container's address comes about. */
export type Reach =
  | { readonly kind: "alias"; readonly target: Ipv4; readonly network: Network; readonly note: string | null }
  | {
      readonly kind: "direct";
      readonly target: Ipv4;
      readonly network: Network;
      readonly note: string | null;
    }
  | { readonly kind: "host" }
  | { readonly kind: "shared"; readonly with: string }
  /** `keeps` when it may still hold a lease: it is only between two states. */
  | { readonly kind: "none"; readonly code: SkipCode; readonly reason: string; readonly keeps: boolean };

/** The way to a container. */
export function reachOf(container: Container, wishes: Wishes, networks: ReadonlyMap<string, Network>): Reach {
  if (wishes.refused !== null) return { kind: "none", code: "label", reason: wishes.refused, keeps: true };
  const mode = container.networkMode;
  if (mode === "host") return { kind: "host" };
  if (mode.startsWith("container:")) return { kind: "shared", with: mode.slice("container:".length) };
  if (mode === "none")
    return { kind: "none", code: "no-network", reason: "it has no network (none)", keeps: false };
  const usable = container.attachments.flatMap((attachment) => {
    const network = networks.get(attachment.network);
    return network !== undefined && attachment.address !== undefined
      ? [{ network, target: attachment.address, priority: attachment.priority }]
      : [];
  });
  const open = usable.filter(({ network }) => !network.internal && DRIVERS.has(network.driver));
  const wished = open.find(({ network }) => network.name === wishes.network);
  // Docker's own choice for the default route: the highest gateway priority, then the lowest name.
  const chosen =
    wished ?? open.sort((a, b) => b.priority - a.priority || (a.network.name < b.network.name ? -1 : 1))[0];
  if (chosen === undefined) return unreachable(container, usable);
  const note =
    wishes.network !== null && wished === undefined
      ? `label ocdd.network names "${clip(wishes.network)}", which it cannot be reached on; "${clip(chosen.network.name)}" is used`
      : null;
  const kind = chosen.network.driver === "bridge" ? "alias" : "direct";
  return { kind, target: chosen.target, network: chosen.network, note };
}

/** Drivers whose addresses this host or its LAN can reach. */
const DRIVERS = new Set(["bridge", "macvlan", "ipvlan"]);

function unreachable(container: Container, usable: readonly { readonly network: Network }[]): Reach {
  const internal = usable.find(({ network }) => network.internal);
  if (internal !== undefined) {
    const reason = `its network "${clip(internal.network.name)}" is internal`;
    return { kind: "none", code: "internal-network", reason, keeps: false };
  }
  const foreign = usable[0];
  if (foreign !== undefined) {
    const reason = `its network "${clip(foreign.network.name)}" has the driver "${clip(foreign.network.driver)}", which an alias cannot lead to`;
    return { kind: "none", code: "foreign-driver", reason, keeps: false };
  }
  const reason = `it has no address yet (${clip(container.state)})`;
  return { kind: "none", code: "no-address", reason, keeps: true };
}

/** Compose's labels on a container, as far as they can be believed. */
export interface Compose {
  readonly project: string;
  readonly service: string;
  readonly number: number | null;
}

export function composeOf(container: Container): Compose | null {
  const project = container.labels.get("com.docker.compose.project");
  const service = container.labels.get("com.docker.compose.service");
  if (!project || !service) return null;
  const number = container.labels.get("com.docker.compose.container-number") ?? "";
  return { project, service, number: /^\d{1,6}$/.test(number) ? Number(number) : null };
}

/** The stable key of a container's lease: compose project, service and number, else the container's name. */
export function keyOf(container: Container, compose: Compose | null): string {
  if (compose === null || compose.number === null) return `container:${part(container.name)}`;
  return `compose:${part(compose.project)}/${part(compose.service)}/${compose.number}`;
}

/** The group of a key: the containers of one compose service are one. */
export function groupOf(key: string): string {
  return key.startsWith("compose:") ? key.replace(/\/\d+$/, "") : key;
}

/** A stranger's text as one part of a key: bounded, and without the separator. */
function part(text: string): string {
  const safe = text.replace(/[%/]/g, (c) => (c === "%" ? "%25" : "%2F"));
  return safe.length <= 200 ? safe : `${safe.slice(0, 190)}~${fingerprint(text)}`;
}

/** The name a container asks for: label, compose service, or its own name without compose's parts. */
export function wishOf(container: Container, wishes: Wishes, compose: Compose | null): Name {
  return (
    toName(wishes.name ?? "") ??
    toName(compose?.service ?? "") ??
    toName(withoutComposeParts(container.name)) ??
    toName(container.name) ??
    (`container-${fingerprint(container.id)}` as Name)
  );
}
