/** Messages about tracked connections: as the kernel wrote them, and any octets. */
import fc from "fast-check";
import t from "tap";
import { fromNumber } from "../../../../src/core/addresses/ipv4.ts";
import type { Tracked } from "../../../../src/core/lifecycle/usage.ts";
import { flowsQuestion, readFlow } from "../../../../src/host/kernel/flows/message.ts";
import { seek } from "../../../../src/host/kernel/netlink-message.ts";

const NEW = 0x100;
/** Linux 6.18's, for one connection each through an alias. */
const TCP =
  "020000003400018014000180080001000a0900fd080002000a0900011c000280050001000600000006000200cbda000006000300000900003400028014000180" +
  "08000100ac110002080002000a0900fd1c0002800500010006000000060002000009000006000300cbda000008000300000001ae080008000000000008000c00" +
  "6952253008000b0000000001080007000006977f300004802c0001800500010003000000050002000a000000050003000a000000060004002300000006000500" +
  "23000000";
const UDP =
  "020000003400018014000180080001000a0900fd080002000a0900051c000280050001001100000006000200eb7b000006000300005000003400028014000180" +
  "08000100ac110002080002000a0900fd1c0002800500010011000000060002000050000006000300eb7b000008000300000001aa080008000000000008000c00" +
  "f7e5a92a08000b0000000001080007000000001d";
const PING =
  "020000003c00018014000180080001000a0900fd080002000a090008240002800500010001000000060004006f1c000005000500080000000500060000000000" +
  "3c0002801400018008000100ac110002080002000a0900fd240002800500010001000000060004006f1c00000500050000000000050006000000000008000300" +
  "000001aa080008000000000008000c00bc96006f08000b0000000001080007000000001d";
/** Of the status attribute in each: 8 octets, the value last. */
const STATUS = "08000300000001";

const read = (hex: string, type = NEW): Tracked | undefined =>
  readFlow({ type, flags: 2, body: Buffer.from(hex, "hex") }, fromNumber);
const withStatus = (hex: string, status: string): string =>
  hex.replace(/0800030000..../, `080003000000${status}`);

t.test("messages of the kernel: TCP, UDP and ping, in their original direction", async (t) => {
  const common = { source: "10.9.0.253", answeredBy: "172.17.0.2", replied: true };
  t.strictSame(read(TCP), {
    ...common,
    protocol: 6,
    destination: "10.9.0.1",
    port: 9,
    state: 3,
    assured: true,
    left: 431_999,
  });
  t.strictSame(read(UDP), {
    ...common,
    protocol: 17,
    destination: "10.9.0.5",
    port: 80,
    state: 0,
    assured: false,
    left: 29,
  });
  t.strictSame(read(PING), {
    ...common,
    protocol: 1,
    destination: "10.9.0.8",
    port: 0,
    state: 0,
    assured: false,
    left: 29,
  });
});

t.test("SCTP: its state is found", async (t) => {
  const sctp = TCP.replaceAll("0500010006000000", "0500010084000000").replace(
    "2c00018005000100030",
    "2c00038005000100040",
  );
  t.match(read(sctp), { protocol: 132, state: 4, port: 9 });
});

t.test("not redirected, another kind of message, another family: no connection", async (t) => {
  t.match(UDP, STATUS);
  t.equal(read(withStatus(UDP, "018a")), undefined, "only its other bits");
  t.equal(read(UDP, 0x102), undefined, "a deletion");
  t.equal(read(UDP, 0x0a00), undefined, "of nf_tables");
  t.equal(read(UDP.replace("02", "0a")), undefined, "IPv6");
  t.equal(read(UDP.replace("0800010", "0800070")), undefined, "no source");
  t.equal(read(UDP.replace("34000280", "34000980")), undefined, "no other direction");
});

t.test("in a flowtable, without state and timeout: established, and in use", async (t) => {
  const short = (hex: string): string => withStatus(hex.slice(0, hex.indexOf("08000700")), "41ae");
  t.match(read(short(TCP)), { state: 3, left: Number.POSITIVE_INFINITY });
  t.match(read(short(UDP)), { state: 0, left: Number.POSITIVE_INFINITY });
  t.match(read(TCP.slice(0, TCP.indexOf("08000700"))), { state: 0, left: 0 }, "without the flag");
});

t.test("the question: IPv4, redirected ones only, all of them", async (t) => {
  const { type, flags, body } = flowsQuestion();
  t.strictSame(
    [type, flags, body.toString("hex")],
    [0x101, 0x301, "020000000800030000000020" + "08001a0000000020"],
  );
});

t.test("any octets, and any change of a message: nothing is thrown", async () => {
  const octets = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array));
  const changed = fc
    .tuple(
      fc.constantFrom(TCP, UDP, PING),
      fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 6 }),
      fc.nat(320),
    )
    .map(([hex, changes, length]) => {
      const body = Buffer.from(hex, "hex");
      for (const [at, value] of changes) if (at < body.length) body[at] = value;
      return body.subarray(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(octets, changed), (body) => {
      const flow = readFlow({ type: NEW, flags: 0, body }, fromNumber);
      return flow === undefined || (flow.left >= 0 && flow.port <= 65_535 && flow.state <= 255);
    }),
    { numRuns: 5_000 },
  );
});

t.test("an attribute by its path: too short, cut off, or of length 0 is none", async (t) => {
  const at = (hex: string, path: number[], size = 1): number => seek(Buffer.from(hex, "hex"), 0, path, size);
  t.equal(at("0500010007000000", [1]), 4);
  t.equal(at("0500010007000000" + "0500020008", [2]), 12, "after a padded one");
  t.equal(at("0500010007", [1], 2), -1, "shorter than asked for");
  t.equal(at("0600010007", [1]), -1, "longer than the message");
  t.equal(at("0000010007000000", [1]), -1);
  t.equal(at("09000180" + "0500020009", [1, 2]), 8, "inside another");
  t.equal(at("08000180" + "05000200" + "09", [1, 2]), -1, "it ends behind the one around it");
});
