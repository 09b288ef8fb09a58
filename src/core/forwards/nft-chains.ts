/** The chain of an alias whose forward has a policy: ports, mapped ports, sources. Bounded rules a forward. */
import { type Ipv4, parseCidr, type Range, toCidrs } from "../addresses/ipv4.ts";
import type { Protocol } from "../ports.ts";

import type { Forward } from "./forward.ts";
import { TABLE } from "./nft-table-name.ts";

type Policy = Pick<Forward, "map" | "ports" | "allow">;

/** True for a forward that one element of `targets` cannot express. */
export const hasPolicy = ({ map, ports, allow }: Policy): boolean =>
  map.length > 0 || ports !== null || allow !== null;

const PREFIX = "to-";
export const policyChain = (alias: Ipv4): string => `${PREFIX}${alias}`;
export const isPolicyChain = (name: string): boolean => name.startsWith(PREFIX);

const PROTOCOLS: readonly Protocol[] = ["tcp", "udp", "sctp"];
const bare = (cidr: string): string => cidr.replace(/\/32$/, "");
const several = (list: readonly (string | number)[]): string =>
  list.length === 1 ? String(list[0]) : `{ ${list.join(", ")} }`;

/**
 * The rules of one alias. A packet that none of them takes is translated to the alias itself, which keeps it from a port that
 * Docker publishes on every local address: it goes to INPUT and is refused there.
 */
export function policyRules({ alias, target, map, ports, allow }: Forward): string[] {
  const stop = `dnat to ${alias}`;
  // ranges that overlap are refused in one set
  const sources =
    allow === null ? [] : toCidrs(allow.flatMap((cidr): Range | Range[] => parseCidr(cidr) ?? []));
  if (allow !== null && sources.length === 0) return [stop];
  const offered = (protocol: Protocol, port: number): boolean =>
    ports === null || ports.some((p) => p.protocol === protocol && p.port === port);
  const mapped = new Map<string, number>();
  for (const { protocol, port, to } of map) {
    const key = `${protocol} dport ${port}`;
    if (offered(protocol, port) && !mapped.has(key)) mapped.set(key, to);
  }
  const rest = PROTOCOLS.flatMap((protocol) => {
    const numbers = (ports ?? []).filter((p) => p.protocol === protocol).map(({ port }) => port);
    const plain = [...new Set(numbers)].filter((port) => !mapped.has(`${protocol} dport ${port}`));
    return plain.length === 0
      ? []
      : [`${protocol} dport ${several(plain.sort((a, b) => a - b))} dnat to ${target}`];
  });
  return [
    ...(allow === null || sources[0] === "0.0.0.0/0"
      ? []
      : [`ip saddr != ${several(sources.map(bare))} ${stop}`]),
    ...[...mapped].sort().map(([match, to]) => `${match} dnat to ${target}:${to}`),
    ...(ports === null ? [`dnat to ${target}`] : [...rest, stop]),
  ];
}

/** nft input that makes the chains of all forwards with a policy again: emptied where they exist, then filled. */
export function renderChains(forwards: readonly Forward[]): string {
  return forwards
    .filter((forward) => hasPolicy(forward) && forward.waits !== true)
    .map((forward) => {
      const chain = `ip ${TABLE} ${policyChain(forward.alias)}`;
      const rules = policyRules(forward).map((rule) => `add rule ${chain} ${rule}\n`);
      return `add chain ${chain}\nflush chain ${chain}\n${rules.join("")}`;
    })
    .join("");
}

/** nft input that removes the chains of these aliases; their elements of `policies` are to be removed before. */
export function renderChainRemoval(aliases: readonly Ipv4[]): string {
  return aliases
    .map((alias) => `ip ${TABLE} ${policyChain(alias)}\n`)
    .map((chain) => `flush chain ${chain}delete chain ${chain}`)
    .join("");
}
