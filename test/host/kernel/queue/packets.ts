/** IPv4 packets from 10.9.0.253 to 192.168.255.1. */

export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, sctp: 132 } as const;

/** What a packet is made of. */
export interface PacketParts {
  readonly protocol: number;
  readonly payload: Uint8Array;
  /** Octets of the header's options, a multiple of four. */
  readonly options?: number;
  /** Flags and offset, 16 bits. */
  readonly fragment?: number;
}

export function packet({ protocol, payload, options = 0, fragment = 0 }: PacketParts): Uint8Array {
  const header = Buffer.alloc(20 + options, 1);
  header.writeUInt8(0x40 | (header.length / 4), 0);
  header.writeUInt16BE(header.length + payload.length, 2);
  header.writeUInt16BE(fragment, 6);
  header.writeUInt8(protocol, 9);
  header.set([10, 9, 0, 253], 12);
  header.set([192, 168, 255, 1], 16);
  return Uint8Array.of(...header, ...payload);
}
