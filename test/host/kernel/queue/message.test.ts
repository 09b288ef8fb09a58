import fc from "fast-check";
import t from "tap";
import { attribute, decode, encode } from "../../../../src/host/kernel/netlink-message.ts";
import {
  bindMessage,
  copyMessage,
  NF_REPEAT,
  readQueued,
  unbindMessage,
  verdictMessage,
} from "../../../../src/host/kernel/queue/message.ts";

const hex = (text: string): string => text.replace(/\s+/g, "");
const PACKET = 0x300;

t.test("messages to the kernel: their octets", async (t) => {
  const queue = 0xb7cd;
  t.equal(
    encode(bindMessage(queue, 4096), 1).toString("hex"),
    hex(`34000000 0203 0500 01000000 00000000  00 00 b7cd
      0800 0100 01000000  0800 0300 00001000  0800 0400 ffffffff  0800 0500 00000000`),
  );
  t.equal(
    encode(copyMessage(queue, 68), 0).toString("hex"),
    hex("20000000 0203 0100 00000000 00000000  00 00 b7cd  0900 0200 00000044 02 000000"),
  );
  t.equal(
    encode(unbindMessage(queue), 0).toString("hex"),
    hex("1c000000 0203 0500 00000000 00000000  00 00 b7cd  0800 0100 02000000"),
  );
  t.equal(
    encode(verdictMessage(queue, 0xfedcba98, NF_REPEAT), 0).toString("hex"),
    hex("20000000 0103 0100 00000000 00000000  00 00 b7cd  0c00 0200 00000004 fedcba98"),
  );
});

/** A packet as the kernel tells of it. */
function told(id: number, packet: Uint8Array): Buffer {
  const header = Buffer.alloc(7);
  header.writeUInt32BE(id, 0);
  return Buffer.concat([
    Buffer.of(2, 0, 0xb7, 0xcd),
    attribute(1, header),
    attribute(5, Buffer.of(0, 0, 0, 3)),
    attribute(10, Buffer.from(packet)),
  ]);
}

t.test("a message about a packet: its number and its octets", async (t) => {
  const packet = Uint8Array.of(0x45, 1, 2, 3, 4);
  const queued = readQueued({ type: PACKET, body: told(0xfffffff0, packet) });
  t.equal(queued?.id, 0xfffffff0);
  t.strictSame([...(queued?.packet ?? [])], [...packet]);
});

t.test("a message about a packet without octets: its number, so that it can be dropped", async (t) => {
  const body = told(7, new Uint8Array(0)).subarray(0, 16);
  t.match(readQueued({ type: PACKET, body }), { id: 7, packet: { length: 0 } });
});

t.test("other messages: none", async (t) => {
  const body = told(1, Uint8Array.of(1));
  for (const type of [2, 3, 0x301, 0x302, 0xa00]) t.equal(readQueued({ type, body }), undefined);
  const short = Buffer.concat([Buffer.alloc(4), attribute(1, Buffer.of(1, 2, 3))]);
  t.equal(readQueued({ type: PACKET, body: short }), undefined, "a header that is too short");
  t.equal(readQueued({ type: PACKET, body: Buffer.alloc(0) }), undefined, "no octet");
});

t.test("any octets: packets or none", async (t) => {
  const octets = fc.uint8Array({ maxLength: 80 });
  const known = octets.map((packet) => encode({ type: PACKET, flags: 0, body: told(1, packet) }, 0));
  let found = 0;
  fc.assert(
    fc.property(fc.oneof(octets, known), fc.nat(100), octets, (whole, at, patch) => {
      const message = Buffer.from(whole);
      message.set(patch.subarray(0, Math.max(0, message.length - at)), Math.min(at, message.length));
      for (const each of decode(message, message.length)) {
        const queued = readQueued(each);
        if (queued === undefined) continue;
        found += 1;
        t.ok(queued.packet.length <= message.length && queued.id <= 0xffff_ffff);
      }
    }),
    { numRuns: 3000 },
  );
  t.ok(found > 100, "both happen");
});
