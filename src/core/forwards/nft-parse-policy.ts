/** The rules of one alias's chain as nft's JSON shows them → ports, mapped ports, sources. */
import { type Ipv4, parseIpv4 } from "../addresses/ipv4.ts";
import type { Port, PortMap, Protocol } from "../ports.ts";
import type { Forward } from "./forward.ts";

/** The policy that the chain holds. */
export type Policy = Pick<Forward, "target" | "map" | "ports" | "allow">;

/** An object of nft's JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** The object, or an empty one for any other value. */
export const record = (value: unknown): Json =>
  typeof value === "object" && value !== null ? (value as Json) : {};

/** The list, or an empty one for any other value. */
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** One rule: what it matches, and where it leads. */
interface Rule {
  readonly field: string;
  readonly op: string;
  readonly values: readonly unknown[];
  readonly to: Ipv4;
  readonly port: number | undefined;
}

/** The policy, or undefined when a rule is not of the form that OCDD writes. */
export function parsePolicy(alias: Ipv4, rules: readonly Json[]): Policy | undefined {
  let target: Ipv4 | undefined;
  let allow: string[] | null = null;
  let open = false;
  const map: PortMap[] = [];
  const ports: Port[] = [];
  for (const { expr } of rules) {
    const rule = ruleOf(list(expr).map(record));
    if (rule === undefined || open) return undefined;
    if (rule.field === "ip saddr") {
      if (rule.op !== "!=" || rule.to !== alias || rule.port !== undefined) return undefined;
      allow = rule.values.map(cidrOf);
    } else if (rule.op !== "==") return undefined;
    else if (rule.field === "") {
      if (rule.port !== undefined) return undefined;
      open = true;
      if (rule.to !== alias) return { target: rule.to, map, ports: null, allow };
    } else {
      const protocol = /^(tcp|udp|sctp) dport$/.exec(rule.field)?.[1] as Protocol | undefined;
      if (protocol === undefined || !rule.values.every((value) => typeof value === "number"))
        return undefined;
      target = rule.to;
      for (const port of rule.values as number[]) {
        ports.push({ protocol, port });
        if (rule.port !== undefined) map.push({ protocol, port, to: rule.port });
      }
    }
  }
  // a chain that stops everything leads nowhere: the alias takes the place of its target
  return open ? { target: target ?? alias, map, ports, allow } : undefined;
}

function ruleOf(expressions: readonly Json[]): Rule | undefined {
  const { addr, port, flags } = record(expressions.at(-1)?.dnat);
  const to = parseIpv4(String(addr));
  if (to === undefined || flags !== undefined) return undefined;
  if (port !== undefined && typeof port !== "number") return undefined;
  if (expressions.length === 1) return { field: "", op: "==", values: [], to, port };
  const { op, left, right } = record(expressions[0]?.match);
  const { protocol, field } = record(record(left).payload);
  if (expressions.length !== 2 || protocol === undefined) return undefined;
  const { set } = record(right);
  return {
    field: `${protocol} ${field}`,
    op: String(op),
    values: Array.isArray(set) ? set : [right],
    to,
    port,
  };
}

function cidrOf(value: unknown): string {
  const { addr, len } = record(record(value).prefix);
  return addr === undefined ? `${value}/32` : `${addr}/${len}`;
}
