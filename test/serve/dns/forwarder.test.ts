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
  { waiting = 512, waitingOfClient = 64, clock = { now: 0 } } = {},
) {
  const log: string[] = [];
  const targets = peers.map(({ port }) => ({ address: "127.0.0.1", port }));
  const limits = { waitMs, waiting, waitingOfClient };
  const say = (level: string, message: string): void => void log.push(`${level}: ${message}`);
  const opened = openForwarder(targets, say, limits, () => clock.now);
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
    const once = ({ query }: { query: Buffer }): boolean => !query.includes("\x09localhost\0");
    t.same([first.asked.filter(once).length, second.asked.length], [1, 1]);
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

/** Is it about a name of `bad.example.`? */
const isBad = (query: Buffer): boolean => query.includes("\x03bad\x07example\0");

for (const [title, fails] of [
  ["SERVFAIL", (query: Buffer) => [answerTo(query, [], 0x8182)]],
  ["REFUSED", (query: Buffer) => [answerTo(query, [], 0x8185)]],
  ["FORMERR", (query: Buffer) => [answerTo(query, [], 0x8181)]],
  ["silence", () => []],
] as const)
  t.test(
    `${title} for one name: the next forwarder answers it, and other names keep the order`,
    async (t) => {
      const [first, second] = [await forwardPeer(t), await forwardPeer(t)];
      first.udp = (query) => (isBad(query) ? fails(query) : [answerTo(query, ["192.0.2.1"])]);
      second.udp = (query) => [
        answerTo(query, isBad(query) ? ["192.0.2.2"] : [], isBad(query) ? 0x8180 : 0x8183),
      ];
      const rounds = title === "silence" ? 2 : 20;
      const { ask, log } = forwarder(t, [first, second], title === "silence" ? 1_000 : LONG_MS);
      for (let i = 0; i < rounds; i++) {
        t.same(last(await ask(question(`www${i}.bad.example.`), "one")), [192, 0, 2, 2]);
        t.same(last(await ask(question(`intranet${i}.corp.`), "two")), [192, 0, 2, 1]);
      }
      if (title === "silence")
        await until("it is probed", () => first.asked.some(({ query }) => query.includes("\x09localhost\0")));
      t.same(last(await ask(question("intranet.corp."), "two")), [192, 0, 2, 1]);
      t.same(log, [], "no line in the log for what a client asks");
    },
  );

t.test("a forwarder that answers nothing: asked last, until it answers a later probe", async (t) => {
  const [first, second] = [await forwardPeer(t), await forwardPeer(t)];
  const answers = first.udp;
  first.udp = () => [];
  const clock = { now: 1_000 };
  const { ask, log } = forwarder(t, [first, second], 500, { clock });
  t.match(await ask(question(), "client"), { rcode: 0 });
  await until("it is logged", () => log.length > 0);
  const asked = first.asked.length;
  clock.now += 29_999;
  for (let i = 0; i < 3; i++) t.match(await ask(question(`a${i}.example.`), "client"), { rcode: 0 });
  t.equal(first.asked.length, asked, "not asked in between");
  clock.now += 1;
  t.match(await ask(question(), "client"), { rcode: 0 });
  await until("it is probed again", () => first.asked.length > asked);
  t.equal(first.asked.length, asked + 1, "with one question, which no client waits for");
  first.udp = answers;
  await until("it answers a probe", async () => {
    clock.now += 30_000;
    await ask(question(), "client");
    return log.length > 1;
  });
  const name = `forwarder 127.0.0.1:${first.port}/udp`;
  t.same(log, [
    `warning: ${name} does not answer; until it does, it is asked last`,
    `info: ${name} answers again`,
  ]);
  const others = second.asked.length;
  t.match(await ask(question("b.example."), "client"), { rcode: 0 });
  t.equal(second.asked.length, others, "the order is that of the configuration again");
  second.udp = (query) => [answerTo(query, [], 0x8183)];
  first.udp = () => [];
  t.match(await ask(question("c.example."), "client"), { rcode: 3 }, "NXDOMAIN is an answer");
});

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
      t.same(two.log, []);
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
    await until("they are logged", () => log.length >= 2);
    t.equal(await ask(question(), "client"), undefined);
    t.equal(log.length, 2);
  },
);

t.test("the same question: asked once; a client has so many that wait", async (t) => {
  const peer = await forwardPeer(t);
  peer.udp = () => [];
  const { ask, close } = forwarder(t, [peer], LONG_MS, { waitingOfClient: 4 });
  const same = [ask(question("a.example.net."), "one"), ask(question("A.EXAMPLE.net."), "one")];
  const others = [ask(question("b.example.net."), "one"), ask(question("c.example.net."), "one")];
  t.equal(await ask(question("d.example.net."), "one"), undefined, "the fifth of a client");
  others.push(ask(question("a.example.net."), "two"));
  await until("they are asked", () => peer.asked.length === 3);
  close();
  t.same(
    await Promise.all([...same, ...others]),
    Array(5).fill(undefined),
    "closed: no question waits any more",
  );
  t.equal(await ask(question("e.example.net."), "two"), undefined, "nor is one taken");
});

t.test("too many wait: the client that has most loses its oldest one, any other is answered", async (t) => {
  const peer = await forwardPeer(t);
  peer.udp = (query) => (isBad(query) ? [] : [answerTo(query, ["192.0.2.1"])]);
  const clock = { now: 0 };
  const { ask } = forwarder(t, [peer], LONG_MS, { waiting: 6, clock });
  const ended: string[] = [];
  const wait = (name: string, client: string): void => {
    clock.now++;
    void ask(question(name), client).then(() => ended.push(`${client} ${name}`));
  };
  wait("both.bad.example.", "greedy");
  for (let i = 0; i < 4; i++) wait(`g${i}.bad.example.`, "greedy");
  wait("both.bad.example.", "second");
  await until("they are asked", () => peer.asked.length === 5);
  for (let i = 0; i < 3; i++) {
    t.same(last(await ask(question(`www${i}.example.net.`), "honest")), [192, 0, 2, 1]);
    wait(`more${i}.bad.example.`, "greedy");
  }
  // a place that is free again is taken by the greedy client, which then loses its oldest to the next honest question
  t.same(ended, ["greedy both.bad.example.", "greedy g0.bad.example.", "greedy g1.bad.example."]);
  await until("all are asked", () => peer.asked.length === 5 + 3 + 3);
  wait("both.bad.example.", "third");
  wait("g0.bad.example.", "third");
  await until("what nothing waited for is asked anew", () => peer.asked.length > 11);
  t.equal(peer.asked.length, 12, "what the second client waits for is not");
});
