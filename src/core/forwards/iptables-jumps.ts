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

/** A rule that keeps packets from all aliases. */
export interface Blocker {
  readonly chain: string;
  readonly rule: string;
}

const targetOf = (rule: string): string => ruleOf(rule).target ?? "";

/**
 * Docker's chains that refuse traffic to containers, of 20.10 to 29: OCDD's accept comes before them. A swarm's DOCKER-INGRESS
 * is none of them, as it only accepts. A name that only begins like these is the operator's.
 */
const DOCKER_REFUSES: ReadonlySet<string> = new Set([
  "DOCKER",
  "DOCKER-BRIDGE",
  "DOCKER-FORWARD",
  "DOCKER-INTERNAL",
  "DOCKER-ISOLATION-STAGE-1",
  "DOCKER-ISOLATION-STAGE-2",
]);

/** Docker's chains that redirect. */
const DOCKER_REDIRECTS: ReadonlySet<string> = new Set(["DOCKER", "DOCKER-INGRESS"]);

const leadsTo = (rule: string, chains: ReadonlySet<string>): boolean =>
  // there may be many thousands of others, and to cut them into words takes longest
  rule.includes("DOCKER") && chains.has(targetOf(rule));

const isRefusal = (rule: string): boolean => leadsTo(rule, DOCKER_REFUSES);

const DOCKER_USER: ReadonlySet<string> = new Set(["DOCKER-USER"]);

/** The first place behind the operator's rules for containers, 0 without them, in the rules of FORWARD. */
const behindDockerUser = (rules: readonly string[]): number =>
  rules.findIndex((rule) => leadsTo(rule, DOCKER_USER)) + 1;

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

/** Whether a jump at this place sees the packets it is for, and no others. */
function isInPlace(chains: Chains, name: string, index: number): boolean {
  const rules = chains.get(name) ?? [];
  const before = rules.slice(0, index);
  switch (name) {
    case "filter/FORWARD": {
      const start = behindDockerUser(rules);
      if (index < start || before.slice(start).some(isRefusal)) return false;
      const behind = rules.slice(index + 1);
      const docker = behind.findIndex(isRefusal);
      // a refusal of all that the operator has put before the jump stays there
      return docker < 0 ? behind.every(refusesAll) : docker === 0;
    }
    case "filter/INPUT": {
      const seen = new Set<string>();
      return !before.some((rule) => accepts(chains, targetOf(rule), seen));
    }
    case "nat/POSTROUTING":
      return true;
    default:
      return !before.some((rule) => leadsTo(rule, DOCKER_REDIRECTS));
  }
}

/** Whether a packet can be accepted by this target, or in the chain of that name, except in the chains `seen` already. */
function accepts(chains: Chains, target: string, seen: Set<string>): boolean {
  if (target === "ACCEPT") return true;
  if (seen.has(target)) return false;
  seen.add(target);
  return (chains.get(`filter/${target}`) ?? []).some((rule) => accepts(chains, targetOf(rule), seen));
}

function refusesAll(rule: string): boolean {
  const { target = "", always } = ruleOf(rule);
  return always && REFUSING.has(target);
}

/**
 * Where a jump is to be inserted, 0 for the top, in a chain whose other rules these are. In FORWARD behind the operator's
 * rules: directly before Docker's refusal, without one before rules at the end that refuse all, as a policy does.
 */
export function placeOf(jump: Jump, rules: readonly string[]): number {
  // before any rule that Docker or another program redirects or accepts by
  if (jump.from !== "FORWARD") return 0;
  const start = behindDockerUser(rules);
  const docker = rules.findIndex((rule, index) => index >= start && isRefusal(rule));
  if (docker >= 0) return docker;
  return Math.max(start, rules.findLastIndex((rule) => !refusesAll(rule)) + 1);
}

/**
 * Rules before OCDD's accept that keep clients from all aliases: of the operator's that refuse everything, and of Docker's
 * that have come before DOCKER-USER, where OCDD's accept must not.
 */
export function blockersOf(chains: Chains): Blocker[] {
  const forward = chains.get("filter/FORWARD") ?? [];
  const found = forward
    .slice(0, behindDockerUser(forward))
    .filter(isRefusal)
    .map((rule): Blocker => ({ chain: "FORWARD", rule }));
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
