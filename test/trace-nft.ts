/**
 * Walks one packet through nftables rules as text, with iptables' chains at their priorities where there are some: as
 * trace.ts does for iptables alone, up to the bridge port it leaves through. Throws at unknown words.
 */
import {
  contains,
  type Ipv4,
  parseCidr,
  parseIpv4,
  type Range,
  toNumber,
} from "../src/core/addresses/ipv4.ts";
import {
  type Around,
  type Packet,
  type Ruleset,
  type State,
  startOf,
  type Verdict,
  walkIptables,
} from "./trace.ts";
import type { NftRuleset, Table } from "./trace-nft-read.ts";

/** The rules around a packet, and the bridge port that each container is behind. */
export interface NftAround extends Around {
  readonly iptables?: Ruleset;
  readonly bridgePorts?: ReadonlyMap<string, string>;
}

interface Flow extends State {
  mark: number;
  /** The translation of this direction is set up: later nat chains are not met. */
  decided: boolean;
  bridgePort: string;
}

/** The result for a packet that begins a connection. */
export function traceNft(packet: Packet, rules: NftRuleset, around: NftAround): Verdict {
  const flow: Flow = { ...startOf(packet), mark: 0, decided: false, bridgePort: "" };
  const isLocal = (): boolean => around.local.includes(flow.to) || flow.to.startsWith("127.");
  const hook = (name: string): Verdict | undefined => meet(name, flow, rules, around);
  const first = hook(packet.hook.toLowerCase());
  if (first !== undefined) return first;
  const moved = (): Verdict =>
    flow.original === undefined
      ? "untouched"
      : { address: flow.to, port: flow.port, masqueraded: flow.masqueraded };
  if (isLocal()) return hook("input") ?? moved();
  flow.out = around.routes.find(([cidr]) => within(cidr, flow.to))?.[1] ?? "";
  flow.decided = false;
  const refused = (packet.hook === "OUTPUT" ? undefined : hook("forward")) ?? hook("postrouting");
  if (refused !== undefined) return refused;
  const port = around.bridgePorts?.get(flow.to);
  if (port === undefined) return moved();
  flow.bridgePort = port;
  return meet("postrouting", flow, rules, around, "bridge") ?? moved();
}

const IPTABLES = [
  ["raw", "prerouting", -300],
  ["nat", "prerouting", -100],
  ["nat", "output", -100],
  ["filter", "output", 0],
  ["filter", "input", 0],
  ["filter", "forward", 0],
  ["nat", "postrouting", 100],
] as const;

/** All chains of a hook in their order; undefined when the packet goes on. */
function meet(
  hook: string,
  flow: Flow,
  rules: NftRuleset,
  around: NftAround,
  family = "ip",
): Verdict | undefined {
  const nat = (kind: string, walk: () => string): string => {
    if (kind !== "nat") return walk();
    if (flow.decided || flow.packet.answer !== undefined) return "accept";
    const before = [flow.original, flow.masqueraded].join();
    const verdict = walk();
    flow.decided ||= verdict === "translated" || before !== [flow.original, flow.masqueraded].join();
    return verdict;
  };
  const hooks = [...rules.values()]
    .filter((table) => table.family === family)
    .flatMap((table) =>
      [...table.chains.values()]
        .filter((chain) => chain.hook === hook)
        .map((chain) => ({
          priority: chain.priority,
          walk: () => nat(chain.kind, () => run(chain.rules, table, flow, around)),
        })),
    );
  const { iptables } = around;
  if (iptables !== undefined && family === "ip")
    for (const [table, name, priority] of IPTABLES)
      if (name === hook)
        hooks.push({
          priority,
          walk: () =>
            nat(table, () => walkIptables(`${table}/${hook.toUpperCase()}`, flow, iptables, around)),
        });
  for (const { walk } of hooks.sort((a, b) => a.priority - b.priority)) {
    const verdict = walk().toLowerCase();
    if (verdict === "reject") return "rejected";
    if (verdict === "drop") return "dropped";
    if (verdict === "nfqueue") return "waits";
  }
  return undefined;
}

/** `return` when no rule decides. */
function run(rules: readonly string[], table: Table, flow: Flow, around: Around): string {
  for (const rule of rules) {
    const verdict = decide(rule, table, flow, around);
    if (verdict === "return" && / return$|^return$/.test(rule)) return "return";
    if (verdict !== "return") return verdict;
  }
  return "return";
}

/** True: it matches, on to the next words; false: the rule does not match; text: the verdict. */
type Word = boolean | string;

const FIELD = "(ip saddr|ip daddr|ct original ip daddr|iifname|oifname|ct direction)";

function fieldOf({ packet, ...flow }: Flow, name: string): string {
  if (name === "ip saddr") return packet.from;
  if (name === "ip daddr") return flow.to;
  if (name === "ct original ip daddr") return flow.original ?? packet.to;
  if (name === "iifname") return packet.hook === "PREROUTING" ? (packet.in ?? "") : "";
  if (name === "oifname") return flow.out;
  return packet.answer === undefined ? "original" : "reply";
}

function lookup(table: Table, set: string, key: string): string | undefined {
  const found = table.sets.get(set);
  if (found === undefined) throw new Error(`no set ${set}`);
  return found.find(([own]) => own === key || inRange(own, key))?.[1];
}

/** What the words of a rule do, by their pattern; the first that fits counts. */
function wordsOf(
  table: Table,
  flow: Flow,
  around: Around,
): readonly [string, (found: readonly string[]) => Word][] {
  const { packet } = flow;
  const jump = (verdict: string): string => {
    const [, name = ""] = /^(?:jump|goto) (\S+)$/.exec(verdict) ?? [];
    const chain = table.chains.get(name);
    if (chain === undefined) throw new Error(`a verdict the tracer does not know: ${verdict}`);
    return run(chain.rules, table, flow, around);
  };
  const state = packet.answer === undefined ? "new" : packet.answer === "related" ? "related" : "established";
  const marked = `0x${flow.mark.toString(16).padStart(8, "0")} . ${flow.bridgePort}`;
  return [
    ["counter", () => true],
    [
      "meta mark set ct original ip daddr map @(\\S+)",
      ([map = ""]) => {
        flow.mark = Number(lookup(table, map, fieldOf(flow, "ct original ip daddr")) ?? flow.mark);
        return true;
      },
    ],
    [
      "meta mark & (0x\\w+) == (0x\\w+)",
      ([mask, value]) => (flow.mark & Number(mask)) >>> 0 === Number(value),
    ],
    ["meta mark 0", () => flow.mark === 0],
    ["meta mark \\. meta oifname @(\\S+)", ([set = ""]) => lookup(table, set, marked) !== undefined],
    ["meta mark @(\\S+)", ([set = ""]) => lookup(table, set, String(flow.mark)) !== undefined],
    ["ct status dnat", () => flow.original !== undefined || packet.answer === "redirected"],
    ["ct original proto-dst (\\d+)", ([port]) => packet.port === Number(port)],
    ["tcp dport != (\\d+)", ([port]) => packet.protocol === "tcp" && flow.port !== Number(port)],
    ["ct state (\\S+)", ([states = ""]) => states.split(",").includes(state)],
    ["fib daddr type local", () => around.local.includes(flow.to)],
    ["meta l4proto tcp", () => packet.protocol === "tcp"],
    [
      "(tcp|udp|sctp) dport (\\d+|\\{ [\\d, ]+ \\})",
      ([protocol, ports = ""]) =>
        packet.protocol === protocol && (ports.match(/\d+/g) ?? []).map(Number).includes(flow.port ?? -1),
    ],
    [
      `${FIELD} vmap @(\\S+)`,
      ([field = "", map = ""]) => {
        const verdict = lookup(table, map, fieldOf(flow, field));
        return verdict === undefined ? false : jump(verdict);
      },
    ],
    [
      "dnat to ip daddr map @(\\S+)",
      ([map = ""]) => {
        const target = lookup(table, map, flow.to);
        return target === undefined ? false : translate(flow, target, undefined);
      },
    ],
    [
      "dnat to ([\\d.]+)(?::(\\d+))?",
      ([to = "", port]) => translate(flow, to, port === undefined ? undefined : Number(port)),
    ],
    [
      "masquerade",
      () => {
        flow.masqueraded = true;
        return "translated";
      },
    ],
    ["(accept|drop|return)", ([verdict = ""]) => verdict],
    ["reject(?: with (?:tcp reset|icmp type port-unreachable))?", () => "reject"],
    ["((?:jump|goto) \\S+)", ([to = ""]) => jump(to)],
    [
      `${FIELD} (!= )?(@\\S+|\\{ [^}]+ \\}|\\S+)`,
      ([field = "", not, value = ""]) => {
        const key = fieldOf(flow, field);
        const yes = value.startsWith("@")
          ? lookup(table, value.slice(1), key) !== undefined
          : value.split(/[{}, ]+/).some((one) => one.replaceAll('"', "") === key || within(one, key));
        return yes === (not === undefined);
      },
    ],
  ];
}

/** One rule, word by word: `return` where it does not match, or decides nothing. */
function decide(rule: string, table: Table, flow: Flow, around: Around): string {
  let rest = rule.replace(/ comment ".*"$/, "");
  while (rest !== "") {
    const words = wordsOf(table, flow, around);
    const known = words.find(([pattern]) => new RegExp(`^(?:${pattern})(?: |$)`).test(rest));
    if (known === undefined) throw new Error(`words the tracer does not know: ${rest} of: ${rule}`);
    const found = new RegExp(`^(?:${known[0]})(?: |$)`).exec(rest) ?? [""];
    rest = rest.slice(found[0].length);
    const word = known[1](found.slice(1));
    if (word === false) return "return";
    if (word !== true) return word;
  }
  return "return";
}

/** A translation to what it was anyway is set up, and leaves the flow without the status. */
function translate(flow: Flow, to: string, port: number | undefined): string {
  if (to !== flow.to || (port ?? flow.port) !== flow.port) flow.original = flow.to;
  flow.to = to as Ipv4;
  flow.port = port ?? flow.port;
  return "translated";
}

function within(cidr: string, address: string): boolean {
  const [range, own] = [parseCidr(cidr), parseIpv4(address)];
  return range !== undefined && own !== undefined && contains(range as Range, own);
}

/** A key in an interval of addresses or of marks. */
function inRange(interval: string, key: string): boolean {
  const number = (text: string): number => (text.includes(".") ? toNumber(text as Ipv4) : Number(text));
  const [first = "", last = first] = interval.split("-");
  return /^[\d.]+$|^\d+$/.test(key) && number(first) <= number(key) && number(key) <= number(last);
}
