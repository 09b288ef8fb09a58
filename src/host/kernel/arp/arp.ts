/** What ARP is asked for, by whatever means. */
import type { Ipv4 } from "../../../core/addresses/ipv4.ts";

/** ARP on one device. */
export interface Arp {
  /** Those of `addresses` that another machine answers for. Takes 2 seconds at most. Throws HostError. */
  probe(addresses: readonly Ipv4[]): Promise<Set<Ipv4>>;
  /** Gratuitous ARP (RFC 5227 §3): clients that remember another owner's hardware address learn ours. Throws HostError. */
  announce(addresses: readonly Ipv4[]): Promise<void>;
  /**
   * Those of `inForce`, in this call and the one before, that another machine has sent ARP from meanwhile (RFC 5227 §2.4).
   * The first call begins to listen. Empty without a packet socket. Throws HostError.
   */
  heard(inForce: readonly Ipv4[]): Promise<Set<Ipv4>>;
  close(): void;
}
