/** DNAT rules in force → the forwards they were rendered from. */
import { type Ipv4, parseIpv4 } from "../addresses/ipv4.ts";
import type { Port, PortMap, Protocol } from "../ports.ts";

import type { Name } from "../services/name.ts";
import type { Forward } from "./forward.ts";
import { distinctPorts } from "./forward.ts";
import { type Chains, partOf } from "./iptables-render.ts";

const REDIRECT = new RegExp(
  "^(?:-s (?<source>\\S+) )?-d (?<alias>[\\d.]+)/32 " +
    "(?:-p (?<protocol>tcp|udp|sctp) -m (?:\\k<protocol> --dport|multiport --dports) (?<ports>[\\d,]+) )?" +
    '-m comment --comment "?OCDD-(?<name>[a-z0-9-]+)"? ' +
    "(?:-g (?<waits>OCDD-ASLEEP)|-j DNAT --to-destination (?<target>[\\d.]+)(?::(?<to>\\d+))?|-j (?<chain>\\S+))$",
);

/** A forward while its rules are being read. */
interface Draft {
  name: string;
  /** Null while its packets wait. */
  target: Ipv4 | null;
  page: number | undefined;
  readonly map: PortMap[];
  readonly ports: Port[];
  /** A rule takes all ports. */
  all: boolean;
  /** Null once a rule takes all sources. */
  sources: Set<string> | null;
}

/** The forwards whose rules a packet passes, in the order of the rules. */
export function forwardsOf(chains: Chains): Forward[] {
  const drafts = new Map<Ipv4, Draft>();
  const seen = new Set<string>();
  const walk = (chain: string, source: string | undefined): void => {
    for (const rule of chains.get(chain) ?? []) {
      const match = REDIRECT.exec(rule)?.groups;
      const next = match?.chain ?? /^-d \S+ -j (OCDD-\S+)$/.exec(rule)?.[1];
      const from = match?.source ?? source;
      const inner = `nat/${next}`;
      if (match?.target !== undefined || match?.waits !== undefined) addRule(drafts, match, from);
      else if (next === undefined || partOf(inner) === undefined) continue;
      // each source of a forward has a jump to the chain of its ports
      else if (!seen.has(`${inner} ${from}`)) {
        seen.add(`${inner} ${from}`);
        walk(inner, from);
      }
    }
  };
  walk("nat/OCDD", undefined);
  return [...drafts].map(([alias, { name, target, page, map, ports, all, sources }]) => ({
    name: name as Name,
    alias,
    target,
    ...(target === null ? { waits: true } : {}),
    ...(page === undefined ? {} : { page }),
    bridgePort: null,
    map: distinctPorts(map),
    ports: all ? null : distinctPorts(ports),
    allow: sources === null ? null : [...sources],
  }));
}

function addRule(
  drafts: Map<Ipv4, Draft>,
  rule: Readonly<Record<string, string | undefined>>,
  source: string | undefined,
): void {
  const alias = parseIpv4(rule.alias ?? "");
  const target = rule.waits === undefined ? parseIpv4(rule.target ?? "") : null;
  if (alias === undefined || target === undefined) return;
  const draft = drafts.get(alias) ?? {
    name: rule.name ?? "",
    target,
    page: undefined,
    map: [],
    ports: [],
    all: false,
    sources: new Set(),
  };
  drafts.set(alias, draft);
  if (source === undefined) draft.sources = null;
  else draft.sources?.add(source);
  // an alias that leads to itself leads to the page
  if (target === alias) {
    draft.page = Number(rule.to);
    return;
  }
  draft.target = target;
  draft.all ||= rule.ports === undefined;
  const protocol = rule.protocol as Protocol;
  for (const port of (rule.ports ?? "").split(",").filter(Boolean).map(Number)) {
    draft.ports.push({ protocol, port });
    if (rule.to !== undefined) draft.map.push({ protocol, port, to: Number(rule.to) });
  }
}
