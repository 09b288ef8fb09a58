/** The start of an IPv4 packet (RFC 791 §3.1), as it came from the network: any octets may be there. */
import { fromNumber } from "../../../core/addresses/ipv4.ts";
import type { Flow } from "../../../core/lifecycle/flow.ts";

/** Octets that tell the flow of every packet: the longest header, and the eight behind it. */
export const FLOW_OCTETS = 60 + 8;

const FRAGMENT_OFFSET = 0x1fff;
const ICMP = 1;
const ECHO_REQUEST = 8;
/** Protocols whose header begins with source port and destination port (RFC 9293, 768, 9260). */
const WITH_PORTS: ReadonlyMap<number, Flow["protocol"]> = new Map([
  [6, "tcp"],
  [17, "udp"],
  [132, "sctp"],
]);

/** The flow of a packet, or undefined: no IPv4, or too short for its flow. Never throws. */
export function readFlow(packet: Uint8Array): Flow | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  if (packet.length < 20 || view.getUint8(0) >> 4 !== 4) return undefined;
  const header = (view.getUint8(0) & 15) * 4;
  if (header < 20) return undefined;
  const ends = { source: fromNumber(view.getUint32(12)), destination: fromNumber(view.getUint32(16)) };
  const other: Flow = { protocol: "other", ...ends, sourcePort: 0, port: 0 };
  // only the first fragment holds the ports
  if ((view.getUint16(6) & FRAGMENT_OFFSET) !== 0) return other;
  const number = view.getUint8(9);
  const protocol = WITH_PORTS.get(number);
  if (protocol === undefined && number !== ICMP) return other;
  if (packet.length < header + 8) return undefined;
  if (protocol !== undefined)
    return { protocol, ...ends, sourcePort: view.getUint16(header), port: view.getUint16(header + 2) };
  if (view.getUint8(header) !== ECHO_REQUEST) return other;
  return { protocol: "icmp", ...ends, sourcePort: view.getUint16(header + 4), port: 0 };
}
