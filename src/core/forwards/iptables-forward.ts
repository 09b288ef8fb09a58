/** One forward as iptables rules. */
import { type Ipv4, toNumber } from "../addresses/ipv4.ts";

import { canonical, type Forward, samePort } from "./forward.ts";

/**
 * Most rules that one forward may have; one that asks for more is not served. Each rule is read in each run, and each
 * container may ask for them.
 */
export const RULES_PER_FORWARD = 128;

/** A forward with more rules than this has a chain of its own for its ports. */
const INLINE_RULES = 8;

/** Ports that one rule of the multiport match holds (XT_MULTI_PORTS). */
const PORTS_PER_RULE = 15;

/** Name of the chain of an address. */
export function chainOf(address: Ipv4): string {
  return `OCDD-${toNumber(address).toString(16).padStart(8, "0")}`;
}

/** How many rules this forward has in all chains. More than RULES_PER_FORWARD is not to be rendered. */
export function ruleCount(forward: Forward): number {
  const { entry, ports } = forwardRules(forward);
  return entry.length + ports.length;
}

/** The rules that look the alias up, and those of its own chain, if it has one: names, addresses and numbers only. */
export function forwardRules(forward: Forward): {
  readonly entry: readonly string[];
  readonly ports: readonly string[];
} {
  const { alias, target, waits, page, map, ports, allow } = canonical(forward);
  const comment = `-m comment --comment OCDD-${forward.name}`;
  const end = (to: number | null): string =>
    waits === true ? "-g OCDD-ASLEEP" : `-j DNAT --to-destination ${target}${to === null ? "" : `:${to}`}`;
  const redirects = [
    // the alias stays the packet's address: it says which service is meant
    ...(page === undefined
      ? []
      : [`-d ${alias}/32 ${portMatch("tcp", [80])}${comment} -j DNAT --to-destination ${alias}:${page}`]),
    ...portMatches(map, ports).map(({ match, to }) => `-d ${alias}/32 ${match}${comment} ${end(to)}`),
  ];
  const sources = allow === null ? [""] : allow.map((cidr) => `-s ${cidr} `);
  if (sources.length * redirects.length <= INLINE_RULES)
    return { entry: redirects.flatMap((rule) => sources.map((source) => source + rule)), ports: [] };
  const jump = `-d ${alias}/32 ${comment} -j ${chainOf(alias)}`;
  return { entry: sources.map((source) => source + jump), ports: redirects };
}

/** The matches on ports, each with the port it leads to; null leaves it as it is. Mapped ports come first. */
function portMatches(
  map: Forward["map"],
  ports: Forward["ports"],
): { readonly match: string; readonly to: number | null }[] {
  const mapped = map.map(({ protocol, port, to }) => ({ match: portMatch(protocol, [port]), to }));
  if (ports === null) return [...mapped, { match: "", to: null }];
  const plain = ports.filter((p) => !map.some((m) => samePort(m, p)));
  const groups = (["tcp", "udp", "sctp"] as const).flatMap((protocol) => {
    const numbers = plain.filter((p) => p.protocol === protocol).map((p) => p.port);
    const count = Math.ceil(numbers.length / PORTS_PER_RULE);
    return Array.from({ length: count }, (_, i) =>
      portMatch(protocol, numbers.slice(i * PORTS_PER_RULE, (i + 1) * PORTS_PER_RULE)),
    );
  });
  return [...mapped, ...groups.map((match) => ({ match, to: null }))];
}

function portMatch(protocol: string, ports: readonly number[]): string {
  return ports.length === 1
    ? `-p ${protocol} -m ${protocol} --dport ${ports[0]} `
    : `-p ${protocol} -m multiport --dports ${ports.join(",")} `;
}
