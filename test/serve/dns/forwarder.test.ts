/** Forwarders over real sockets: which of their messages are answers, and the result when none is. */
import { createSocket } from "node:dgram";
import t, { type Test } from "tap";
import type { Reply } from "../../../src/dns/message/forward.ts";
import { parseQuery, type Query } from "../../../src/dns/message/query.ts";
import { openForwarder } from "../../../src/serve/dns/forwarder.ts";
import { makeQuery } from "../../dns/message.ts";
import { until } from "../../lab/process.ts";
import { answerTo, type ForwardPeer, forwardPeer } from "./forward-peer.ts";

t.setTimeout(1_200_000);

const question = (name = "www.example.net.") => {
  const message = makeQuery(name, "A");
  return { message, query: parseQuery(message) as Query };
};

/** The address in the last record. */
const last = (reply: Reply | undefined): number[] => [...(reply?.octets.subarray(-4) ?? [])];

/** Long enough for every answer that comes; short where none does. */
const LONG_MS = 60_000;
const SHORT_MS = 150;

function forwarder(
  t: Test,
  peers: readonly ForwardPeer[],
  waitMs: number,
  waiting = 512,
  waitingOfClient = 64,
) {
  const log: string[] = [];
  const targets = peers.map(({ port }) => ({ address: "127.0.0.1", port }));
  const limits = { waitMs, waiting, waitingOfClient };
  const opened = openForwarder(targets, (level, message) => void log.push(`${level}: ${message}`), limits);
  t.teardown(() => opened.close());
  return { ...opened, log };
}

t.test("an answer: to a new query, from a new port, with a new ID", async (t) => {
  const peer = await forwardPeer(t);
  const { ask, log } = forwarder(t, [peer], LONG_MS);
  for (let i = 0; i < 8; i++) {
    const reply = await ask(question(), "client");
    t.match(reply, { rcode: 0, truncated: false, counts: [1, 0, 0] });
    t.same(last(reply), [192, 0, 2, 77]);
  }
  t.ok(new Set(peer.asked.map(({ from }) => from)).size > 4, "ports");
  t.ok(new Set(peer.asked.map(({ query }) => query.readUInt16BE(0))).size > 4, "IDs");
  t.same(log, []);
});

t.test("messages that are no answer: ignored, and the wait continues", async (t) => {
  const peer = await forwardPeer(t);
  const { ask } = forwarder(t, [peer], LONG_MS);
  const wrong: [string, (query: Buffer) => Buffer][] = [
    ["ID", (good) => Buffer.from(good).fill((good[0] as number) ^ 1, 0, 1)],
    ["name", (good) => Buffer.from(good).fill("x", 13, 14)],
    ["type", (good) => Buffer.from(good).fill(28, good.indexOf("net") + 5, good.indexOf("net") + 6)],
    ["a query", (good) => Buffer.from(good).fill(0x01, 2, 3)],
    ["opcode", (good) => Buffer.from(good).fill(0xa1, 2, 3)],
    ["no question", (good) => Buffer.from(good).fill(0, 5, 6)],
    ["empty", () => Buffer.alloc(0)],
    ["cut off", (good) => good.subarray(0, -12)],
    ["counts that lie", (good) => Buffer.from(good).fill(9, 7, 8)],
    ["octets behind the end", (good) => Buffer.concat([good, Buffer.alloc(1)])],
    ["oversized", (good) => Buffer.concat([good, Buffer.alloc(2000)])],
    [
      "a pointer to itself",
      (good) => Buffer.from(good).fill(good.length - 27, good.length - 26, good.length - 25),
    ],
  ];
  for (const [title, make] of wrong) {
    const seen = peer.asked.length;
    peer.udp = (query) => [make(answerTo(query, ["6.6.6.6"])), answerTo(query, ["192.0.2.77"])];
    const reply = await ask(question(), "client");
    t.same(last(reply), [192, 0, 2, 77], title);
    t.equal(peer.asked.length, seen + 1, `${title}: asked once`);
  }
});

t.test("an answer from another port, or a late one: ignored", async (t) => {
  const peer = await forwardPeer(t);
  const otherPort = createSocket("udp4");
  t.teardown(() => otherPort.close());
  const patient = forwarder(t, [peer], LONG_MS);
  peer.udp = (query) => {
    const { from } = peer.asked.at(-1) as { from: number };
    // with the right ID and question, and before the true answer
    otherPort.send(answerTo(query, ["6.6.6.6"]), from, "127.0.0.1", () => {
      peer.send(answerTo(query, ["192.0.2.77"]), from);
    });
    return [];
  };
  t.same(last(await patient.ask(question(), "client")), [192, 0, 2, 77]);
  peer.udp = () => [];
  const hasty = forwarder(t, [peer], SHORT_MS);
  t.equal(await hasty.ask(question(), "client"), undefined);
  const { query, from } = peer.asked.at(-1) as { query: Buffer; from: number };
  peer.udp = (next) => {
    peer.send(answerTo(query, ["6.6.6.6"]), from);
    return [answerTo(next, ["192.0.2.79"])];
  };
  t.same(last(await patient.ask(question(), "client")), [192, 0, 2, 79]);
});

t.test(
  "guesses: after sixteen wrong messages the port is closed and the next forwarder is asked",
  async (t) => {
    const [first, second] = [await forwardPeer(t), await forwardPeer(t)];
    const { ask } = forwarder(t, [first, second], LONG_MS);
    first.udp = (query) =>
      Array.from({ length: 16 }, (_, i) => {
        const guess = answerTo(query, ["6.6.6.6"]);
        guess.writeUInt16BE((query.readUInt16BE(0) + 1 + i) & 0xffff, 0);
        return guess;
      });
    const reply = await ask(question(), "client");
    t.same(last(reply), [192, 0, 2, 77]);
    t.same([first.asked.length, second.asked.length], [1, 1]);
  },
);

t.test("truncated: asked again over TCP; truncated there too: no answer", async (t) => {
  const peer = await forwardPeer(t);
  const { ask } = forwarder(t, [peer], LONG_MS);
  peer.udp = (query) => [answerTo(query, [], 0x8380)];
  const many = Array.from({ length: 4000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
  peer.tcp = (query) => [answerTo(query, many)];
  t.match(await ask(question(), "client"), { counts: [4000, 0, 0] });
  t.equal(peer.askedTcp.length, 1);
  for (const tcp of [
    (query: Buffer) => [answerTo(query, [], 0x8380)],
    (query: Buffer) => [
      Buffer.from(answerTo(query, ["6.6.6.6"]))
        .fill(0, 0, 2)
        .fill(1, 0, 1),
    ],
    () => [Buffer.alloc(3)],
  ]) {
    peer.tcp = tcp;
    t.equal(await ask(question(), "client"), undefined);
  }
});

t.test(
  "a forwarder that is silent, refuses or fails: the next one, which is the first from then on",
  async (t) => {
    for (const [title, udp] of [
      ["silent", () => []],
      ["SERVFAIL", (query: Buffer) => [answerTo(query, [], 0x8182)]],
      ["REFUSED", (query: Buffer) => [answerTo(query, [], 0x8185)]],
    ] as const) {
      const [first, second] = [await forwardPeer(t), await forwardPeer(t)];
      first.udp = udp;
      const { ask, log } = forwarder(t, [first, second], title === "silent" ? 2_000 : LONG_MS);
      for (let i = 0; i < 3; i++) t.match(await ask(question(), "client"), { rcode: 0 }, title);
      t.same([first.asked.length, second.asked.length], [1, 3], title);
      t.match(log, [new RegExp(`^warning: forwarder 127.0.0.1:${first.port}/udp does not answer`)]);
      t.equal(log.length, 1);
      second.udp = (query) => [answerTo(query, [], 0x8183)];
      t.match(await ask(question(), "client"), { rcode: 3 }, "NXDOMAIN is an answer");
    }
  },
);

t.test(
  "a forwarder that does not know EDNS: asked once more, without; what fails then too is a failure",
  async (t) => {
    const header = (query: Buffer, flags: number): Buffer => {
      const head = Buffer.alloc(12);
      query.copy(head, 0, 0, 2);
      head.writeUInt16BE(flags, 2);
      return head;
    };
    const echoed = (flags: number) => (query: Buffer) => answerTo(query, [], flags);
    const withoutOpt = (query: Buffer): Buffer =>
      Buffer.from(answerTo(query, [], 0x8181).subarray(0, -11)).fill(0, 11, 12);
    for (const [title, says] of [
      ["FORMERR", echoed(0x8181)],
      ["NOTIMP", echoed(0x8184)],
      ["FORMERR without OPT", withoutOpt],
      ["a header alone", (query: Buffer) => header(query, 0x8181)],
    ] as const) {
      const peer = await forwardPeer(t);
      const { ask, log } = forwarder(t, [peer], LONG_MS);
      peer.udp = (query) => [query[11] === 1 ? says(query) : answerTo(query, ["192.0.2.80"])];
      t.same(last(await ask(question(), "client")), [192, 0, 2, 80], title);
      const asked = peer.asked.map(({ query }) => query);
      t.same(
        asked.map((query) => query[11]),
        [1, 0],
      );
      const [first, second] = asked as [Buffer, Buffer];
      t.same(second.subarray(12), first.subarray(12, -11), "the same question");
      t.same(log, [], "it has answered");
      peer.udp = (query) => [query[11] === 1 ? says(query) : answerTo(query, [], 0x8380)];
      peer.tcp = (query) => [answerTo(query, ["192.0.2.81"])];
      t.same(last(await ask(question(), "client")), [192, 0, 2, 81], "truncated: over TCP, without too");
      t.equal(peer.askedTcp[0]?.[11], 0);
      const next = await forwardPeer(t);
      const two = forwarder(t, [peer, next], LONG_MS);
      peer.udp = (query) => [query[11] === 1 ? says(query) : answerTo(query, [], 0x8181)];
      const before = peer.asked.length;
      t.same(last(await two.ask(question(), "client")), [192, 0, 2, 77], "then the next forwarder");
      t.equal(peer.asked.length - before, 2, "no third question");
      t.match(two.log, [/^warning: forwarder .* reports a failure/]);
    }
  },
);

t.test(
  "no forwarder answers, or nothing listens there: no answer, and one line in the log for each",
  async (t) => {
    const gone = createSocket("udp4");
    const port = await new Promise<number>((done) =>
      gone.bind(0, "127.0.0.1", () => done(gone.address().port)),
    );
    await new Promise<void>((done) => gone.close(done));
    const peer = await forwardPeer(t);
    peer.udp = () => [];
    const { ask, log } = forwarder(t, [{ ...peer, port }, peer], SHORT_MS);
    for (let i = 0; i < 2; i++) t.equal(await ask(question(), "client"), undefined);
    t.equal(log.length, 2);
  },
);

t.test(
  "bounds: the same question is asked once, and a client or all together have so many waiting",
  async (t) => {
    const peer = await forwardPeer(t);
    peer.udp = () => [];
    const { ask, close } = forwarder(t, [peer], LONG_MS, 6, 4);
    const same = [ask(question("a.example.net."), "one"), ask(question("A.EXAMPLE.net."), "one")];
    const others = [ask(question("b.example.net."), "one"), ask(question("c.example.net."), "one")];
    t.equal(await ask(question("d.example.net."), "one"), undefined, "the fifth of a client");
    others.push(ask(question("e.example.net."), "two"), ask(question("f.example.net."), "two"));
    t.equal(await ask(question("g.example.net."), "three"), undefined, "the seventh of all");
    await until("they are asked", () => peer.asked.length === 5);
    close();
    t.same(
      await Promise.all([...same, ...others]),
      Array(6).fill(undefined),
      "closed: no question waits any more",
    );
  },
);
