import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import t, { type Test } from "tap";
import { loadSockets } from "../../../src/platform/libc.ts";
import {
  ANSWER_BOUNDS,
  countAnswer,
  countEvent,
  counterRow,
  countTime,
  readCounters,
} from "../../../src/serve/dns/counters.ts";
import { type DnsOptions, serveDns } from "../../../src/serve/dns/server.ts";
import { summaryOf } from "../../../src/serve/summary.ts";
import { makeQuery, readMessage } from "../../dns/message.ts";
import { EXAMPLE } from "../../dns/zones.ts";
import { freePorts } from "../peers.ts";

async function serve(t: Test, options: Partial<DnsOptions>) {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-dns-"));
  const file = join(dir, "zone");
  writeFileSync(file, EXAMPLE);
  const server = await serveDns({
    zone: "example.org",
    zoneFile: file,
    listen: ["127.0.0.1"],
    port: 0,
    allowTransfer: [],
    log: () => {},
    ...options,
  });
  t.teardown(async () => {
    await server.close();
    rmSync(dir, { recursive: true });
  });
  const replace = (text: string) => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  return { server, replace };
}

/** Is a query answered over this connection? */
async function answers(socket: Socket): Promise<boolean> {
  const query = makeQuery("web.example.org.", "A");
  socket.write(Buffer.concat([Buffer.from([0, query.length]), query]));
  const over = new AbortController();
  const { signal } = over;
  try {
    return await Promise.race([
      once(socket, "data", { signal }).then(
        () => true,
        () => false,
      ),
      once(socket, "close", { signal }).then(() => false),
      sleep(500, false, { signal }),
    ]);
  } finally {
    over.abort(); // no listener stays
  }
}

t.test("all TCP places taken: a new connection closes the longest idle one", async (t) => {
  const { server } = await serve(t, { connections: 5 });
  const sockets: Socket[] = [];
  for (let i = 0; i < 8; i++) {
    const socket = connect({ host: "127.0.0.1", port: server.port });
    socket.on("error", () => {});
    await once(socket, "connect");
    sockets.push(socket);
    t.ok(await answers(socket), `connection ${i}`);
    await sleep(5);
  }
  await sleep(50);
  t.strictSame(
    sockets.map((socket) => socket.destroyed || socket.readableEnded || socket.closed),
    [true, true, true, false, false, false, false, false],
  );
  for (const socket of sockets) socket.destroy();
});

for (const engine of ["fast", "portable"] as const) {
  t.test(`no query is lost while the zone is replaced 20 times, ${engine} engine`, async (t) => {
    const { server, replace } = await serve(t, engine === "portable" ? { engine } : {});
    const socket = createSocket("udp4");
    t.teardown(() => socket.close());
    socket.connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    // This client shares its thread with the compiler of zones.
    socket.setRecvBufferSize(4 << 20);
    let good = 0;
    let newest = 0;
    socket.on("message", (message) => {
      const read = readMessage(message);
      if (read.rcode === 0 && read.records.length === 2) good++;
      newest = Math.max(newest, read.records[1]?.rdata[3] ?? 0);
    });
    let sent = 0;
    for (let version = 1; version <= 20; version++) {
      replace(
        EXAMPLE.replace(" 7 3600", ` ${7 + version} 3600`).replace(
          "web A 192.0.2.6",
          `web A 192.0.2.${100 + version}`,
        ),
      );
      for (let i = 0; i < 50; i++) {
        socket.send(makeQuery("web.example.org.", "A", { id: sent++ }));
        if (i % 5 === 0) await sleep(1);
      }
    }
    await sleep(300);
    socket.send(makeQuery("web.example.org.", "A", { id: sent++ }));
    for (let i = 0; i < 200 && good < sent; i++) await sleep(20);
    t.equal(good, sent);
    t.equal(newest, 120, "and the last version is the one served");
  });
}

t.test("IPv6: answered from the address that received the query", async (t) => {
  const { server } = await serve(t, { listen: ["::1", "127.0.0.1"] });
  t.ok(
    server.endpoints.every(({ bound }) => bound),
    "both families on one port",
  );
  const socket = createSocket("udp6");
  t.teardown(() => socket.close());
  socket.send(
    makeQuery("web.example.org.", "A", { edns: { options: [[10, new Uint8Array(8)]] } }),
    server.port,
    "::1",
  );
  const [message] = (await once(socket, "message")) as [Buffer];
  t.match(readMessage(message), { rcode: 0, aa: true });
});

t.test("malformed and limited traffic is summed up in one log line", async (t) => {
  const row = counterRow();
  const before = readCounters([row]);
  t.equal(summaryOf(before, before), undefined);
  countEvent(row, "malformed", 3);
  countEvent(row, "dropped");
  countAnswer(row, 1, 0);
  t.equal(
    summaryOf(before, readCounters([row])),
    "in the last minute: 3 malformed queries, 1 answers dropped by the rate limit",
  );
});

t.test("times of answers: counted by bounds, and added up over the threads", async (t) => {
  const [one, other] = [counterRow(), counterRow()];
  countTime(one, 64, 0.01);
  countTime(one, 1, 0.0101);
  countTime(other, 2, 5_000);
  const { counts, seconds } = readCounters([one, other]).answers;
  t.equal(counts.length, ANSWER_BOUNDS.length + 1);
  t.same([counts[0], counts[1], counts.at(-1)], [64, 1, 2], "a bound is within");
  t.equal(
    counts.reduce((sum, n) => sum + n),
    67,
  );
  t.ok(Math.abs(seconds - 10.000_650_1) < 1e-9);
});

/** A UDP socket that is bound to the port already, as systemd would. */
function boundElsewhere(port: number): number {
  const libc = loadSockets();
  if ("reason" in libc) throw new Error(libc.reason);
  const fd = libc.calls.socket(2, 2, 0);
  // struct sockaddr_in: AF_INET, port, 127.0.0.1
  const address = Uint8Array.of(2, 0, port >> 8, port & 255, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  if (libc.calls.bind(fd, address, address.length) < 0) throw new Error(libc.calls.failure());
  return fd;
}

for (const [whose, inherited] of [
  ["its addresses", false],
  ["the sockets that systemd passed", true],
] as const) {
  t.test(`the UDP thread ends: the portable engine takes over ${whose}`, async (t) => {
    const logs: string[] = [];
    const threads: Worker[] = [];
    process.once("worker", (worker) => threads.push(worker));
    const [port] = (await freePorts(1)) as [number];
    const fd = inherited ? boundElsewhere(port) : undefined;
    const { server } = await serve(t, {
      port,
      activated: { of: (protocol) => (protocol === "udp" ? fd : undefined), unused: () => [] },
      log: (level, message) => logs.push(`${level}: ${message}`),
    });
    t.equal(server.engine, "fast");
    const asked = async (): Promise<ReturnType<typeof readMessage>> => {
      const socket = createSocket("udp4");
      t.teardown(() => socket.close());
      socket.send(makeQuery("web.example.org.", "A"), server.port, "127.0.0.1");
      const [message] = (await once(socket, "message")) as [Buffer];
      return readMessage(message);
    };
    t.match(await asked(), { rcode: 0, aa: true }, "before");
    await threads[0]?.terminate();
    for (let i = 0; i < 100 && !server.endpoints.every(({ bound }) => bound); i++) await sleep(20);
    t.equal(server.engine, "portable");
    t.match(await asked(), { rcode: 0, aa: true });
    t.match(
      logs.filter((line) => line.startsWith("error")),
      [/the fast UDP engine failed, the portable one takes over/, /failed: .*; binding it again/],
    );
  });
}

for (const engine of ["fast", "portable"] as const) {
  t.test(
    `beyond the rate limit answers slip or are dropped; cookies and TCP are exempt, ${engine} engine`,
    async (t) => {
      const { server } = await serve(t, { rateLimit: 20, ...(engine === "portable" ? { engine } : {}) });
      const socket = createSocket("udp4");
      t.teardown(() => socket.close());
      socket.connect(server.port, "127.0.0.1");
      await once(socket, "connect");
      socket.setRecvBufferSize(4 << 20);
      const got: ReturnType<typeof readMessage>[] = [];
      const marks = new Set<string>();
      let settled = 0;
      socket.on("message", (message) => {
        const answer = readMessage(message);
        const name = answer.questions[0]?.name ?? "";
        if (name.startsWith("mark-")) marks.add(name);
        else got.push(answer);
      });
      let mark = (_: string): Uint8Array | undefined => undefined;
      /** Until a question with a cookie, sent after all others, has its answer: one socket's are answered in turn. */
      const settle = async () => {
        const name = `mark-${++settled}.example.org.`;
        for (let last = mark(name); last !== undefined && !marks.has(name); await sleep(50))
          socket.send(last);
      };
      const flood = async (query: Uint8Array) => {
        got.length = 0;
        for (let i = 0; i < 200; i++) socket.send(query);
        await settle();
        return [
          got.filter((each) => !each.tc).length,
          got.filter((each) => each.tc && each.records.length === 0).length,
        ];
      };
      const cookie = (octets: Uint8Array) =>
        makeQuery("mail.example.org.", "A", { edns: { options: [[10, octets]] } });
      socket.send(cookie(new Uint8Array(8).fill(3)));
      for (let i = 0; i < 100 && got.length === 0; i++) await sleep(10);
      const ours = got[0]?.opt?.rdata.slice(4) as Uint8Array;
      t.equal(ours.length, 24);
      const good = ours.slice();
      mark = (name) => makeQuery(name, "A", { edns: { options: [[10, good]] } });
      const [whole, slipped] = (await flood(makeQuery("web.example.org.", "A", { edns: {} }))) as [
        number,
        number,
      ];
      t.ok(whole >= 19 && whole < 40, `${whole} whole`);
      t.ok(slipped > 70 && slipped < 95, `${slipped} slipped`);
      t.ok(
        got.every((each) => each.opt !== undefined),
        "OPT is kept",
      );
      t.ok(server.counters.events.dropped > 70 && server.counters.events.slipped > 70);
      t.strictSame(await flood(cookie(ours)), [200, 0], "with a cookie of ours");
      ours[23] = (ours[23] as number) ^ 1;
      t.ok(((await flood(cookie(ours)))[0] as number) < 40, "with a forged one");
      const tcp = connect({ host: "127.0.0.1", port: server.port });
      await once(tcp, "connect");
      for (let i = 0; i < 50; i++) if (!(await answers(tcp))) t.fail(`TCP query ${i}`);
      tcp.destroy();
    },
  );
}
