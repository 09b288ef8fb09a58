/** The interface of both ARP engines. */
import type { Ipv4 } from "../../../core/addresses/ipv4.ts";

/** ARP on one device. */
export interface Arp {
  /** Those of `addresses` that another machine answers for. Takes 2 seconds at most. Throws HostError. */
  probe(addresses: readonly Ipv4[]): Promise<Set<Ipv4>>;
  /** Gratuitous ARP (RFC 5227 §3): clients that have cached another hardware address learn this host's. Throws HostError. */
  announce(addresses: readonly Ipv4[]): Promise<void>;
  /**
   * Those of `inForce`, in this call and the previous one, that another machine has sent ARP from meanwhile (RFC 5227 §2.4).
   * The first call starts listening. Empty without a packet socket. Throws HostError.
   */
  heard(inForce: readonly Ipv4[]): Promise<Set<Ipv4>>;
  close(): void;
}
