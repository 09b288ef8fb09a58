/** What iptables-save prints → the data path in force, and what a transaction needs of the rest. */
import { contains, mergeRanges, parseCidr, parseIpv4, type Range, toCidrs } from "../addresses/ipv4.ts";
import type { DataPath, Frame, LegacyForward, Part } from "./forward.ts";
import { blockersOf, jumpsIn } from "./iptables-jumps.ts";
import { forwardsOf } from "./iptables-redirects.ts";
import { ASLEEP, type Chains, partOf, render, type TableName } from "./iptables-render.ts";
import { linesOf } from "./iptables-saved.ts";

/** Both tables as they were when they were read; for `transaction` and `revocation`, opaque to their callers. */
export interface Snapshot {
  /** All chains, also those that are not OCDD's. */
  readonly chains: Chains;
  /** Rules of the bash script OctoCopDD in Docker's chain, which OCDD takes over from. */
  readonly legacyRules: readonly string[];
}

/** One reading of both tables. */
export interface SeenTables {
  /** What is in force. Bridge ports are not in iptables: null. */
  readonly dataPath: DataPath;
  /** True where Docker has the chain in which operators restrict access to containers. */
  readonly dockerUser: boolean;
  /** Rules of the bash script OctoCopDD that lead to containers. */
  readonly legacy: readonly LegacyForward[];
  readonly snapshot: Snapshot;
  /** Rules that keep clients from all aliases before OCDD's accept, each behind its chain. */
  readonly obstacles: readonly string[];
}

/** Reads both tables as `iptables-save` prints them; `pool` distinguishes rules of the bash script from others. */
export function parse(saved: ReadonlyMap<TableName, string>, pool: readonly Range[]): SeenTables {
  const chains = chainsOf(saved);
  const legacyRules = (chains.get("nat/DOCKER") ?? []).filter(
    (rule) => legacyForward(rule, pool) !== undefined,
  );
  const snapshot = { chains, legacyRules };
  const forwards = forwardsOf(chains);
  const frame = frameOf(chains);
  return {
    dataPath: { frame, forwards, damaged: damagedIn(snapshot, { frame, forwards, damaged: [] }) },
    dockerUser: chains.has("filter/DOCKER-USER"),
    legacy: legacyRules.flatMap((rule) => legacyForward(rule, pool) ?? []),
    snapshot,
    obstacles: blockersOf(chains).map(({ chain, rule }) => `${chain} ${rule}`),
  };
}

function chainsOf(saved: ReadonlyMap<TableName, string>): Map<string, string[]> {
  const chains = new Map<string, string[]>();
  for (const [table, text] of saved) {
    for (const line of linesOf(text)) {
      const match = /^(:|-A )([^ ]+) ?(.*)$/s.exec(line);
      if (match === null) continue;
      const name = `${table}/${match[2]}`;
      const rules = chains.get(name) ?? [];
      chains.set(name, rules);
      if (match[1] !== ":") rules.push(match[3] ?? "");
    }
  }
  return chains;
}

/** A rule of the bash script, in exactly its form and for an address of the pool; undefined for any other. */
function legacyForward(rule: string, pool: readonly Range[]): LegacyForward | undefined {
  const match =
    /^-d (\S+)\/32 ! -i docker0 -m comment --comment "?OCDD-([^\s"\\]*)"? -j DNAT --to-destination (\S+)$/.exec(
      rule,
    );
  const alias = parseIpv4(match?.[1] ?? "");
  if (alias === undefined || !pool.some((range) => contains(range, alias))) return undefined;
  return { alias, name: match?.[2] ?? "", target: match?.[3] ?? "" };
}

/** Parts whose chains and jumps differ from those that would be written for what was read. */
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

/** What the constant chains were written for; null when there are none. */
function frameOf(chains: Chains): Frame | null {
  const present = [...chains.keys()].some((name) => partOf(name) !== undefined);
  if (!present) return null;
  const cidrs = (name: string, pattern: RegExp): Range[] =>
    (chains.get(name) ?? []).flatMap((rule) => parseCidr(pattern.exec(rule)?.[1] ?? "") ?? []);
  // each of the three names the whole pool: it is found even if one was changed
  const pools = [
    cidrs("filter/OCDD-FORWARD", /--ctorigdst (\S+) -j ACCEPT$/),
    cidrs("filter/OCDD-INPUT", /^-d (\S+) -j OCDD-REFUSE$/),
    cidrs("nat/OCDD", /^-d (\S+) -j ACCEPT$/),
  ];
  const same = (a: Range[], b: Range[]): boolean => a.length > 0 && toCidrs(a).join() === toCidrs(b).join();
  const pool =
    pools.find((a) => pools.filter((b) => same(a, b)).length > 1) ?? pools.find((a) => a.length > 0);
  const queues = (chains.get(`nat/${ASLEEP}`) ?? []).flatMap(
    (rule) => /-j NFQUEUE --queue-num (\d+)$/.exec(rule)?.[1] ?? [],
  );
  const [page] = (chains.get("filter/OCDD-INPUT") ?? []).flatMap(
    (rule) =>
      /^-d \S+ -p tcp -m tcp --dport (\d+) -m conntrack --ctstate DNAT -j ACCEPT$/.exec(rule)?.[1] ?? [],
  );
  return {
    pool: mergeRanges(pool ?? []),
    subnets: cidrs("nat/OCDD-POSTROUTING", /^-s (\S+) -d \1 -j OCDD-HAIRPIN$/),
    ...(queues[0] === undefined ? {} : { queue: Number(queues[0]) }),
    ...(page === undefined ? {} : { page: Number(page) }),
  };
}
