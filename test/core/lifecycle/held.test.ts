/** Packets that wait for aliases, and which of them are kept. */
import t from "tap";
import type { Flow } from "../../../src/core/lifecycle/flow.ts";
import { makeHeld } from "../../../src/core/lifecycle/held.ts";
import { ip } from "../make.ts";

const flow = (sourcePort: number, protocol: Flow["protocol"] = "tcp"): Flow => ({
  protocol,
  source: ip("192.168.122.99"),
  sourcePort,
  destination: ip("192.168.122.11"),
  port: 80,
});

t.test("a flood of some aliases leaves room for another one", (t) => {
  const room = { free: 3_072 };
  const flooded = Array.from({ length: 10 }, () => makeHeld(room));
  let id = 0;
  for (let port = 1; port <= 2_000; port++) for (const held of flooded) held.keep(id++, flow(port));
  t.ok(room.free > 200, `${room.free} free`);
  const sizes = flooded.map(({ size }) => size);
  t.ok(Math.min(...sizes) > 200, "and each of them has its share");
  const other = makeHeld(room);
  for (let port = 1; port <= 100; port++) t.strictSame(other.keep(id++, flow(port)), []);
  t.strictSame(flooded[0]?.keep(id, flow(5_000)), [id], "one packet more of the flood is dropped");
  for (const held of [...flooded, other]) held.take();
  t.equal(room.free, 3_072, "all is free again");
  t.end();
});

t.test("one alias alone: 1 024 flows; a repeated SYN needs no more room", (t) => {
  const room = { free: 4_096 };
  const held = makeHeld(room);
  for (let port = 1; port <= 2_000; port++) held.keep(port, flow(port));
  t.equal(held.size, 1_024);
  t.strictSame(held.keep(9_000, flow(1)), [1], "the newest is kept");
  t.equal(room.free, 4_096 - 1_024);
  for (let n = 0; n < 20; n++) held.take((one) => one.sourcePort === n);
  t.equal(room.free, 4_096 - 1_024 + 19);
  t.end();
});

t.test("datagrams of one flow: 16, each with its own room", (t) => {
  const room = { free: 100 };
  const held = makeHeld(room);
  for (let id = 1; id <= 17; id++) held.keep(id, flow(1, "udp"));
  t.equal(room.free, 84);
  t.strictSame(
    held.take(),
    Array.from({ length: 16 }, (_, n) => n + 2),
  );
  t.equal(room.free, 100);
  t.end();
});
