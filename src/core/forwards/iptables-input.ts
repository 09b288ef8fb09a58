/** Whether the host's own INPUT rules refuse clients of OCDD's servers. */
import { contains, type Ipv4, parseCidr } from "../addresses/ipv4.ts";
import { type Condition, linesOf, ruleOf } from "./iptables-saved.ts";

/** A new connection, or datagram, to one of the host's own ports. */
export interface Arrival {
  readonly device: string;
  readonly address: Ipv4;
  readonly protocol: "tcp" | "udp";
  readonly port: number;
}

/** Whether a condition holds for the packet; "maybe" for those that are not known here, such as the client's address. */
type Answer = "yes" | "no" | "maybe";

/** Targets after which the packet goes on to the next rule. */
const PASSING = /^$|^(LOG|NFLOG|ULOG|MARK|CONNMARK|SET|TRACE|AUDIT|NOTRACK|CT|DSCP|TOS|CHECKSUM)$/;

/** "in": may be accepted; "on": may reach the next rule of the caller; else the rule that refuses. */
type End = "in" | "on" | { readonly by: string };

/**
 * The rule or policy that refuses every such packet, as `iptables-save -t filter` prints it. Null where some clients may be
 * let in: a rule whose conditions are not known here may accept, and never counts as refusal.
 */
export function refusedBy(saved: string, arrival: Arrival): string | null {
  const chains = chainsOf(saved);
  /** By chain, and whether each packet reaches it: several may jump to one. */
  const known = new Map<string, End>();
  const walk = (chain: string, sure: boolean): End => {
    const key = `${chain} ${sure}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    // what a loop comes back to, which the kernel refuses
    known.set(key, "in");
    const end = through(chain, sure);
    known.set(key, end);
    return end;
  };
  const through = (chain: string, sure: boolean): End => {
    let certain = sure;
    for (const { line, rule } of chains.get(chain)?.rules ?? []) {
      const { conditions, target, goes } = ruleOf(rule);
      const holds = holdsFor(conditions, arrival);
      if (holds === "no") continue;
      if (target === undefined) return "in";
      if (PASSING.test(target)) continue;
      const surely = certain && holds === "yes";
      if (target === "RETURN" && holds === "yes") return "on";
      if (target === "RETURN") certain = false;
      else if (target === "DROP" || target === "REJECT") {
        if (surely) return { by: line };
        // what a refusal that may apply leaves over is judged by the rules that follow
      } else if (!chains.has(target)) return "in";
      else {
        const end = walk(target, surely);
        if (end !== "on") return end;
        if (goes && holds === "yes") return "on";
        if (goes) certain = false;
      }
    }
    return "on";
  };
  const end = walk("INPUT", true);
  if (end !== "on") return end === "in" ? null : end.by;
  return chains.get("INPUT")?.policy === "DROP" ? "-P INPUT DROP" : null;
}

interface Chain {
  readonly policy: string;
  readonly rules: { readonly line: string; readonly rule: string }[];
}

/** The chains that are declared, each with its rules as printed, and without `-A CHAIN`. */
function chainsOf(saved: string): Map<string, Chain> {
  const chains = new Map<string, Chain>();
  for (const line of linesOf(saved)) {
    const [, kind, name = "", rest = ""] = /^(:|-A )([^ ]+) (.*)$/s.exec(line) ?? [];
    if (kind === ":") chains.set(name, { policy: rest.split(" ")[0] ?? "", rules: [] });
    else chains.get(name)?.rules.push({ line, rule: rest });
  }
  return chains;
}

const NOT: Readonly<Record<Answer, Answer>> = { yes: "no", no: "yes", maybe: "maybe" };
const answer = (holds: boolean): Answer => (holds ? "yes" : "no");

function holdsFor(conditions: readonly Condition[], arrival: Arrival): Answer {
  const answers = conditions.map(({ option, value, negated }) => {
    const found = condition(option, value, arrival);
    return negated ? NOT[found] : found;
  });
  if (answers.includes("no")) return "no";
  return answers.includes("maybe") ? "maybe" : "yes";
}

function condition(option: string, value: string, { device, address, protocol, port }: Arrival): Answer {
  switch (option) {
    case "-m":
    case "--comment":
      return "yes";
    case "-i":
      return answer(value.endsWith("+") ? device.startsWith(value.slice(0, -1)) : value === device);
    case "-p":
      return answer(value === protocol);
    case "-d": {
      const range = parseCidr(value);
      return range === undefined ? "maybe" : answer(contains(range, address));
    }
    case "-s":
      return value.startsWith("127.") ? "no" : "maybe";
    case "--dport":
    case "--dports":
      return answer(
        value.split(",").some((part) => {
          const [first, last = first] = part.split(":").map(Number);
          return first !== undefined && last !== undefined && first <= port && port <= last;
        }),
      );
    case "--ctstate":
    case "--state":
      return answer(value.split(",").includes("NEW"));
    case "--dst-type":
      return answer(value.split(",").includes("LOCAL"));
    default:
      return "maybe";
  }
}
