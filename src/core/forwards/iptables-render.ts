/** The data path as iptables rules, in the form that iptables-save prints, so that equal text is equal state. */

import { fromNumber, type Ipv4, toCidrs, toNumber } from "../addresses/ipv4.ts";
import { type DataPath, type Forward, type Frame, type Part, subnetCidrs } from "./forward.ts";
import { chainOf, forwardRules } from "./iptables-forward.ts";

export type TableName = "filter" | "nat";

/** Rules of chains, without the words `-A CHAIN`, by `table/CHAIN`. */
export type Chains = ReadonlyMap<string, readonly string[]>;

/** A rule in a chain that is not OCDD's and leads into one that is. */
export interface Jump {
  readonly table: TableName;
  readonly from: string;
  readonly to: string;
  readonly rule: string;
  readonly part: Part;
}

/** Up to so many rules are one chain: a packet pays some 5 ns for each. Above, they are a tree of chains. */
export const LINEAR_RULES = 256;

/** The chain of first packets that wait. */
export const ASLEEP = "OCDD-ASLEEP";

const LOCAL = "-m addrtype --dst-type LOCAL";

/** The one jump into each of OCDD's chains that has one. */
export const JUMPS: readonly Jump[] = [
  { table: "filter", from: "INPUT", to: "OCDD-INPUT", rule: "-j OCDD-INPUT", part: "refusal" },
  { table: "filter", from: "FORWARD", to: "OCDD-FORWARD", rule: "-j OCDD-FORWARD", part: "accept" },
  { table: "nat", from: "PREROUTING", to: "OCDD", rule: `${LOCAL} -j OCDD`, part: "redirect" },
  { table: "nat", from: "OUTPUT", to: "OCDD", rule: `${LOCAL} -j OCDD`, part: "redirect" },
  {
    table: "nat",
    from: "POSTROUTING",
    to: "OCDD-POSTROUTING",
    rule: "-j OCDD-POSTROUTING",
    part: "hairpin",
  },
];

const CONSTANT: ReadonlyMap<string, Part> = new Map([
  ["filter/OCDD-FORWARD", "accept"],
  ["filter/OCDD-INPUT", "refusal"],
  ["filter/OCDD-REFUSE", "refusal"],
  ["nat/OCDD", "redirect"],
  [`nat/${ASLEEP}`, "redirect"],
  ["nat/OCDD-POSTROUTING", "hairpin"],
  ["nat/OCDD-HAIRPIN", "hairpin"],
]);

/** The part of the data path that a chain (`table/CHAIN`) belongs to; undefined for one that is not OCDD's. */
export function partOf(chain: string): Part | undefined {
  return CONSTANT.get(chain) ?? (/^nat\/OCDD-[0-9a-f]{8}(-24|-28)?$/.test(chain) ? "redirect" : undefined);
}

/** OCDD's own chains for this data path; none where it has no frame. */
export function render({ frame, forwards }: DataPath): Chains {
  return frame === null ? new Map() : new Map([...renderFrame(frame), ...renderForwards(frame, forwards)]);
}

/** CIDRs of the pool, the largest first: most packets of a pool match the first rule. */
function poolCidrs(frame: Frame): string[] {
  const size = (cidr: string): number => Number(cidr.split("/")[1]);
  return toCidrs(frame.pool).sort((a, b) => size(a) - size(b));
}

/** The rules that depend on the frame alone, except the end of the redirection. */
function renderFrame(frame: Frame): [string, readonly string[]][] {
  const cidrs = poolCidrs(frame);
  const asked = (cidr: string): string =>
    `-m conntrack --ctstate DNAT --ctorigdst ${cidr.replace(/\/32$/, "")}`;
  // the host's other traffic leaves at the first rule
  const redirectedOnly = "-m conntrack ! --ctstate DNAT -j RETURN";
  return [
    ["filter/OCDD-FORWARD", [redirectedOnly, ...cidrs.map((cidr) => `${asked(cidr)} -j ACCEPT`)]],
    [
      "filter/OCDD-INPUT",
      [
        // Answers to connections that the host itself opened through an alias, also a reset of OCDD-REFUSE.
        "-m conntrack --ctdir REPLY -j RETURN",
        // the page of a service that waits: only what the alias has led there, not the port itself
        ...(frame.page === undefined
          ? []
          : cidrs.map(
              (cidr) =>
                `-d ${cidr} -p tcp -m tcp --dport ${frame.page} -m conntrack --ctstate DNAT -j ACCEPT`,
            )),
        ...cidrs.map((cidr) => `-d ${cidr} -j OCDD-REFUSE`),
        // sent to an alias and redirected to the host itself: no container takes it
        redirectedOnly,
        ...cidrs.map((cidr) => `${asked(cidr)} -j OCDD-REFUSE`),
      ],
    ],
    [
      "filter/OCDD-REFUSE",
      ["-p tcp -j REJECT --reject-with tcp-reset", "-j REJECT --reject-with icmp-port-unreachable"],
    ],
    [
      "nat/OCDD-POSTROUTING",
      [redirectedOnly, ...subnetCidrs(frame).map((net) => `-s ${net} -d ${net} -j OCDD-HAIRPIN`)],
    ],
    ["nat/OCDD-HAIRPIN", cidrs.map((cidr) => `${asked(cidr)} -j MASQUERADE`)],
  ];
}

function renderForwards(frame: Frame, forwards: readonly Forward[]): [string, readonly string[]][] {
  // Traffic that no forward takes stops here: a port that Docker publishes matches every local address, aliases too.
  const end = poolCidrs(frame).map((cidr) => `-d ${cidr} -j ACCEPT`);
  const rendered = forwards
    .map((forward) => ({ alias: forward.alias, number: toNumber(forward.alias), ...forwardRules(forward) }))
    .sort((a, b) => a.number - b.number);
  const own = [
    ...rendered.flatMap(({ alias, ports }): [string, readonly string[]][] =>
      ports.length === 0 ? [] : [[`nat/${chainOf(alias)}`, ports]],
    ),
    ...(forwards.some(({ waits }) => waits === true) ? [renderAsleep(frame)] : []),
  ];
  const rules = rendered.reduce((sum, { entry }) => sum + entry.length, 0);
  if (rules <= LINEAR_RULES)
    return [["nat/OCDD", [...rendered.flatMap(({ entry }) => entry), ...end]], ...own];
  const { top, chains } = renderTree(rendered);
  return [["nat/OCDD", [...top, ...end]], ...chains, ...own];
}

/**
 * First packets of TCP, UDP, SCTP and pings wait in the queue. What belongs to a connection that ended with its container is
 * not redirected, so that INPUT refuses it: the same for all without a queue.
 */
function renderAsleep({ queue }: Frame): [string, readonly string[]] {
  const held = [
    "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN",
    "-p udp",
    "-p sctp",
    "-p icmp -m icmp --icmp-type 8",
  ];
  const rules = queue === undefined ? [] : held.map((match) => `${match} -j NFQUEUE --queue-num ${queue}`);
  return [`nat/${ASLEEP}`, [...rules, "-j ACCEPT"]];
}

/** Jumps by /24, then by /28: at most 16 aliases share a leaf, and a change writes that leaf alone. */
function renderTree(rendered: readonly { readonly number: number; readonly entry: readonly string[] }[]): {
  readonly top: readonly string[];
  readonly chains: readonly [string, readonly string[]][];
} {
  const top: string[] = [];
  const chains: [string, string[]][] = [];
  const made = { 24: new Map<number, string[]>(), 28: new Map<number, string[]>() };
  /** The chain of the network of this size that holds the address, with a jump to it where it is new. */
  const chainAt = (number: number, prefix: 24 | 28, parent: string[]): string[] => {
    const first = number - (number % 2 ** (32 - prefix));
    const found = made[prefix].get(first);
    if (found !== undefined) return found;
    const [network, rules]: [Ipv4, string[]] = [fromNumber(first), []];
    const name = `${chainOf(network)}-${prefix}`;
    made[prefix].set(first, rules);
    chains.push([`nat/${name}`, rules]);
    parent.push(`-d ${network}/${prefix} -j ${name}`);
    return rules;
  };
  for (const { number, entry } of rendered)
    if (entry.length > 0) chainAt(number, 28, chainAt(number, 24, top)).push(...entry);
  return { top, chains };
}
