/** TCP connections: answers, memory, and which one is closed at a limit. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { type ConnectionLimits, clientOf, connectionShare } from "../../../src/daemon/connection-share.ts";
import { parseName } from "../../../src/dns/wire/name.ts";
import type { Served } from "../../../src/dns/zone/authority.ts";
import { counterRow } from "../../../src/serve/dns/counters.ts";
import { readPermission } from "../../../src/serve/dns/networks.ts";
import { openTcp } from "../../../src/serve/dns/tcp.ts";
import { tcpAnswer } from "../../../src/serve/dns/tcp-answer.ts";
import { rest } from "../../../src/serve/dns/tcp-frame.ts";
import type { TcpAnswer } from "../../../src/serve/dns/tcp-types.ts";

import { makeQuery } from "../../dns/message.ts";
import { authorityOf, zoneOf } from "../../dns/zones.ts";
import { until } from "../../lab/process.ts";
import { freePorts } from "../peers.ts";

t.setTimeout(1_200_000);

const QUERY = makeQuery("web.example.org.", "A");
const FRAMED = Buffer.concat([Buffer.from([0, QUERY.length]), QUERY]);

/** Wait until a number does not grow any more. */
async function settled(read: () => number): Promise<number> {
  for (let same = 0, last = -1; same < 10; await sleep(30)) {
    same = read() === last ? same + 1 : 0;
    last = read();
  }
  return read();
}

/** Has the server closed it? */
const gone = ({ heard }: { heard: { ended: boolean; closed: boolean } }) => heard.ended || heard.closed;

function* broken(octets: number): Generator<Uint8Array> {
  yield new Uint8Array(octets);
  throw new RangeError("a record fits no message");
}

/** A server whose every answer has so many octets. */
async function open(t: Test, octets: number, limits: Partial<ConnectionLimits> = {}, transfers = false) {
  const count = { answered: 0, aborted: 0 };
  const answer: TcpAnswer = {
    zones: () => [],
    answered: () => {},
    sent: () => {},
    respond(_message, _address, out) {
      count.answered++;
      out.fill(7, 0, octets);
      return octets;
    },
    transfer: () => (transfers ? broken(octets) : undefined),
    aborted() {
      count.aborted++;
    },
    opened: () => {},
    mayAsk: () => false,
    forward: () => undefined,
  };
  const share = connectionShare({ idleSeconds: 60, connections: 100, held: 1 << 30, ...limits });
  const [port] = (await freePorts(1)) as [number];
  const opened = await openTcp("127.0.0.1", port, share, answer);
  const sockets: Socket[] = [];
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await opened.close();
    share.close();
  });
  /** A client; it reads nothing until the test resumes it. */
  const client = async (localAddress = "127.0.0.1") => {
    const socket = connect({ host: "127.0.0.1", port, localAddress, allowHalfOpen: true });
    sockets.push(socket);
    const heard = { octets: 0, ended: false, closed: false };
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      heard.octets += chunk.length;
    });
    socket.on("end", () => {
      heard.ended = true;
    });
    socket.on("close", () => {
      heard.closed = true;
    });
    socket.pause();
    await once(socket, "connect");
    return { socket, heard };
  };
  return { count, client, share };
}

for (const [what, octets, queries] of [
  ["small", 40, 400_000],
  ["large", 4000, 20_000],
] as const) {
  t.test(`a client slow to read ${what} answers holds little memory and gets all of them`, async (t) => {
    const { count, client } = await open(t, octets);
    const { socket, heard } = await client();
    socket.write(Buffer.concat(Array(queries).fill(FRAMED)));
    const early = await settled(() => count.answered);
    // The kernel's buffers on both sides, and the 256 KiB of the server.
    if (what === "large")
      t.ok(early * octets < 32 << 20, `${early} answers of ${queries} made that no client reads yet`);
    socket.resume();
    await until("every query is answered", () => heard.octets === queries * (octets + 2));
    t.equal(count.answered, queries);
  });
}

t.test("a client that half-closes gets every answer, then the end", async (t) => {
  const { client } = await open(t, 40);
  const many = await client();
  many.socket.end(Buffer.concat(Array(20_000).fill(FRAMED)));
  many.socket.resume();
  await until("the connection is closed", () => many.heard.closed);
  t.strictSame([many.heard.octets, many.heard.ended], [20_000 * 42, true]);
  const half = await client();
  half.socket.end(FRAMED.subarray(0, 9));
  half.socket.resume();
  await until("half a message: no wait", () => half.heard.closed);
  t.equal(half.heard.octets, 0);
});

t.test("a client that half-closes and reads nothing is closed as idle", async (t) => {
  const { client } = await open(t, 4000, { idleSeconds: 1 });
  const { socket, heard } = await client();
  socket.end(Buffer.concat(Array(20_000).fill(FRAMED)));
  await sleep(2500);
  socket.resume();
  await until("the connection is closed", () => heard.closed);
  t.ok(heard.octets < 20_000 * 4002, "before it had everything");
});

t.test("a transfer that cannot go on ends its connection, and is counted", async (t) => {
  const { count, client } = await open(t, 40, {}, true);
  const each = await client();
  each.socket.resume();
  each.socket.write(FRAMED);
  await until("the connection is closed", () => gone(each));
  t.equal(count.aborted, 1);
});

t.test("above the memory limit the connection that holds most is closed", async (t) => {
  const { count, client } = await open(t, 4000, { held: 1 << 20 });
  const other = await client("127.0.0.2");
  other.socket.resume();
  other.socket.write(FRAMED);
  await until("an answer", () => other.heard.octets === 4002);
  // Each may hold 256 KiB and what it has sent: more than four of them are too many.
  const greedy = await Promise.all(Array.from({ length: 12 }, () => client()));
  for (const { socket } of greedy) socket.write(Buffer.concat(Array(20_000).fill(FRAMED)));
  await settled(() => count.answered);
  for (const { socket } of greedy) socket.resume();
  await until("some are closed", () => greedy.filter(gone).length > 0);
  t.ok(!greedy.every(gone), "and no more than has to be");
  other.socket.write(FRAMED);
  await until("another answer", () => other.heard.octets === 2 * 4002);
  t.notOk(gone(other));
});

t.test("unfinished messages count for the memory limit", async (t) => {
  const { client } = await open(t, 40, { held: 1 << 20 });
  const half = Buffer.concat([Buffer.from([0xff, 0xff]), Buffer.alloc(60_000)]);
  const greedy = await Promise.all(Array.from({ length: 30 }, () => client()));
  for (const { socket } of greedy) socket.write(half);
  await until("some are closed", () => greedy.filter(gone).length >= 13);
  t.ok(greedy.filter((each) => !gone(each)).length >= 15, "and no more than has to be");
});

t.test("what follows an answered message is kept without that message", async (t) => {
  const all = Buffer.allocUnsafeSlow(60_000);
  all[59_999] = 7;
  const left = rest(all, 59_999);
  t.strictSame([...left], [7]);
  t.equal(left.buffer.byteLength, 1);
  t.equal(rest(all, 10_000).buffer, all.buffer, "a large part is not copied");
  t.equal(rest(all, 60_000).length, 0);
});

t.test("a client that opens all connections: loses its own, not those of others", async (t) => {
  const { client } = await open(t, 40, { connections: 6 });
  const ask = async ({ socket, heard }: Awaited<ReturnType<typeof client>>) => {
    const had = heard.octets;
    socket.resume();
    socket.write(FRAMED);
    await until("an answer", () => heard.octets > had);
    // `active` is in milliseconds
    await sleep(2);
  };
  const others = [await client("127.0.0.2"), await client("127.0.0.3")];
  for (const each of others) await ask(each);
  const greedy: Awaited<ReturnType<typeof client>>[] = [];
  for (let i = 0; i < 20; i++) {
    const each = await client();
    await ask(each);
    greedy.push(each);
  }
  await until("16 of 20 are closed", () => greedy.filter(gone).length === 16);
  t.ok(!greedy.slice(16).some(gone), "its newest four are there");
  for (const each of others) await ask(each);
  const last = await client("127.0.0.4");
  await ask(last);
  await until("a new client has one of its places", () => gone(greedy[16] as (typeof greedy)[number]));
});

t.test("plain questions are for the zone with the longest apex, as over UDP", async (t) => {
  const served = (origin: string, text: string): Served => {
    const zone = zoneOf(`@ 60 SOA ns hm 1 60 60 60 60\n@ 60 NS ns\n${text}`, origin);
    return { origin: parseName(origin), zone };
  };
  const above = served("example.org.", "a.b 60 A 192.0.2.1\n");
  const below = served("b.example.org.", "a 60 A 192.0.2.2\n");
  let zones: readonly Served[] = [above, { origin: parseName("x."), zone: undefined }, below];
  const answer = tcpAnswer(() => authorityOf({ zones }), readPermission([]).permission, counterRow());
  t.strictSame(answer.zones(), [below.zone, above.zone]);
  t.equal(answer.zones(), answer.zones(), "sorted once");
  zones = [above];
  t.strictSame(answer.zones(), [above.zone], "a new authority is followed");
});

t.test("a client is an address of IPv4, or a /56 of IPv6", async (t) => {
  t.equal(clientOf("::ffff:192.0.2.1"), clientOf("192.0.2.1"));
  t.not(clientOf("192.0.2.1"), clientOf("192.0.2.2"));
  t.equal(clientOf("2001:db8:0:12::1"), clientOf("2001:db8:0:ff:1::2"));
  t.not(clientOf("2001:db8:0:100::1"), clientOf("2001:db8:0:200::1"));
});
