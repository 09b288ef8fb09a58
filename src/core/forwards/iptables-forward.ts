/** One forward as iptables rules. */
import { type Ipv4, parseCidr, toCidrs, toNumber } from "../addresses/ipv4.ts";
import type { Port } from "../model.ts";
import type { Forward } from "./forward.ts";

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

/** The rules where the alias is looked up, and those of its own chain, if it has one. Only names, addresses and numbers get in. */
export function forwardRules(forward: Forward): {
  readonly entry: readonly string[];
  readonly ports: readonly string[];
} {
  const { alias, target, allow } = canonical(forward);
  const comment = `-m comment --comment OCDD-${forward.name}`;
  const redirects = portMatches(forward).map(
    ({ match, to }) =>
      `-d ${alias}/32 ${match}${comment} -j DNAT --to-destination ${target}${to === null ? "" : `:${to}`}`,
  );
  const sources = allow === null ? [""] : allow.map((cidr) => `-s ${cidr} `);
  if (sources.length * redirects.length <= INLINE_RULES)
    return { entry: redirects.flatMap((rule) => sources.map((source) => source + rule)), ports: [] };
  const jump = `-d ${alias}/32 ${comment} -j ${chainOf(alias)}`;
  return { entry: sources.map((source) => source + jump), ports: redirects };
}

/** The matches on ports, each with the port it leads to; null leaves it as it is. Mapped ports stand first. */
function portMatches(forward: Forward): { readonly match: string; readonly to: number | null }[] {
  const { map, ports } = canonical(forward);
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

const samePort = (a: Port, b: Port): boolean => a.protocol === b.protocol && a.port === b.port;

const PROTOCOLS = ["tcp", "udp", "sctp"];
const comparePorts = (a: Port, b: Port): number =>
  PROTOCOLS.indexOf(a.protocol) - PROTOCOLS.indexOf(b.protocol) || a.port - b.port;

/** Sorted, and only the first of each. */
export function distinctPorts<T extends Port>(ports: readonly T[]): T[] {
  return ports
    .filter((port, i) => ports.findIndex((other) => samePort(other, port)) === i)
    .sort(comparePorts);
}

/** The one form of forwards that do the same, which is also what reading them back gives; the guard's part is left out. */
export function canonical(forward: Forward): Forward {
  const ports = forward.ports === null ? null : distinctPorts(forward.ports);
  const map = distinctPorts(forward.map).filter((m) => ports === null || ports.some((p) => samePort(p, m)));
  const allow =
    forward.allow === null ? null : toCidrs(forward.allow.flatMap((cidr) => parseCidr(cidr) ?? []));
  // iptables has no spelling for "from everywhere"
  return { ...forward, bridgePort: null, map, ports, allow: allow?.includes("0.0.0.0/0") ? null : allow };
}
