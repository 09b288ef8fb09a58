/** The changing part of the nftables tables, as set elements, and the difference of two states of it. */
import { type Ipv4, toNumber } from "../addresses/ipv4.ts";
import type { Forward } from "./forward.ts";
import { hasPolicy, policyChain } from "./nft-chains.ts";
import { TABLE } from "./nft-table-name.ts";

/** `guard`: iptables redirects, the tables guard. `full`: the tables do both. */
export type Mode = "guard" | "full";

/** An element of one of the sets that change. `value` is the right side of a map, or the bridge port. */
export type Element =
  | { readonly set: "leased"; readonly alias: Ipv4; readonly value: string }
  | { readonly set: "targets"; readonly alias: Ipv4; readonly value: Ipv4 }
  | { readonly set: "policies"; readonly alias: Ipv4; readonly value: "" }
  | { readonly set: "bridge-ports"; readonly alias: Ipv4; readonly value: string };

export type ChangingSet = Element["set"];

/** Family of the table that a set is in. */
export const FAMILY_OF: Readonly<Record<ChangingSet, "ip" | "bridge">> = {
  leased: "ip",
  targets: "ip",
  policies: "ip",
  "bridge-ports": "bridge",
};

/** Names of network devices that nft text can hold: a `*` at the end would match many. */
const DEVICE = /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,14}$/;

/** True for a device that a rule can name; any other counts as not known. */
export const isDevice = (name: string | null): name is string => name !== null && DEVICE.test(name);

/** The name of a forward as a comment: a Name is clean already, this also holds for other text. */
export const commentOf = (name: string): string => name.replace(/[^A-Za-z0-9._-]/g, "-").slice(0, 63);

/** The elements for these forwards. In guard mode iptables redirects: neither targets nor policies. */
export function elementsOf(forwards: readonly Forward[], mode: Mode): Element[] {
  return forwards.flatMap(({ alias, name, target, waits, bridgePort, ...rest }): Element[] => {
    const elements: Element[] = [{ set: "leased", alias, value: commentOf(name) }];
    if (isDevice(bridgePort)) elements.push({ set: "bridge-ports", alias, value: bridgePort });
    // a packet that is to wait passes on to iptables, and without it is refused
    if (mode === "guard" || waits === true || target === null) return elements;
    elements.push(
      hasPolicy(rest) ? { set: "policies", alias, value: "" } : { set: "targets", alias, value: target },
    );
    return elements;
  });
}

/** Elements to remove and to add, in this order. */
export interface ElementChange {
  readonly gone: readonly Element[];
  readonly added: readonly Element[];
}

/** The change that turns one state of the sets into another. */
export function diffElements(actual: readonly Element[], desired: readonly Element[]): ElementChange {
  const before = new Set(actual.map(keyOf));
  const after = new Set(desired.map(keyOf));
  return {
    gone: actual.filter((element) => !after.has(keyOf(element))),
    added: desired.filter((element) => !before.has(keyOf(element))),
  };
}

/** Equal text is an equal element. */
export const keyOf = ({ set, alias, value }: Element): string => `${set} ${alias} ${value}`;

const SETS: readonly ChangingSet[] = ["bridge-ports", "targets", "policies", "leased"];

/** nft input that adds or deletes these elements, one command a set. */
export function renderElements(verb: "add" | "delete", elements: readonly Element[]): string {
  return SETS.map((set) => {
    const list = elements.filter((element) => element.set === set).map((element) => render(element, verb));
    if (list.length === 0) return "";
    return `${verb} element ${FAMILY_OF[set]} ${TABLE} ${set} { ${list.join(", ")} }\n`;
  }).join("");
}

function render({ set, alias, value }: Element, verb: "add" | "delete"): string {
  if (set === "bridge-ports") return `0x${toNumber(alias).toString(16).padStart(8, "0")} . "${value}"`;
  if (verb === "delete") return alias;
  if (set === "leased") return value === "" ? alias : `${alias} comment "${value}"`;
  return `${alias} : ${set === "policies" ? `goto ${policyChain(alias)}` : value}`;
}
