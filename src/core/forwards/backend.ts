/** Chooses the backend that redirects, and joins what is in force of both to one data path. */
import type { Ipv4 } from "../addresses/ipv4.ts";
import type { DataPath, Forward, Part } from "./forward.ts";
import type { NftStyle } from "./nft.ts";
import { bridgePortsOf, dataPathOf, forwardsOf, type TablesSeen } from "./nft-parse.ts";

/** The backend that redirects aliases; `auto` follows Docker's own. */
export type Firewall = "auto" | "iptables" | "nft";

/** What is written where. */
export interface Backend {
  readonly redirect: "iptables" | "nft";
  /** The constant rules are in iptables: Docker filters there, and an accept elsewhere is not final. */
  readonly rules: boolean;
  readonly style: NftStyle;
}

/** The parts of the host's state that the choice depends on. */
export interface BackendsSeen {
  /** Docker filters with nftables. */
  readonly docker: boolean;
  /** iptables is installed, or a program that is not on the search path filters with it. */
  readonly iptables: boolean;
  /** Why nftables cannot be used; null where it can. */
  readonly unguarded: string | null;
}

/**
 * Chooses by the configuration and one reading of the host; iptables where nftables cannot be used. `device`: the network's, unless it is a
 * bridge.
 */
export function chooseBackend(
  firewall: Firewall,
  { docker, iptables, unguarded }: BackendsSeen,
  device?: string,
): Backend {
  const wanted = firewall === "nft" || (firewall === "auto" && (docker || !iptables));
  const redirect = wanted && unguarded === null ? "nft" : "iptables";
  const mode = redirect === "nft" ? "full" : "guard";
  const rules = redirect === "iptables" || (iptables && !docker);
  return { redirect, rules, style: { mode, markEarly: docker, device, waits: rules } };
}

/** `rules`: what iptables has, null where it was not asked. `tables`: OCDD's of nftables, null where there are none. */
export interface BothSeen {
  readonly rules: DataPath | null;
  readonly tables: TablesSeen | null;
  readonly unguarded: string | null;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The data path in force. Rules in the backend that was not chosen count as damaged, but are in force. */
export function joined({ rules, tables, unguarded }: BothSeen, backend: Backend): DataPath {
  const { frame, damaged } = dataPathOf(tables, backend.style);
  const targets = tables === null ? [] : forwardsOf(tables);
  const ports = tables === null ? new Map<Ipv4, string | null>() : bridgePortsOf(tables);
  const forwards = inForce(targets, rules?.forwards ?? []).map(
    (forward): Forward => ({ ...forward, bridgePort: ports.get(forward.alias) ?? null }),
  );
  const whole = backend.rules ? (rules?.frame ?? null) : frame;
  const found = new Set<Part>([...(rules?.damaged ?? []), ...damaged]);
  // packets that are to wait do so in iptables
  const leading = (rules?.forwards ?? []).filter(({ waits }) => waits !== true);
  const stray = backend.redirect === "nft" ? leading : targets;
  if (stray.length > 0) found.add("redirect");
  // iptables must be empty then
  if (!backend.rules && rules !== null && rules.frame !== null) found.add("accept");
  if (unguarded !== null) return { frame: whole, forwards, damaged: [...found] };
  const leased = ports.size === forwards.length && forwards.every(({ alias }) => ports.has(alias));
  const framed =
    backend.style.mode === "full"
      ? same(frame, whole && { pool: whole.pool, subnets: whole.subnets })
      : same(frame?.pool ?? null, whole?.pool ?? null);
  if (!leased || !framed) found.add("guard");
  return { frame: whole, forwards, damaged: [...found] };
}

/** nftables redirects before iptables. */
function inForce(tables: readonly Forward[], rules: readonly Forward[]): Forward[] {
  const first = new Set(tables.map(({ alias }) => alias));
  return [...tables, ...rules.filter(({ alias }) => !first.has(alias))];
}

/** True when OCDD's nftables tables redirect aliases, whatever backend is chosen. */
export const redirects = (tables: TablesSeen | null): boolean =>
  tables?.elements.some(({ set }) => set === "targets" || set === "policies") ?? false;
