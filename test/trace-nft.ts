/**
 * Walks one packet through nftables rules as text, with iptables' chains at their priorities where there are some: what
 * trace.ts does for iptables alone, up to the bridge port it leaves through. Throws at what it does not know.
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

interface Chain {
  hook: string;
  kind: string;
  priority: number;
  readonly rules: string[];
}
interface Table {
  readonly family: string;
  readonly chains: Map<string, Chain>;
  /** Elements as text: keys with the values of maps. */
  readonly sets: Map<string, [key: string, value: string][]>;
}
/** Tables by `family name`. */
export type NftRuleset = ReadonlyMap<string, Table>;

const PRIORITIES: Readonly<Record<string, number>> = { raw: -300, dstnat: -100, filter: 0, srcnat: 100 };

/** Reads input of `nft -f`: tables, and the commands with which OCDD fills them. */
export function readNft(text: string): NftRuleset {
  const tables = new Map<string, Table>();
  let table: Table | undefined;
  let chain: Chain | undefined;
  let set: [string, string][] | undefined;
  const at = (name: string): Table => {
    const found = tables.get(name) ?? {
      family: name.split(" ")[0] ?? "",
      chains: new Map(),
      sets: new Map(),
    };
    tables.set(name, found);
    return found;
  };
  const chainIn = (owner: Table, name: string): Chain => {
    const found = owner.chains.get(name) ?? { hook: "", kind: "", priority: 0, rules: [] };
    owner.chains.set(name, found);
    return found;
  };
  for (const line of text.split("\n").map((l) => l.trim())) {
    const words = line.split(" ");
    const named = `${words[2]} ${words[3]}`;
    let m: RegExpExecArray | null;
    if (line === "" || line.startsWith("#") || line.startsWith("add table ")) continue;
    if (line.startsWith("delete table ")) tables.delete(named);
    else if ((m = /^table (\S+ \S+) \{$/.exec(line))) table = at(m[1] ?? "");
    else if ((m = /^(?:set|map) (\S+) \{$/.exec(line)) && table) table.sets.set(m[1] ?? "", (set = []));
    else if ((m = /^chain (\S+) \{$/.exec(line)) && table) chain = chainIn(table, m[1] ?? "");
    else if (line === "}" && (chain || set)) chain = set = undefined;
    else if (line === "}") table = undefined;
    else if ((m = /^type (\S+) hook (\S+) priority (\S+); policy accept;$/.exec(line)) && chain)
      Object.assign(chain, { kind: m[1], hook: m[2], priority: PRIORITIES[m[3] ?? ""] ?? Number(m[3]) });
    else if (chain) chain.rules.push(line);
    else if ((m = /^elements = \{ (.*) \}$/.exec(line)) && set) set.push(...elements(m[1] ?? ""));
    else if (set && /^(type|flags) /.test(line)) continue;
    else if ((m = /^add element \S+ \S+ (\S+) \{ (.*) \}$/.exec(line)))
      at(named)
        .sets.get(m[1] ?? "")
        ?.push(...elements(m[2] ?? ""));
    else if (line.startsWith("add chain ")) chainIn(at(named), words[4] ?? "");
    else if (line.startsWith("flush chain ")) chainIn(at(named), words[4] ?? "").rules.length = 0;
    else if (line.startsWith("add rule "))
      chainIn(at(named), words[4] ?? "").rules.push(words.slice(5).join(" "));
    else throw new Error(`a line the tracer does not know: ${line}`);
  }
  return tables;
}

const elements = (text: string): [string, string][] =>
  text.split(", ").map((one): [string, string] => {
    const [key = "", value = ""] = one.replace(/ comment ".*"$/, "").split(" : ");
    return [key.replaceAll('"', ""), value];
  });

/** The rules around a packet, and the bridge port that each container is behind. */
export interface NftAround extends Around {
  readonly iptables?: Ruleset;
  readonly bridgePorts?: ReadonlyMap<string, string>;
}

interface Flow extends State {
  mark: number;
  /** The translation of this direction is set up: later nat chains are not met. */
  decided: boolean;
  port2: string;
}

/** What becomes of a packet that begins a connection. */
export function traceNft(packet: Packet, rules: NftRuleset, around: NftAround): Verdict {
  const flow: Flow = { ...startOf(packet), mark: 0, decided: false, port2: "" };
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
  flow.port2 = port;
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
  }
  return undefined;
}

/** `return` when no rule decides. */
function run(rules: readonly string[], table: Table, flow: Flow, around: Around): string {
  for (const rule of rules) {
    const verdict = rule_(rule, table, flow, around);
    if (verdict === "return" && / return$|^return$/.test(rule)) return "return";
    if (verdict !== "return") return verdict;
  }
  return "return";
}

/** One rule, word by word: `return` where it does not match, or decides nothing. */
function rule_(rule: string, table: Table, flow: Flow, around: Around): string {
  let rest = rule.replace(/ comment ".*"$/, "");
  const take = (pattern: RegExp): string[] | undefined => {
    const found = new RegExp(`^(?:${pattern.source})(?: |$)`).exec(rest);
    if (found === null) return undefined;
    rest = rest.slice(found[0].length);
    return found.slice(1).map((group) => group ?? "");
  };
  const jump = (verdict: string): string => {
    const [, name = ""] = /^(?:jump|goto) (\S+)$/.exec(verdict) ?? [];
    const chain = table.chains.get(name);
    if (chain === undefined) throw new Error(`a verdict the tracer does not know: ${verdict}`);
    return run(chain.rules, table, flow, around);
  };
  const lookup = (set: string, key: string): string | undefined => {
    const found = table.sets.get(set);
    if (found === undefined) throw new Error(`no set ${set}`);
    return found.find(([own]) => own === key || inRange(own, key))?.[1];
  };
  const field = (name: string): string => {
    const { packet } = flow;
    if (name === "ip saddr") return packet.from;
    if (name === "ip daddr") return flow.to;
    if (name === "ct original ip daddr") return flow.original ?? packet.to;
    if (name === "iifname") return packet.hook === "PREROUTING" ? (packet.in ?? "") : "";
    if (name === "oifname") return flow.out;
    if (name === "ct direction") return packet.answer === undefined ? "original" : "reply";
    throw new Error(`a field the tracer does not know: ${name}`);
  };
  const FIELD = "ip saddr|ip daddr|ct original ip daddr|iifname|oifname|ct direction";
  while (rest !== "") {
    let m: string[] | undefined;
    if (take(/counter/)) continue;
    if (take(/meta mark set ct original ip daddr map @marks/))
      flow.mark = Number(lookup("marks", field("ct original ip daddr")) ?? flow.mark);
    else if ((m = take(/meta mark & (0x\w+) == (0x\w+)/))) {
      if ((flow.mark & Number(m[0])) >>> 0 !== Number(m[1])) return "return";
    } else if (take(/meta mark 0/)) {
      if (flow.mark !== 0) return "return";
    } else if ((m = take(/meta mark \. meta oifname @(\S+)/))) {
      const key = `0x${flow.mark.toString(16).padStart(8, "0")} . ${flow.port2}`;
      if (lookup(m[0] ?? "", key) === undefined) return "return";
    } else if ((m = take(/meta mark @(\S+)/))) {
      if (lookup(m[0] ?? "", String(flow.mark)) === undefined) return "return";
    } else if (take(/ct status dnat/)) {
      if (flow.original === undefined && flow.packet.answer !== "redirected") return "return";
    } else if ((m = take(/ct state (\S+)/))) {
      const state =
        flow.packet.answer === undefined
          ? "new"
          : flow.packet.answer === "related"
            ? "related"
            : "established";
      if (!(m[0] ?? "").split(",").includes(state)) return "return";
    } else if (take(/fib daddr type local/)) {
      if (!around.local.includes(flow.to)) return "return";
    } else if (take(/meta l4proto tcp/)) {
      if (flow.packet.protocol !== "tcp") return "return";
    } else if ((m = take(/(tcp|udp|sctp) dport (\d+|\{ [\d, ]+ \})/))) {
      const ports = (m[1] ?? "").match(/\d+/g)?.map(Number) ?? [];
      if (flow.packet.protocol !== m[0] || !ports.includes(flow.port ?? -1)) return "return";
    } else if ((m = take(new RegExp(`(${FIELD}) vmap @(\\S+)`)))) {
      const verdict = lookup(m[1] ?? "", field(m[0] ?? ""));
      return verdict === undefined ? "return" : jump(verdict);
    } else if ((m = take(/dnat to ip daddr map @(\S+)/))) {
      const target = lookup(m[0] ?? "", flow.to);
      return target === undefined ? "return" : translate(flow, target, undefined);
    } else if ((m = take(/dnat to ([\d.]+)(?::(\d+))?/)))
      return translate(flow, m[0] ?? "", m[1] === "" ? undefined : Number(m[1]));
    else if (take(/masquerade/)) {
      flow.masqueraded = true;
      return "translated";
    } else if ((m = take(/(accept|drop|return)/))) return m[0] ?? "";
    else if (take(/reject(?: with (?:tcp reset|icmp type port-unreachable))?/)) return "reject";
    else if ((m = take(/((?:jump|goto) \S+)/))) {
      const verdict = jump(m[0] ?? "");
      if (verdict !== "return") return verdict;
    } else if ((m = take(new RegExp(`(${FIELD}) (!= )?(@\\S+|\\{ [^}]+ \\}|\\S+)`)))) {
      const [name = "", not = "", value = ""] = m;
      const key = field(name);
      const yes = value.startsWith("@")
        ? lookup(value.slice(1), key) !== undefined
        : value.split(/[{}, ]+/).some((one) => one.replaceAll('"', "") === key || within(one, key));
      if (yes === (not !== "")) return "return";
    } else throw new Error(`words the tracer does not know: ${rest} of: ${rule}`);
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
