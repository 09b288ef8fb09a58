/** What iptables shows → our part of it, and the transaction that turns one firewall into another. */
import { contains, parseIpv4, type Range } from "../addresses/ipv4.ts";
import type { Firewall, Jump, SeenForward, TableName } from "../model.ts";
import { jumpsWanted, OWN_CHAINS } from "./rules.ts";

/** Everything one look at both tables gives. */
export interface SeenFirewall {
  readonly firewall: Firewall;
  readonly dockerUser: boolean;
  readonly forwards: readonly SeenForward[];
  /** Addresses that the bash script's own rules forward: its aliases, unmarked as they are. */
  readonly originals: ReadonlySet<string>;
}

/** Rules that must not stand before our jump in these chains, or it would never see the packet. */
const RIVALS = new Map<string, RegExp>([
  ["nat/PREROUTING", /-j DOCKER$/],
  ["nat/OUTPUT", /-j DOCKER$/],
  ["filter/INPUT", /-j ACCEPT$/],
  ["filter/FORWARD", /-j DOCKER|^-j (DROP|REJECT)/],
  // an operator's own restrictions in DOCKER-USER keep their place before us; only an unconditional end moves us
  ["filter/DOCKER-USER", /^-j (ACCEPT|DROP|REJECT|RETURN)/],
]);

/** The firewall as `iptables-save` shows it, table by table, as far as it is ours. */
export function parseFirewall(saved: ReadonlyMap<TableName, string>, pool: readonly Range[]): SeenFirewall {
  const chains = chainsOf(saved);
  const dockerUser = chains.has("filter/DOCKER-USER");
  const wanted = jumpsWanted(dockerUser);
  const jumps: Jump[] = [];
  const stray: Jump[] = [];
  for (const [name, rules] of chains) {
    if (OWN_CHAINS.includes(name)) continue;
    const [table, from] = name.split("/") as [TableName, string];
    let blocked = false;
    for (const rule of rules) {
      const jump = { table, from, to: /(?:^| )-[jg] (\S+)/.exec(rule)?.[1] ?? "", rule };
      if (OWN_CHAINS.includes(`${table}/${jump.to}`)) {
        const right =
          wanted.some((j) => sameJump(j, jump)) && !blocked && !jumps.some((j) => sameJump(j, jump));
        (right ? jumps : stray).push(jump);
      } else if (name === "nat/DOCKER" && isOriginals(rule, pool)) stray.push(jump);
      blocked ||= RIVALS.get(name)?.test(rule) === true;
    }
  }
  const own = new Map(
    OWN_CHAINS.flatMap((name) => (chains.has(name) ? [[name, chains.get(name) ?? []]] : [])),
  );
  return {
    firewall: { chains: own, jumps, stray },
    dockerUser,
    forwards: (own.get("nat/OCDD") ?? []).flatMap(forwardOf),
    originals: new Set(stray.flatMap((jump) => forwardOf(jump.rule)).map((forward) => forward.alias)),
  };
}

/** Every chain of every table with its rules, without the words `-A CHAIN`. */
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

/** A rule that the bash script left in Docker's chain: its very form, for an address of our pool. */
function isOriginals(rule: string, pool: readonly Range[]): boolean {
  const match =
    /^-d (\S+)\/32 ! -i docker0 -m comment --comment "?OCDD-[^"]*"? -j DNAT --to-destination \S+$/.exec(rule);
  const address = parseIpv4(match?.[1] ?? "");
  return address !== undefined && pool.some((range) => contains(range, address));
}

/** What a DNAT rule of ours forwards; nothing for other rules. */
export function forwardOf(rule: string): SeenForward[] {
  const match = /-d ([\d.]+)\/32 .*--comment "?OCDD-([^" ]*)"? .*--to-destination ([\d.]+)/.exec(rule);
  const alias = parseIpv4(match?.[1] ?? "");
  const target = parseIpv4(match?.[3] ?? "");
  return alias !== undefined && target !== undefined ? [{ name: match?.[2] ?? "", alias, target }] : [];
}

/**
 * iptables-restore input (`--noflush`) that turns `actual` into `desired` in one transaction; empty when they agree.
 * A chain is declared, which empties it, and filled anew: no packet sees a half of it.
 */
export function renderTransaction(table: TableName, actual: Firewall, desired: Firewall): string {
  const ofTable = (name: string): boolean => name.startsWith(`${table}/`);
  const short = (name: string): string => name.slice(table.length + 1);
  // -D takes the first rule of that spelling: where a twin stands astray, both go and one comes back
  const stands = (jump: Jump): boolean =>
    actual.jumps.some((j) => sameJump(j, jump)) && !actual.stray.some((j) => sameJump(j, jump));
  const wanted = (jump: Jump): boolean => desired.jumps.some((j) => sameJump(j, jump));

  const changed = [...desired.chains.keys()]
    .filter(ofTable)
    .filter((name) => !sameRules(actual.chains.get(name), desired.chains.get(name)));
  const declared = changed.map((name) => `:${short(name)} - [0:0]`);
  const deleted = [...actual.stray, ...actual.jumps.filter((jump) => !wanted(jump) || !stands(jump))]
    .filter((jump) => jump.table === table)
    .map((jump) => `-D ${jump.from} ${jump.rule}`);
  const filled = changed.flatMap((name) =>
    (desired.chains.get(name) ?? []).map((rule) => `-A ${short(name)} ${rule}`),
  );
  const inserted = desired.jumps
    .filter((jump) => jump.table === table && !stands(jump))
    .map((jump) => `-I ${jump.from} 1 ${jump.rule}`);
  const removed = [...actual.chains.keys()]
    .filter((name) => ofTable(name) && !desired.chains.has(name))
    .flatMap((name) => [`-F ${short(name)}`, `-X ${short(name)}`]);
  const body = [...declared, ...deleted, ...filled, ...inserted, ...removed];
  return body.length === 0 ? "" : `*${table}\n${body.join("\n")}\nCOMMIT\n`;
}

export function sameJump(a: Jump, b: Jump): boolean {
  return a.table === b.table && a.from === b.from && a.rule === b.rule;
}

/** True when both are there and hold the same rules in the same order. */
export function sameRules(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((rule, i) => rule === b[i]);
}
