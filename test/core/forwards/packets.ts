/** Packets for tests of the rules: the host around them, where they come from, and the results. */
import { type Packet, readRuleset, trace, type Verdict } from "../../trace.ts";

const LOCAL = [
  "192.168.122.200",
  "172.17.0.1",
  "172.20.0.1",
  ...Array.from({ length: 20 }, (_, i) => `192.168.122.${11 + i}`),
];
const ROUTES = [
  ["172.17.0.0/16", "docker0"],
  ["172.20.0.0/16", "br-shop"],
  ["0.0.0.0/0", "ens3"],
] as const;

export const CLIENT = { from: "192.168.122.50", hook: "PREROUTING", in: "ens3" } as const;
export const FAR = { from: "192.168.122.99", hook: "PREROUTING", in: "ens3" } as const;
export const SELF = { from: "192.168.122.200", hook: "OUTPUT" } as const;
export const WEB = { from: "172.17.0.2", hook: "PREROUTING", in: "docker0" } as const;
export const DB = { from: "172.20.0.2", hook: "PREROUTING", in: "br-shop" } as const;

export const tcp = (port: number, to: string) =>
  ({ protocol: "tcp", port, to: to.startsWith(".") ? `192.168.122${to}` : to }) as const;
export const udp = (port: number, to: string) => ({ ...tcp(port, to), protocol: "udp" }) as const;

export const at = (address: string, port: number | undefined, masqueraded = false): Verdict => ({
  address,
  port,
  masqueraded,
});

export const AROUND = { local: LOCAL, routes: ROUTES };
export const verdict = (packet: Packet, ruleset: string): Verdict =>
  trace(packet, readRuleset(ruleset), AROUND);
