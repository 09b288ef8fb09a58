/**
 * Walks one packet through an iptables ruleset as text, the way the kernel would: raw and nat on arrival (or nat on the
 * way out), the route, filter, nat on leaving. Knows the matches and targets that Docker and OCDD use, and throws at any other,
 * so that a rule it does not understand is never taken for one that does not match.
 */
import { contains, type Ipv4, parseCidr, parseIpv4 } from "../src/core/addresses/ipv4.ts";

export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly protocol: "tcp" | "udp" | "sctp" | "icmp";
  /** Destination port; absent for icmp. */
  readonly port?: number;
  /** Where it comes from: a network device, or the host's own programs. */
  readonly hook: "PREROUTING" | "OUTPUT";
  /** Device it arrives on. */
  readonly in?: string;
  /**
   * An answer within a connection, whose translation is already set up. `redirected`: one that DNAT moved, state ESTABLISHED and
   * DNAT; `related`: a reset or an ICMP error for what was asked and not redirected.
   */
  readonly answer?: "redirected" | "related";
}

/** The host around the rules: its own addresses, and which device leads to which network. */
export interface Around {
  readonly local: readonly string[];
  /** CIDR → device; the first that holds the address is the way. */
  readonly routes: readonly (readonly [cidr: string, device: string])[];
}

/** Where a forwarded packet arrives. */
export interface Arrival {
  readonly address: string;
  /** The packet's own when no rule changes it. */
  readonly port: number | undefined;
  /** True when the receiver sees the host in place of the sender. */
  readonly masqueraded: boolean;
}

/**
 * `untouched`: it reaches the host's own programs, or leaves, with its destination as it was. `waits`: it is held in a queue,
 * whose reader decides.
 */
export type Verdict = Arrival | "rejected" | "dropped" | "untouched" | "waits";

interface Rule {
  readonly matches: readonly { readonly word: string; readonly not: boolean; readonly value: string }[];
  readonly target: string;
  readonly options: ReadonlyMap<string, string>;
}

/** `table/chain` → rules and policy. */
export type Ruleset = ReadonlyMap<string, { readonly policy: string; readonly rules: readonly Rule[] }>;

/** Reads what iptables-save prints, or OCDD's chains in iptables-restore's form. */
export function readRuleset(text: string): Ruleset {
  const chains = new Map<string, { policy: string; rules: Rule[] }>();
  let table = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("*")) table = line.slice(1);
    const declared = /^:(\S+) (\S+)/.exec(line);
    if (declared !== null) chains.set(`${table}/${declared[1]}`, { policy: declared[2] ?? "-", rules: [] });
    const added = /^-A (\S+) (.*)$/.exec(line);
    if (added === null) continue;
    const chain = chains.get(`${table}/${added[1]}`);
    if (chain === undefined) throw new Error(`no chain for: ${line}`);
    chain.rules.push(readRule(added[2] ?? ""));
  }
  return chains;
}

const MATCHES = new Set([
  "-s",
  "-d",
  "-i",
  "-o",
  "-p",
  "--dport",
  "--dports",
  "--dst-type",
  "--ctstate",
  "--state",
  "--ctorigdst",
  "--ctdir",
  "--tcp-flags",
  "--icmp-type",
]);
/** Matches of two words. */
const TWO = new Set(["--tcp-flags"]);
/** Modules and comments change nothing by themselves. */
const SILENT = new Set(["-m", "--comment"]);

function readRule(text: string): Rule {
  const words = [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((m) => m[1] ?? m[2] ?? "");
  const matches: { word: string; not: boolean; value: string }[] = [];
  const options = new Map<string, string>();
  let target = "";
  let not = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "!") {
      not = true;
      continue;
    }
    const value = words[++i] ?? "";
    if (TWO.has(word)) i += 1;
    if (word === "-j" || word === "-g") target = value;
    else if (target !== "") options.set(word, value);
    else if (MATCHES.has(word)) matches.push({ word, not, value });
    else if (!SILENT.has(word)) throw new Error(`a match the tracer does not know: ${word} in ${text}`);
    not = false;
  }
  return { matches, target, options };
}

const STAGE = { redirected: "ESTABLISHED", related: "RELATED" } as const;

/** A packet on its way. */
export interface State {
  readonly packet: Packet;
  to: Ipv4;
  port: number | undefined;
  /** Set by DNAT: the state is DNAT, and this was the destination. */
  original: Ipv4 | undefined;
  out: string;
  masqueraded: boolean;
}

/** A packet as it was sent. */
export function startOf(packet: Packet): State {
  const to = ip(packet.to);
  return { packet, to, port: packet.port, original: undefined, out: "", masqueraded: false };
}

/** The result for a packet that begins a connection. */
export function trace(packet: Packet, rules: Ruleset, around: Around): Verdict {
  const state = startOf(packet);
  const isLocal = (): boolean => around.local.includes(state.to) || state.to.startsWith("127.");
  const walk = (chain: string): string => run(chain, state, rules, around);
  if (walk(`raw/${packet.hook}`) === "DROP") return "dropped";
  if (packet.answer === undefined && walk(`nat/${packet.hook}`) === "NFQUEUE") return "waits";
  const moved = state.original !== undefined;
  if (isLocal()) {
    const verdict = packet.hook === "OUTPUT" ? walk("filter/OUTPUT") : "ACCEPT";
    const end = verdict === "ACCEPT" ? walk("filter/INPUT") : verdict;
    return refusal(end) ?? (moved ? arrival(state) : "untouched");
  }
  state.out = around.routes.find(([cidr]) => inCidr(cidr, state.to))?.[1] ?? "";
  const verdict = walk(packet.hook === "OUTPUT" ? "filter/OUTPUT" : "filter/FORWARD");
  const refused = refusal(verdict);
  if (refused !== undefined) return refused;
  if (packet.answer === undefined) walk("nat/POSTROUTING");
  return moved ? arrival(state) : "untouched";
}

const arrival = (s: State): Arrival => ({ address: s.to, port: s.port, masqueraded: s.masqueraded });
const refusal = (verdict: string): "rejected" | "dropped" | undefined =>
  verdict === "REJECT" ? "rejected" : verdict === "DROP" ? "dropped" : undefined;

/** The verdict of a chain (`table/CHAIN`) for another tracer. */
export const walkIptables = (chain: string, state: State, rules: Ruleset, around: Around): string =>
  run(chain, state, rules, around);

/** The verdict of a chain: of its rules, or its policy; "RETURN" for a chain of a user's own that lets through. */
function run(name: string, state: State, rules: Ruleset, around: Around): string {
  const chain = rules.get(name);
  if (chain === undefined) return "ACCEPT";
  const table = name.slice(0, name.indexOf("/"));
  for (const rule of chain.rules) {
    if (!rule.matches.every((m) => matches(m, state, around))) continue;
    switch (rule.target) {
      case "ACCEPT":
      case "DROP":
      case "REJECT":
      case "NFQUEUE":
        return rule.target;
      case "RETURN":
        return chain.policy === "-" ? "RETURN" : chain.policy;
      case "MASQUERADE":
        state.masqueraded = true;
        return "ACCEPT";
      case "DNAT": {
        const [address = "", port] = (rule.options.get("--to-destination") ?? "").split(":");
        state.original = state.to;
        state.to = ip(address);
        if (port !== undefined) state.port = Number(port);
        return "ACCEPT";
      }
      default: {
        const inner = `${table}/${rule.target}`;
        if (!rules.has(inner)) throw new Error(`a target the tracer does not know: ${rule.target}`);
        const verdict = run(inner, state, rules, around);
        if (verdict !== "RETURN") return verdict;
      }
    }
  }
  return chain.policy === "-" ? "RETURN" : chain.policy;
}

function matches(match: Rule["matches"][number], state: State, around: Around): boolean {
  const { word, not, value } = match;
  const { packet } = state;
  const yes = ((): boolean => {
    switch (word) {
      case "-s":
        return inCidr(value, ip(packet.from));
      case "-d":
        return inCidr(value, state.to);
      case "-i":
        return packet.hook === "PREROUTING" && packet.in === value;
      case "-o":
        return state.out === value;
      case "-p":
        return packet.protocol === value;
      case "--dport":
        return state.port === Number(value);
      // a packet that begins a connection: SYN, echo request
      case "--tcp-flags":
      case "--icmp-type":
        return packet.answer === undefined;
      case "--dst-type":
        return value === "LOCAL" && (around.local.includes(state.to) || state.to.startsWith("127."));
      case "--ctdir":
        return value === (packet.answer === undefined ? "ORIGINAL" : "REPLY");
      case "--dports":
        return value.split(",").some((port) => Number(port) === state.port);
      case "--ctstate":
      case "--state": {
        const moved = packet.answer === "redirected" || state.original !== undefined;
        const stage = packet.answer === undefined ? "NEW" : STAGE[packet.answer];
        const states = [stage, ...(moved ? ["DNAT"] : [])];
        return value.split(",").some((wanted) => states.includes(wanted));
      }
      case "--ctorigdst":
        return inCidr(value, state.original ?? ip(packet.to));
      default:
        return false;
    }
  })();
  return yes !== not;
}

function inCidr(cidr: string, address: Ipv4): boolean {
  const range = parseCidr(cidr);
  return range !== undefined && contains(range, address);
}

function ip(text: string): Ipv4 {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(`${text} is no address`);
  return address;
}
