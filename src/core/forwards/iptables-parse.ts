/** What iptables-save prints → the data path in force, and what a transaction needs to know of the rest. */
import {
  contains,
  type Ipv4,
  mergeRanges,
  parseCidr,
  parseIpv4,
  type Range,
  toCidrs,
} from "../addresses/ipv4.ts";
import type { Port, PortMap, Protocol } from "../model.ts";
import type { Name } from "../services/name.ts";
import type { DataPath, Forward, Frame, Part } from "./forward.ts";
import { distinctPorts } from "./iptables-forward.ts";
import { blockersOf, jumpsIn } from "./iptables-jumps.ts";
import { type Chains, partOf, render, type TableName } from "./iptables-render.ts";

/** Both tables as they were when they were read; for `transaction` and `revocation`, and for nobody to look into. */
export interface Snapshot {
  /** All chains, also those that are not OCDD's. */
  readonly chains: Chains;
  /** Rules of the bash script OctoCopDD in Docker's chain, which OCDD takes over from. */
  readonly legacyRules: readonly string[];
}

/** One look at both tables. */
export interface SeenTables {
  /** What is in force. Bridge ports are not iptables' to know: null. */
  readonly dataPath: DataPath;
  /** True where Docker has the chain in which operators restrict access to containers. */
  readonly dockerUser: boolean;
  /** Aliases that rules of the bash script OctoCopDD lead to containers. */
  readonly legacy: ReadonlySet<Ipv4>;
  readonly snapshot: Snapshot;
  /** Rules of the operator's that refuse everything before OCDD's accept, one line each. */
  readonly obstacles: readonly string[];
}

/** Reads both tables as `iptables-save` prints them; `pool` tells rules of the bash script from others. */
export function parse(saved: ReadonlyMap<TableName, string>, pool: readonly Range[]): SeenTables {
  const chains = chainsOf(saved);
  const legacyRules = (chains.get("nat/DOCKER") ?? []).filter(
    (rule) => legacyAlias(rule, pool) !== undefined,
  );
  const snapshot = { chains, legacyRules };
  const forwards = forwardsOf(chains);
  const frame = frameOf(chains);
  return {
    dataPath: { frame, forwards, damaged: damagedIn(snapshot, { frame, forwards, damaged: [] }) },
    dockerUser: chains.has("filter/DOCKER-USER"),
    legacy: new Set(legacyRules.flatMap((rule) => legacyAlias(rule, pool) ?? [])),
    snapshot,
    obstacles: blockersOf(chains).map(({ chain, rule }) => `${chain} ${rule}`),
  };
}

function chainsOf(saved: ReadonlyMap<TableName, string>): Map<string, string[]> {
  const chains = new Map<string, string[]>();
  for (const [table, text] of saved) {
    for (const line of text.split("\n")) {
      const match = /^(:|-A )(\S+) ?(.*)$/.exec(line);
      if (match === null) continue;
      const name = `${table}/${match[2]}`;
      const rules = chains.get(name) ?? [];
      chains.set(name, rules);
      if (match[1] !== ":") rules.push(match[3] ?? "");
    }
  }
  return chains;
}

/** The alias of a rule of the bash script: its very form, for an address of the pool. */
function legacyAlias(rule: string, pool: readonly Range[]): Ipv4 | undefined {
  const match =
    /^-d (\S+)\/32 ! -i docker0 -m comment --comment "?OCDD-[^"]*"? -j DNAT --to-destination \S+$/.exec(rule);
  const address = parseIpv4(match?.[1] ?? "");
  return address !== undefined && pool.some((range) => contains(range, address)) ? address : undefined;
}

/** Parts whose chains and jumps are not what would be written for what was read. */
function damagedIn({ chains }: Snapshot, dataPath: DataPath): Part[] {
  const damaged = new Set<Part>();
  const whole = render(dataPath);
  for (const name of new Set([...whole.keys(), ...chains.keys()])) {
    const part = partOf(name);
    if (part !== undefined && !sameRules(chains.get(name), whole.get(name))) damaged.add(part);
  }
  const { missing, stray } = jumpsIn(chains);
  for (const { part } of [...stray, ...(dataPath.frame === null ? [] : missing)]) damaged.add(part);
  return [...damaged];
}

/** True when both are there and hold the same rules in the same order. */
export function sameRules(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((rule, i) => rule === b[i]);
}

/** What the constant chains were written for; null when there is none of them. */
function frameOf(chains: Chains): Frame | null {
  const present = [...chains.keys()].some((name) => partOf(name) !== undefined);
  if (!present) return null;
  const cidrs = (name: string, pattern: RegExp): Range[] =>
    (chains.get(name) ?? []).flatMap((rule) => parseCidr(pattern.exec(rule)?.[1] ?? "") ?? []);
  // each of the three names the whole pool: one that was changed does not hide it
  const pools = [
    cidrs("filter/OCDD-FORWARD", /--ctorigdst (\S+) -j ACCEPT$/),
    cidrs("filter/OCDD-INPUT", /^-d (\S+) -j OCDD-REFUSE$/),
    cidrs("nat/OCDD", /^-d (\S+) -j ACCEPT$/),
  ];
  const same = (a: Range[], b: Range[]): boolean => a.length > 0 && toCidrs(a).join() === toCidrs(b).join();
  const pool =
    pools.find((a) => pools.filter((b) => same(a, b)).length > 1) ?? pools.find((a) => a.length > 0);
  return {
    pool: mergeRanges(pool ?? []),
    subnets: cidrs("nat/OCDD-POSTROUTING", /^-s (\S+) -d \1 -j OCDD-HAIRPIN$/),
  };
}

const REDIRECT = new RegExp(
  "^(?:-s (?<source>\\S+) )?-d (?<alias>[\\d.]+)/32 " +
    "(?:-p (?<protocol>tcp|udp|sctp) -m (?:\\k<protocol> --dport|multiport --dports) (?<ports>[\\d,]+) )?" +
    '-m comment --comment "?OCDD-(?<name>[a-z0-9-]+)"? -j ' +
    "(?:DNAT --to-destination (?<target>[\\d.]+)(?::(?<to>\\d+))?|(?<chain>\\S+))$",
);

/** A forward while its rules are being read. */
interface Draft {
  name: string;
  target: Ipv4;
  readonly map: PortMap[];
  readonly ports: Port[];
  /** A rule takes all ports. */
  all: boolean;
  /** Null once a rule takes all sources. */
  sources: Set<string> | null;
}

/** The forwards whose rules a packet meets, in the order of the rules. */
function forwardsOf(chains: Chains): Forward[] {
  const drafts = new Map<Ipv4, Draft>();
  const seen = new Set<string>();
  const walk = (chain: string, source: string | undefined): void => {
    for (const rule of chains.get(chain) ?? []) {
      const match = REDIRECT.exec(rule)?.groups;
      const next = match?.chain ?? /^-d \S+ -j (OCDD-\S+)$/.exec(rule)?.[1];
      const from = match?.source ?? source;
      const inner = `nat/${next}`;
      if (match?.target !== undefined) addRule(drafts, match, from);
      else if (next === undefined || partOf(inner) === undefined) continue;
      // each source of a forward has a jump to the chain of its ports
      else if (!seen.has(`${inner} ${from}`)) {
        seen.add(`${inner} ${from}`);
        walk(inner, from);
      }
    }
  };
  walk("nat/OCDD", undefined);
  return [...drafts].map(([alias, { name, target, map, ports, all, sources }]) => ({
    name: name as Name,
    alias,
    target,
    bridgePort: null,
    map: distinctPorts(map),
    ports: all ? null : distinctPorts(ports),
    allow: sources === null ? null : [...sources],
  }));
}

function addRule(
  drafts: Map<Ipv4, Draft>,
  rule: Readonly<Record<string, string | undefined>>,
  source: string | undefined,
): void {
  const [alias, target] = [parseIpv4(rule.alias ?? ""), parseIpv4(rule.target ?? "")];
  if (alias === undefined || target === undefined) return;
  const draft = drafts.get(alias) ?? {
    name: rule.name ?? "",
    target,
    map: [],
    ports: [],
    all: false,
    sources: new Set(),
  };
  drafts.set(alias, draft);
  if (source === undefined) draft.sources = null;
  else draft.sources?.add(source);
  draft.all ||= rule.ports === undefined;
  const protocol = rule.protocol as Protocol;
  for (const port of (rule.ports ?? "").split(",").filter(Boolean).map(Number)) {
    draft.ports.push({ protocol, port });
    if (rule.to !== undefined) draft.map.push({ protocol, port, to: Number(rule.to) });
  }
}
