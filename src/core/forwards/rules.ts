/** Forwards → our chains, spelled as iptables-save spells them, so that equal text is equal state. */
import { compareIpv4, type Range, toCidrs } from "../addresses/ipv4.ts";
import type { Firewall, Jump, TableName } from "../model.ts";
import type { Forward } from "./forward.ts";

/** Chains we own whole. */
export const OWN_CHAINS: readonly string[] = [
  "filter/OCDD-FORWARD",
  "filter/OCDD-INPUT",
  "nat/OCDD",
  "nat/OCDD-POSTROUTING",
] as const;

/** Order of the tables on apply: the accept must stand before the first packet is redirected. */
export const TABLES: readonly TableName[] = ["filter", "nat"];

const cidrMatch = (cidr: string): string => cidr.replace(/\/32$/, "");

/** The firewall for these forwards. `subnets` are Docker's, for the way back to a container's own bridge. */
export function renderFirewall(
  forwards: readonly Forward[],
  pool: readonly Range[],
  subnets: readonly Range[],
  dockerUser: boolean,
): Firewall {
  const cidrs = toCidrs(pool);
  const sorted = [...forwards].sort((a, b) => compareIpv4(a.alias, b.alias));
  return {
    chains: new Map([
      [
        "filter/OCDD-FORWARD",
        cidrs.map((cidr) => `-m conntrack --ctstate DNAT --ctorigdst ${cidrMatch(cidr)} -j ACCEPT`),
      ],
      ["filter/OCDD-INPUT", cidrs.flatMap(rejects)],
      // What no forward takes stops here: a port that Docker publishes matches every local address, aliases too.
      ["nat/OCDD", [...sorted.flatMap(forwardRules), ...cidrs.map((cidr) => `-d ${cidr} -j ACCEPT`)]],
      [
        "nat/OCDD-POSTROUTING",
        toCidrs(subnets).flatMap((net) =>
          cidrs.map(
            (cidr) =>
              `-s ${net} -d ${net} -m conntrack --ctstate DNAT --ctorigdst ${cidrMatch(cidr)} -j MASQUERADE`,
          ),
        ),
      ],
    ]),
    jumps: jumpsWanted(dockerUser),
    stray: [],
  };
}

/** No chain, no jump: what teardown wants. */
export const NO_FIREWALL: Firewall = { chains: new Map(), jumps: [], stray: [] };

/**
 * Whatever reaches the host itself with an address of the pool is refused, sshd on 0.0.0.0 included. Answers to the
 * host's own connections through an alias come back to that alias and carry the DNAT mark.
 */
function rejects(cidr: string): string[] {
  const match = (protocol: string): string => `-d ${cidr}${protocol} -m conntrack ! --ctstate DNAT -j REJECT`;
  return [`${match(" -p tcp")} --reject-with tcp-reset`, `${match("")} --reject-with icmp-port-unreachable`];
}

/** The rules of one alias. Nothing but sanitised names, addresses and numbers gets into them. */
function forwardRules(forward: Forward): string[] {
  const comment = `-m comment --comment OCDD-${forward.name}`;
  const sources = forward.allow === null ? [""] : forward.allow.map((cidr) => `-s ${cidr} `);
  const rule = (protocol: string, port: number, to: string): string[] =>
    sources.map((source) => {
      const match = protocol === "" ? "" : `-p ${protocol} -m ${protocol} --dport ${port} `;
      return `${source}-d ${forward.alias}/32 ${match}${comment} -j DNAT --to-destination ${to}`;
    });
  const offered = (protocol: string, port: number): boolean =>
    forward.ports === null || forward.ports.some((p) => p.protocol === protocol && p.port === port);
  const mapped = forward.map.filter((m) => offered(m.protocol, m.port));
  return [
    ...mapped.flatMap((m) => rule(m.protocol, m.port, `${forward.target}:${m.to}`)),
    ...(forward.ports === null
      ? rule("", 0, forward.target)
      : forward.ports
          .filter((p) => !mapped.some((m) => m.protocol === p.protocol && m.port === p.port))
          .flatMap((p) => rule(p.protocol, p.port, forward.target))),
  ];
}

/** One jump into each of our chains. The accept stands in DOCKER-USER where Docker has it, else in FORWARD. */
export function jumpsWanted(dockerUser: boolean): Jump[] {
  const local = "-m addrtype --dst-type LOCAL ";
  return [
    { table: "filter", from: "INPUT", to: "OCDD-INPUT", rule: "-j OCDD-INPUT" },
    {
      table: "filter",
      from: dockerUser ? "DOCKER-USER" : "FORWARD",
      to: "OCDD-FORWARD",
      rule: "-j OCDD-FORWARD",
    },
    { table: "nat", from: "PREROUTING", to: "OCDD", rule: `${local}-j OCDD` },
    { table: "nat", from: "OUTPUT", to: "OCDD", rule: `${local}-j OCDD` },
    { table: "nat", from: "POSTROUTING", to: "OCDD-POSTROUTING", rule: "-j OCDD-POSTROUTING" },
  ];
}
