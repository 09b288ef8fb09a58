/** The state of a host's network as text, fit to compare: what changes by itself is taken out. */

import { run } from "./process.ts";

const SYSCTLS =
  "^net\\.(ipv4\\.(ip_|conf\\.(all|default|ens3|docker0)\\.)|bridge\\.bridge-nf|netfilter\\.nf_conntrack_(max|tcp|udp))";

/** Addresses, iptables rules of every table, ports in hairpin mode and sysctls; `enter` puts a program on the host. */
export async function snapshot(enter: readonly string[]): Promise<string> {
  const ask = async (...argv: string[]): Promise<string> => (await run([...enter, ...argv])).stdout;
  const [addresses, rules, rules6, ports, sysctls] = await Promise.all([
    ask("ip", "-o", "addr", "show"),
    ask("iptables-save"),
    ask("ip6tables-save"),
    ask("bridge", "-d", "link", "show"),
    ask("sysctl", "-a", "--pattern", SYSCTLS),
  ]);
  return [
    ...["# addresses", ...lasting(addresses)],
    ...["# iptables", ...saved(rules), "# ip6tables", ...saved(rules6)],
    ...["# hairpin ports", ...hairpins(ports)],
    ...["# sysctls", ...sysctls.split("\n")],
  ].join("\n");
}

/** Addresses without their lifetimes, and without Docker's veth devices, which are new at every start. */
function lasting(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => !/^\d+: veth/.test(line))
    .map((line) => line.replace(/^\d+: /, "").replace(/( tentative)?\s*\\\s+valid_lft.*$/, ""));
}

/** iptables-save without its dates and packet counters. */
function saved(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.replace(/\s*\[\d+:\d+\]$/, ""));
}

/** `bridge -d link` prints a port, then its flags on the line below. */
function hairpins(text: string): string[] {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const port = /^\d+: ([^:@]+)/.exec(line)?.[1];
    return port !== undefined && lines[index + 1]?.includes("hairpin on") ? [port] : [];
  });
}
