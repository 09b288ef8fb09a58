import type { Ipv4 } from "../addresses/ipv4.ts";

/** What tells the packets of one connection, exchange of datagrams, or ping from those of another. */
export interface Flow {
  /** `icmp` is an echo request (RFC 792); `other` has no ports: another protocol, ICMP message, or fragment. */
  readonly protocol: "tcp" | "udp" | "sctp" | "icmp" | "other";
  readonly source: Ipv4;
  /** The identifier of an echo request; 0 for `other`. */
  readonly sourcePort: number;
  readonly destination: Ipv4;
  /** 0 for `icmp` and `other`. */
  readonly port: number;
}

/** A text that is equal for equal flows only. */
export function flowKey({ protocol, source, sourcePort, destination, port }: Flow): string {
  return `${protocol} ${source}:${sourcePort} ${destination}:${port}`;
}
