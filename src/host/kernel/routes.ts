/** Addresses that the host's routes lead through. */

import { type Ipv4, parseIpv4 } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import { run } from "./run.ts";

interface IpRoute {
  readonly gateway?: unknown;
  readonly nexthops?: readonly { readonly gateway?: unknown }[];
}

/** IPv4 next hops of every route in every table, each once. Throws HostError. */
export async function readNextHops(): Promise<Ipv4[]> {
  return nextHopsOf((await run(["ip", "-json", "-4", "route", "show", "table", "all"])).stdout);
}

/** The next hops in what `ip -json route` prints. Throws HostError when that is no JSON. */
export function nextHopsOf(text: string): Ipv4[] {
  let routes: unknown;
  try {
    routes = JSON.parse(text.trim() || "[]");
  } catch (cause) {
    throw new HostError("command", "ip -json gave no JSON", {
      cause,
      remedy: "iproute2 5.0 or later is needed",
    });
  }
  const hops = (Array.isArray(routes) ? (routes as IpRoute[]) : []).flatMap(({ gateway, nexthops }) =>
    [gateway, ...(nexthops ?? []).map((hop) => hop.gateway)].flatMap((hop) =>
      typeof hop === "string" ? (parseIpv4(hop) ?? []) : [],
    ),
  );
  return [...new Set(hops)];
}
