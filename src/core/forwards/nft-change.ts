/** The change from the actual to the desired tables, as long as the constant part stays. */
import type { Ipv4 } from "../addresses/ipv4.ts";
import type { Forward } from "./forward.ts";
import { hasPolicy, policyRules, renderChainRemoval, renderChains } from "./nft-chains.ts";
import {
  diffElements,
  type ElementChange,
  elementsOf,
  keyOf,
  type Mode,
  renderElements,
} from "./nft-elements.ts";
import type { TablesSeen } from "./nft-parse.ts";

/** A change of elements, and of chains of aliases with a policy. */
export interface TableChange extends ElementChange {
  /** Forwards whose chain is made or made again. */
  readonly filled: readonly Forward[];
  /** Aliases whose chain is removed. */
  readonly removed: readonly Ipv4[];
}

/** What turns `actual` into the elements and chains of `forwards`. */
export function changeOf(actual: TablesSeen, forwards: readonly Forward[], mode: Mode): TableChange {
  const wanted = mode === "full" ? forwards.filter(hasPolicy) : [];
  const aliases = new Set(wanted.map(({ alias }) => alias));
  const gone = [...actual.policies.keys()].filter((alias) => !aliases.has(alias));
  return {
    ...diffElements(actual.elements, elementsOf(forwards, mode)),
    filled: wanted.filter((forward) => !sameChain(actual, forward)),
    removed: gone,
  };
}

/** Whether the tables hold a forward as it is desired. */
export function inForce(actual: TablesSeen, mode: Mode): (forward: Forward) => boolean {
  const keys = new Set(actual.elements.map(keyOf));
  return (forward) =>
    elementsOf([forward], mode).every((element) => keys.has(keyOf(element))) &&
    (mode === "guard" || !hasPolicy(forward) || sameChain(actual, forward));
}

/** By the rules it gives: equal rules are an equal policy, however it is written. */
function sameChain({ policies }: TablesSeen, forward: Forward): boolean {
  const policy = policies.get(forward.alias);
  if (policy === undefined) return false;
  const rules = (one: Forward): string => policyRules(one).join("\n");
  return rules({ ...forward, ...policy }) === rules(forward);
}

/** True when nothing is to be done. */
export const isEmpty = ({ gone, added, filled, removed }: TableChange): boolean =>
  gone.length + added.length + filled.length + removed.length === 0;

/** True when elements alone change. */
export const isElementsAlone = ({ filled, removed }: TableChange): boolean =>
  filled.length + removed.length === 0;

/** The tables after the change. */
export function changed(actual: TablesSeen, { gone, added, filled, removed }: TableChange): TablesSeen {
  const left = new Set(gone.map(keyOf));
  const elements = [...actual.elements.filter((element) => !left.has(keyOf(element))), ...added];
  const policies = new Map(actual.policies);
  for (const alias of removed) policies.delete(alias);
  for (const { alias, target, map, ports, allow } of filled)
    policies.set(alias, { target, map, ports, allow });
  return { ...actual, elements, policies };
}

/** nft input for the change, one transaction. An element is removed before another is added under its key. */
export function renderChange({ gone, added, filled, removed }: TableChange): string {
  return [
    renderElements("delete", gone),
    renderChainRemoval(removed),
    renderChains(filled),
    renderElements("add", added),
  ].join("");
}
