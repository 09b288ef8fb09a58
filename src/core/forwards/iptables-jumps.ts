/** Where the jumps into OCDD's chains are among the rules of Docker and of the operator, and where they belong. */
import type { Part } from "./forward.ts";
import { type Chains, JUMPS, type Jump, partOf, type TableName } from "./iptables-render.ts";
import { ruleOf } from "./iptables-saved.ts";

/** The jumps of one reading. */
export interface SeenJumps {
  readonly standing: readonly Jump[];
  readonly missing: readonly Jump[];
  /**
   * In the wrong chain or place, in another form, or one too many: to be deleted. One whose comment has a line feed is left
   * out: a line of iptables-restore cannot name it.
   */
  readonly stray: readonly Jump[];
}

/** A rule that keeps all packets from the aliases. */
export interface Blocker {
  readonly chain: string;
  readonly rule: string;
}

const targetOf = (rule: string): string => ruleOf(rule).target ?? "";

/** Docker's own chains decide on traffic to containers; before them the operator's rules in DOCKER-USER. */
const isDockers = (rule: string): boolean =>
  // there may be many thousands of others, and to cut them into words takes longest
  rule.includes("DOCKER") && /^DOCKER(?!-USER$)/.test(targetOf(rule));

/** The place of the operator's rules for containers; -1 when that is not before Docker's own. */
function dockerUserAt(rules: readonly string[]): number {
  const at = rules.findIndex((rule) => {
    if (!rule.includes("DOCKER-USER")) return false;
    const { target, goes, always } = ruleOf(rule);
    return target === "DOCKER-USER" && always && !goes;
  });
  return rules.slice(0, Math.max(at, 0)).some(isDockers) ? -1 : at;
}

const REFUSING: ReadonlySet<string> = new Set(["DROP", "REJECT"]);

/** Every jump into OCDD's chains from others. */
export function jumpsIn(chains: Chains): SeenJumps {
  const standing: Jump[] = [];
  const stray: Jump[] = [];
  for (const [name, rules] of chains) {
    if (partOf(name) !== undefined) continue;
    const [table, from] = name.split("/") as [TableName, string];
    rules.forEach((rule, index) => {
      if (!rule.includes("OCDD") || rule.includes("\n")) return;
      const to = targetOf(rule);
      const part: Part | undefined = partOf(`${table}/${to}`);
      if (part === undefined) return;
      const jump = { table, from, to, rule, part };
      const right = JUMPS.some((j) => sameJump(j, jump)) && !standing.some((j) => sameJump(j, jump));
      (right && isInPlace(chains, name, index) ? standing : stray).push(jump);
    });
  }
  return { standing, missing: JUMPS.filter((jump) => !standing.some((j) => sameJump(j, jump))), stray };
}

export function sameJump(a: Jump, b: Jump): boolean {
  return a.table === b.table && a.from === b.from && a.rule === b.rule;
}

/**
 * Whether a jump at this place sees the packets it is for. The operator's rules may come before it in FORWARD and
 * DOCKER-USER, also ones added later: what they drop is dropped.
 */
function isInPlace(chains: Chains, name: string, index: number): boolean {
  const rules = chains.get(name) ?? [];
  const before = rules.slice(0, index);
  switch (name) {
    case "filter/FORWARD":
      return !before.some(isDockers) && dockerUserAt(rules) < index;
    case "filter/INPUT":
      return !before.some((rule) => accepts(chains, targetOf(rule)));
    case "nat/POSTROUTING":
      return true;
    default:
      return !before.some(isDockers);
  }
}

/** Whether a packet can be accepted by this target, or in the chain of that name. */
function accepts(chains: Chains, target: string, seen: ReadonlySet<string> = new Set()): boolean {
  if (target === "ACCEPT") return true;
  const name = `filter/${target}`;
  if (seen.has(name)) return false;
  const deeper = new Set([...seen, name]);
  return (chains.get(name) ?? []).some((rule) => accepts(chains, targetOf(rule), deeper));
}

function refusesAll(rule: string): boolean {
  const { target = "", always } = ruleOf(rule);
  return always && REFUSING.has(target);
}

/** Where a jump is to be inserted, 0 for the top, in a chain whose other rules these are. */
export function placeOf(jump: Jump, rules: readonly string[]): number {
  // before any rule that Docker or another program redirects or accepts by
  if (jump.from !== "FORWARD") return 0;
  const user = dockerUserAt(rules);
  if (user >= 0) return user + 1;
  const end = rules.findIndex((rule) => isDockers(rule) || refusesAll(rule));
  return end < 0 ? rules.length : end;
}

/** Rules of the operator's that refuse everything before OCDD's accept: no alias works behind them. */
export function blockersOf(chains: Chains): Blocker[] {
  const found: Blocker[] = [];
  const seen = new Set<string>();
  /** True when nothing gets past the chain. */
  const walk = (chain: string): boolean => {
    if (seen.has(chain)) return false;
    seen.add(chain);
    for (const rule of chains.get(`filter/${chain}`) ?? []) {
      const { target = "", always } = ruleOf(rule);
      if (!always || target === "") continue;
      if (partOf(`filter/${target}`) === "accept" || target === "ACCEPT") return true;
      if (target === "RETURN") return false;
      if (REFUSING.has(target)) found.push({ chain, rule });
      if (REFUSING.has(target) || walk(target)) return true;
    }
    return false;
  };
  walk("FORWARD");
  return found;
}
