/** From the actual to the desired rules, as input of `iptables-restore --noflush`. */
import type { Ipv4 } from "../addresses/ipv4.ts";
import type { DataPath } from "./forward.ts";
import { jumpsIn, placeOf, sameJump } from "./iptables-jumps.ts";
import { type Snapshot, sameRules } from "./iptables-parse.ts";
import { type Chains, type Jump, partOf, render, type TableName } from "./iptables-render.ts";

/** Input for iptables-restore, one transaction a table, and the content of the tables after it. */
export interface Transaction {
  /** Empty when there is nothing to do. The accept is in force before the first packet is redirected. */
  readonly text: string;
  readonly after: Snapshot;
}

/** Turns what was read into `desired`: only chains and jumps that differ are written. No packet passes a half-written chain. */
export function transaction(before: Snapshot, desired: DataPath): Transaction {
  const own = render(desired);
  const legacy = before.legacyRules.map((rule): Deletion => ({ table: "nat", from: "DOCKER", rule }));
  const jumps = jumpChanges(before.chains, desired.frame !== null);
  const deleted = [...legacy, ...jumps.deleted];
  const others = new Map([...before.chains].filter(([name]) => partOf(name) === undefined));
  for (const { table, from, rule } of deleted) {
    const rules = others.get(`${table}/${from}`) ?? [];
    others.set(`${table}/${from}`, rules.toSpliced(rules.indexOf(rule), 1));
  }
  const inserted = jumps.missing.map((jump) => {
    const name = `${jump.table}/${jump.from}`;
    const rules = others.get(name) ?? [];
    const place = placeOf(jump, rules);
    others.set(name, rules.toSpliced(place, 0, jump.rule));
    return { ...jump, place };
  });
  const text = (["filter", "nat"] as const).map((table) => {
    const chains = chainChanges(before.chains, own, table);
    return ofTable(table, [
      ...chains.declared,
      ...deleted.filter((d) => d.table === table).map(({ from, rule }) => `-D ${from} ${rule}`),
      ...chains.filled,
      ...inserted
        .filter((jump) => jump.table === table)
        .map(({ from, place, rule }) => `-I ${from} ${place + 1} ${rule}`),
      ...chains.removed,
    ]);
  });
  return { text: text.join(""), after: { chains: new Map([...others, ...own]), legacyRules: [] } };
}

/** Removes the rules of these aliases and nothing else: the chains they are in are written without them. */
export function revocation(before: Snapshot, aliases: ReadonlySet<Ipv4>): Transaction {
  const own = new Map([...before.chains].filter(([name]) => partOf(name) === "redirect"));
  for (const [name, rules] of own) {
    // of another program with a line feed in its comment: it cannot be written again
    const writable = (rule: string): boolean => !rule.includes("\n");
    const left = rules.filter((rule) => writable(rule) && !aliases.has(redirectedAlias(rule) as Ipv4));
    if (left.length < rules.length) own.set(name, left);
  }
  const { declared, filled } = chainChanges(before.chains, own, "nat");
  return {
    text: ofTable("nat", [...declared, ...filled]),
    after: { ...before, chains: new Map([...before.chains, ...own]) },
  };
}

/** The alias that a rule of a forward is for; undefined for the rules that refuse the rest of the pool. */
export function redirectedAlias(rule: string): string | undefined {
  // one of OCDD's has no text before its comment; each change asks of all of them, so they are not cut into words
  return /^(?:-s \S+ )?-d ([\d.]+)\/32 [^"]*--comment "?OCDD-/.exec(rule)?.[1];
}

type Deletion = Pick<Jump, "table" | "from" | "rule">;

function jumpChanges(
  chains: Chains,
  wanted: boolean,
): { readonly deleted: readonly Deletion[]; readonly missing: readonly Jump[] } {
  const { standing, stray, missing } = jumpsIn(chains);
  if (!wanted) return { deleted: [...standing, ...stray], missing: [] };
  // -D deletes the first rule of that form: where one is there twice, both are deleted and one is inserted again
  const doubled = standing.filter((jump) => stray.some((other) => sameJump(jump, other)));
  return { deleted: [...doubled, ...stray], missing: [...missing, ...doubled] };
}

/** Lines for a table's own chains. A declaration creates a chain or empties it. */
function chainChanges(before: Chains, own: Chains, table: TableName) {
  const short = (name: string): string => name.slice(table.length + 1);
  const declared: string[] = [];
  const filled: string[] = [];
  for (const [name, rules] of own) {
    const found = before.get(name);
    if (!name.startsWith(`${table}/`) || sameRules(found, rules)) continue;
    const added = found === undefined ? undefined : insertions(found, rules);
    if (added !== undefined) filled.push(...added.map((at) => `-I ${short(name)} ${at + 1} ${rules[at]}`));
    else {
      declared.push(`:${short(name)} - [0:0]`);
      for (const rule of rules) filled.push(`-A ${short(name)} ${rule}`);
    }
  }
  const gone = [...before.keys()].filter(
    (name) => name.startsWith(`${table}/`) && partOf(name) !== undefined && !own.has(name),
  );
  // no chain is removed while another still leads to it
  const removed = [...gone.map((name) => `-F ${short(name)}`), ...gone.map((name) => `-X ${short(name)}`)];
  return { declared, filled, removed };
}

/** Rules that are inserted one by one: where nothing is deleted, the kernel takes half the time. */
const FEW_INSERTIONS = 4;

/** The places of the rules that turn `before` into `after`; undefined when that takes deletions or many insertions. */
function insertions(before: readonly string[], after: readonly string[]): number[] | undefined {
  if (after.length - before.length > FEW_INSERTIONS) return undefined;
  const places: number[] = [];
  after.forEach((rule, at) => {
    if (rule !== before[at - places.length]) places.push(at);
  });
  return places.length === after.length - before.length ? places : undefined;
}

function ofTable(table: TableName, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `*${table}\n${lines.join("\n")}\nCOMMIT\n`;
}
