/** Ports and protocols. */

export type Protocol = "tcp" | "udp" | "sctp";

/** A port of a protocol. */
export interface Port {
  readonly protocol: Protocol;
  readonly port: number;
}

/** A port of the alias and the container's port it leads to. */
export interface PortMap {
  readonly protocol: Protocol;
  readonly port: number;
  readonly to: number;
}

/** A port with its service name (RFC 6335 §5.1). */
export interface NamedPort extends Port {
  readonly service: string;
}
