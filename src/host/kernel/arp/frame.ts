/** ARP over Ethernet (RFC 826) as octets, both ways. */
import { fromNumber, type Ipv4, toNumber } from "../../../core/addresses/ipv4.ts";

/** Octets of a frame: Ethernet's header and ARP's 28. */
export const FRAME_SIZE = 42;

const REQUEST = 1;
const REPLY = 2;

/** The fields of a received frame that are used. */
export interface Arp {
  readonly sender: Ipv4;
  readonly target: Ipv4;
  /** The sender's hardware address in hexadecimal. */
  readonly hardware: string;
  readonly request: boolean;
}

/** A probe for `address` (RFC 5227 §2.1.1). The sender's own address is left empty, so that no neighbour caches it. */
export function probeFrame(hardware: Uint8Array, address: Ipv4): Uint8Array {
  return frame(hardware, REQUEST, 0, toNumber(address));
}

/** An announcement (RFC 5227 §2.3), as a request and as a reply: some systems learn from the one, some from the other. */
export function announcementFrames(hardware: Uint8Array, address: Ipv4): Uint8Array[] {
  const n = toNumber(address);
  return [frame(hardware, REQUEST, n, n), frame(hardware, REPLY, n, n)];
}

function frame(hardware: Uint8Array, operation: number, sender: number, target: number): Uint8Array {
  const octets = new Uint8Array(FRAME_SIZE);
  const view = new DataView(octets.buffer);
  octets.fill(0xff, 0, 6);
  octets.set(hardware, 6);
  view.setUint16(12, 0x0806);
  view.setUint16(14, 1);
  view.setUint16(16, 0x0800);
  octets[18] = 6;
  octets[19] = 4;
  view.setUint16(20, operation);
  octets.set(hardware, 22);
  view.setUint32(28, sender);
  // RFC 5227 §1.1: a request's target hardware address is all zero; in a reply it is the sender's own
  if (operation === REPLY) octets.set(hardware, 32);
  view.setUint32(38, target);
  return octets;
}

/** A received frame, or undefined when it is no ARP for IPv4 over Ethernet. */
export function readFrame(octets: Uint8Array, length: number): Arp | undefined {
  if (length < FRAME_SIZE) return undefined;
  const view = new DataView(octets.buffer, octets.byteOffset, length);
  const proper =
    view.getUint16(12) === 0x0806 &&
    view.getUint16(14) === 1 &&
    view.getUint16(16) === 0x0800 &&
    octets[18] === 6 &&
    octets[19] === 4;
  if (!proper) return undefined;
  return {
    sender: fromNumber(view.getUint32(28)),
    target: fromNumber(view.getUint32(38)),
    hardware: hexOf(octets.subarray(22, 28)),
    request: view.getUint16(20) === REQUEST,
  };
}

/** A hardware address in the form in which it is compared. */
export function hexOf(hardware: Uint8Array): string {
  return Buffer.from(hardware).toString("hex");
}
