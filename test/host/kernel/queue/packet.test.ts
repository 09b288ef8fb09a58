import fc from "fast-check";
import t from "tap";
import { parseIpv4 } from "../../../../src/core/addresses/ipv4.ts";
import { FLOW_OCTETS, readFlow } from "../../../../src/host/kernel/queue/packet.ts";
import { PROTOCOL, packet } from "./packets.ts";

const ENDS = { source: "10.9.0.253", destination: "192.168.255.1" };
const PORTS = Uint8Array.of(0xff, 0xfe, 0x1f, 0x90, 0, 0, 0, 0);
const flow = { ...ENDS, sourcePort: 65_534, port: 8080 };
const other = { protocol: "other", ...ENDS, sourcePort: 0, port: 0 };

t.test("TCP, UDP, SCTP: addresses and ports, with and without options of the header", async (t) => {
  for (const protocol of ["tcp", "udp", "sctp"] as const) {
    for (const options of [0, 4, 40]) {
      const octets = packet({ protocol: PROTOCOL[protocol], payload: PORTS, options });
      t.strictSame(readFlow(octets), { protocol, ...flow }, `${protocol}, ${options} octets of options`);
      t.ok(octets.length <= FLOW_OCTETS, "what the kernel is asked for is enough");
      t.equal(readFlow(octets.subarray(0, -1)), undefined, "one octet less: not known");
    }
  }
});

t.test("ICMP: an echo request has its identifier; other messages are other", async (t) => {
  const icmp = (type: number): ReturnType<typeof readFlow> =>
    readFlow(packet({ protocol: PROTOCOL.icmp, payload: Uint8Array.of(type, 0, 9, 9, 0x12, 0x34, 0, 1) }));
  t.strictSame(icmp(8), { protocol: "icmp", ...ENDS, sourcePort: 0x1234, port: 0 });
  for (const type of [0, 3, 5, 11, 13]) t.strictSame(icmp(type), other, `type ${type}`);
});

t.test("fragments: the first one has ports, the others are other", async (t) => {
  const fragment = (bits: number): ReturnType<typeof readFlow> =>
    readFlow(packet({ protocol: PROTOCOL.udp, payload: PORTS, fragment: bits }));
  t.strictSame(fragment(0x2000), { protocol: "udp", ...flow }, "more fragments, offset 0");
  t.strictSame(fragment(0x4000), { protocol: "udp", ...flow }, "do not fragment");
  for (const bits of [1, 0x2001, 0x1fff]) t.strictSame(fragment(bits), other, `0x${bits.toString(16)}`);
});

t.test("other protocols are other, also without payload", async (t) => {
  for (const protocol of [0, 2, 33, 47, 50, 255])
    t.strictSame(readFlow(packet({ protocol, payload: new Uint8Array(0) })), other, String(protocol));
});

t.test("no IPv4 header: not known", async (t) => {
  const whole = packet({ protocol: PROTOCOL.tcp, payload: PORTS });
  for (const first of [0x65, 0x05, 0x44, 0x40, 0x4f, 0xff])
    t.equal(readFlow(Uint8Array.of(first, ...whole.subarray(1))), undefined, `0x${first.toString(16)}`);
  for (let size = 0; size < 28; size++)
    t.equal(readFlow(whole.subarray(0, size)), undefined, `${size} octets`);
});

t.test("any octets: a flow within its bounds, or none", async (t) => {
  let found = 0;
  const octets = fc.uint8Array({ maxLength: 100, size: "max" });
  const known = fc
    .tuple(fc.constantFrom(0x45, 0x46, 0x4f), fc.constantFrom(1, 6, 17, 132, 200), octets)
    .map(([first, protocol, rest]) => {
      const octets = Uint8Array.of(...rest, ...new Uint8Array(20));
      octets[0] = first;
      octets.set([0, 0, 64, protocol], 6);
      return octets;
    });
  fc.assert(
    fc.property(fc.oneof(octets, known), fc.nat(7), (octets, offset) => {
      // a view into a larger buffer must not be left
      const around = new Uint8Array(octets.length + 16).fill(0x45);
      around.set(octets, offset);
      const flow = readFlow(around.subarray(offset, offset + octets.length));
      if (flow === undefined) return;
      found += 1;
      for (const address of [flow.source, flow.destination]) t.ok(parseIpv4(address));
      for (const port of [flow.port, flow.sourcePort])
        t.ok(Number.isInteger(port) && port >= 0 && port <= 65_535);
    }),
    { numRuns: 3000 },
  );
  t.ok(found > 100, "both happen");
});
