/** NOTIFY messages of our own, by dns2. */
import type DNS from "dns2";
import { formatName, type WireName } from "./name.ts";
import { OPCODE, TYPE } from "./types.ts";

/** Messages of our own making, by dns2's codec: requests we send, never messages that we receive unasked. */
export interface Codec {
  /** NOTIFY for a zone (RFC 1996 §3.7). */
  notify(id: number, zone: WireName): Uint8Array;
  /** A response's ID, opcode and RCODE; undefined for what is none. */
  response(message: Uint8Array): { id: number; opcode: number; rcode: number } | undefined;
}

/** Load dns2, which brings clients and servers of its own: only when something is to be sent. */
export async function loadCodec(): Promise<Codec> {
  const { Packet } = (await import("dns2")).default as typeof DNS;
  return {
    notify(id, zone) {
      const packet = new Packet();
      Object.assign(packet.header, { id, opcode: OPCODE.NOTIFY, aa: 1 });
      const name = formatName(zone).replace(/(?<=.)\.$/, "");
      packet.questions.push({
        name,
        type: TYPE.SOA,
        class: 1,
      } as unknown as (typeof packet.questions)[number]);
      return packet.toBuffer();
    },
    response(message) {
      // A response to us echoes one question and carries little else; dns2's parser must not be given more.
      if (message.length < 12 || message.length > 512) return undefined;
      try {
        const { header } = Packet.parse(Buffer.from(message)) as unknown as {
          header: Record<string, number>;
        };
        const { id = 0, qr = 0, opcode = 0, rcode = 0 } = header;
        return qr === 1 ? { id, opcode, rcode } : undefined;
      } catch {
        return undefined;
      }
    },
  };
}
