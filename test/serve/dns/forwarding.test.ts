/** The name server with forwarders: which clients are answered from them, and what they get. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { counterRow } from "../../../src/serve/dns/counters.ts";
import { ownNetworks } from "../../../src/serve/dns/own-networks.ts";
import { type DnsOptions, serveDns } from "../../../src/serve/dns/server.ts";
import { FORWARD, udpResponder } from "../../../src/serve/dns/udp-answer.ts";
import { makeQuery, type ReadMessage, readMessage } from "../../dns/message.ts";
import { authorityOf, EXAMPLE } from "../../dns/zones.ts";
import { askUdp, freePorts } from "../peers.ts";
import { answerTo, forwardPeer } from "./forward-peer.ts";

t.setTimeout(1_200_000);

const RA = 0x80;

async function serve(t: Test, options: Partial<DnsOptions>) {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-dns-"));
  writeFileSync(join(dir, "zone"), EXAMPLE);
  const log: string[] = [];
  const server = await serveDns({
    zone: "example.org",
    zoneFile: join(dir, "zone"),
    listen: ["127.0.0.1"],
    port: 0,
    allowTransfer: [],
    log: (level, message) => void log.push(`${level}: ${message}`),
    ...options,
  });
  t.teardown(async () => {
    await server.close();
    rmSync(dir, { recursive: true });
  });
  const ask = async (query: Uint8Array): Promise<ReadMessage> => {
    const answer = await askUdp(server.port, query, 60_000);
    if (answer === undefined) throw new Error("no answer");
    return answer;
  };
  return { server, ask, log };
}

/** Sends queries over one connection, closes its sending side, and gives the answers until the server closes. */
async function askTcp(port: number, queries: readonly Uint8Array[]): Promise<ReadMessage[]> {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  for (const query of queries) socket.write(Buffer.concat([Buffer.from([0, query.length]), query]));
  socket.end();
  let all = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    all = Buffer.concat([all, chunk]);
  });
  await once(socket, "end");
  const found: ReadMessage[] = [];
  for (let at = 0; at < all.length; at += 2 + all.readUInt16BE(at))
    found.push(readMessage(all.subarray(at + 2, at + 2 + all.readUInt16BE(at))));
  return found;
}

for (const engine of ["fast", "portable"] as const)
  t.test(
    `${engine} engine: names outside of the zone come from the forwarder, those inside from the zone`,
    async (t) => {
      const peer = await forwardPeer(t);
      const forwarders = [{ address: "127.0.0.1", port: peer.port }];
      const { server, ask } = await serve(t, { forwarders, ...(engine === "portable" ? { engine } : {}) });
      t.equal(server.engine, engine);
      const mixed = makeQuery("www.example.net.", "A", { id: 7, edns: {} });
      mixed.set(Buffer.from("WwW"), 13);
      const found = await ask(mixed);
      t.match(found, {
        id: 7,
        rcode: 0,
        aa: false,
        tc: false,
        questions: [{ name: "WwW.example.net.", type: 1 }],
      });
      t.equal(found.flags & 0xff, RA);
      t.match(found.records[0], { owner: "WwW.example.net.", type: 1, ttl: 9 });
      t.same([...(found.records[0]?.rdata ?? [])], [192, 0, 2, 77]);
      t.equal(peer.asked[0]?.query.subarray(12).toString("latin1").includes("WwW"), true, "the case is kept");

      const inside = await ask(makeQuery("web.example.org.", "A"));
      t.match(inside, { rcode: 0, aa: true });
      t.equal(inside.flags & RA, RA, "recursion is available to this client");
      t.match(await ask(makeQuery("no.example.org.", "A")), { rcode: 3, aa: true });
      t.equal(peer.asked.length, 1, "the zone's own names are never forwarded");

      const refused: [string, Uint8Array][] = [
        ["without RD", makeQuery("www.example.net.", "A", { flags: 0 })],
        ["another class", makeQuery("www.example.net.", "A", { qclass: 3 })],
        ["a transfer", makeQuery("example.net.", "AXFR")],
      ];
      for (const [title, query] of refused) t.match(await ask(query), { rcode: 5 }, title);
      t.equal(peer.asked.length, 1);

      peer.udp = (query) => [answerTo(query, [], 0x8182)];
      t.match(await ask(makeQuery("www.example.net.", "A")), { rcode: 2, aa: false }, "the forwarder fails");
      t.equal(server.counters.events.forwarded, 2);
    },
  );

for (const engine of ["fast", "portable"] as const)
  t.test(
    `${engine} engine: an alias that leads out of the zone is followed by way of the forwarder`,
    async (t) => {
      const peer = await forwardPeer(t);
      const forwarders = [{ address: "127.0.0.1", port: peer.port }];
      const { server, ask } = await serve(t, { forwarders, ...(engine === "portable" ? { engine } : {}) });
      const of = ({ records }: ReadMessage) =>
        records.map(({ owner, type, ttl }) => `${owner} ${type} ${ttl}`);
      const whole = ["ext.example.org. 5 60", "www.example.net. 1 9"];
      const found = await ask(makeQuery("ext.example.org.", "A", { edns: {} }));
      t.match(found, { rcode: 0, aa: true, questions: [{ name: "ext.example.org." }] });
      t.equal(found.flags & 0xff, RA);
      t.same(of(found), whole);
      t.match(readMessage((peer.asked[0] as { query: Buffer }).query).questions, [
        { name: "www.example.net." },
      ]);
      const [second] = await askTcp(server.port, [makeQuery("ext.example.org.", "A", { edns: {} })]);
      t.same(of(second as ReadMessage), whole, "over TCP");
      t.equal(peer.asked.length, 2);
      t.same(of(await ask(makeQuery("ext.example.org.", "CNAME"))), [whole[0]]);
      t.same(of(await ask(makeQuery("ext.example.org.", "A", { flags: 0 }))), [whole[0]]);
      t.same(of(await ask(makeQuery("loop.example.org.", "A"))), [
        "loop.example.org. 5 60",
        "pool.example.org. 5 60",
      ]);
      t.equal(peer.asked.length, 2, "not asked for what the zone answers");
    },
  );

t.test(
  "below a delegation: the forwarder's answer with recursion desired, the referral without",
  async (t) => {
    const peer = await forwardPeer(t);
    const { server, ask } = await serve(t, { forwarders: [{ address: "127.0.0.1", port: peer.port }] });
    const query = makeQuery("q.sub.example.org.", "A", { edns: {} });
    const [tcp] = await askTcp(server.port, [query]);
    for (const found of [await ask(query), tcp as ReadMessage]) {
      t.match(found, { rcode: 0, aa: false, tc: false });
      t.equal(found.flags & 0xff, RA);
      t.same(
        found.records.map(({ section, owner, type }) => `${section} ${owner} ${type}`),
        ["answer q.sub.example.org. 1"],
      );
      t.same([...(found.records[0]?.rdata ?? [])], [192, 0, 2, 77]);
    }
    t.equal(peer.asked.length, 2);
    const referral = await ask(makeQuery("q.sub.example.org.", "A", { flags: 0, edns: {} }));
    t.match(referral, { rcode: 0, aa: false });
    t.same([...new Set(referral.records.map(({ section }) => section))], ["authority", "additional"]);
    t.match(await ask(makeQuery("sub.example.org.", "DS")), { rcode: 0, aa: true });
    t.equal(peer.asked.length, 2, "not asked for these");
    peer.udp = (asked) => [answerTo(asked, [], 0x8182)];
    t.match(await ask(query), { rcode: 2, records: [] });
  },
);

t.test("a forwarder that leads an alias back to this server: ended, with SERVFAIL", async (t) => {
  const peer = await forwardPeer(t);
  const { server, ask } = await serve(t, { forwarders: [{ address: "127.0.0.1", port: peer.port }] });
  let led = 0;
  // it resolves the target by asking for the alias, and waits for that answer
  peer.udp = (query) => {
    if (query.includes("\x09localhost\0")) return [answerTo(query, ["127.0.0.1"])];
    led++;
    void askUdp(server.port, makeQuery("ext.example.org.", "A"), 60_000);
    return [];
  };
  t.match(await ask(makeQuery("ext.example.org.", "A")), { rcode: 2, aa: true });
  t.equal(led, 1, "the same question is asked once");
});

t.test("over TCP: answers of zone and forwarder on one connection, all before it is closed", async (t) => {
  const peer = await forwardPeer(t);
  const { server } = await serve(t, { forwarders: [{ address: "127.0.0.1", port: peer.port }] });
  const many = Array.from({ length: 70 }, (_, i) => `10.0.0.${i}`);
  peer.udp = (query) => [answerTo(query, [], 0x8380)];
  peer.tcp = (query) => [answerTo(query, many)];
  const answers = await askTcp(server.port, [
    makeQuery("a.example.net.", "A", { id: 1 }),
    makeQuery("web.example.org.", "A", { id: 2 }),
    makeQuery("b.example.net.", "A", { id: 3, edns: { size: 1232 } }),
  ]);
  t.same(answers.map(({ id }) => id).sort(), [1, 2, 3]);
  for (const { id, flags, records } of answers) {
    t.equal(flags & RA, RA);
    t.equal(records.filter(({ section }) => section === "answer").length, id === 2 ? 2 : 70);
  }
});

t.test("over UDP an answer has at most four times the octets of its query without a cookie", async (t) => {
  const peer = await forwardPeer(t);
  const { ask } = await serve(t, { forwarders: [{ address: "127.0.0.1", port: peer.port }] });
  peer.udp = (query) => [
    answerTo(
      query,
      Array.from({ length: 20 }, (_, i) => `10.0.0.${i}`),
    ),
  ];
  t.match(await ask(makeQuery("www.example.net.", "A", { edns: { size: 4096 } })), { tc: true });
  const cookie = (octets: Uint8Array) => ({
    edns: { size: 4096, options: [[10, octets]] as [number, Uint8Array][] },
  });
  const first = await ask(makeQuery("www.example.net.", "A", cookie(new Uint8Array(8))));
  const ours = first.opt?.rdata.slice(4) as Uint8Array;
  const whole = await ask(makeQuery("www.example.net.", "A", cookie(ours)));
  t.match(whole, { tc: false });
  t.equal(whole.records.filter(({ section }) => section === "answer").length, 20);
});

t.test("without DNS_FORWARDERS, and with this server itself as forwarder: refused, without RA", async (t) => {
  const { ask } = await serve(t, {});
  const plain = await ask(makeQuery("www.example.net.", "A"));
  t.match(plain, { rcode: 5 });
  t.equal(plain.flags & RA, 0);
  t.equal((await ask(makeQuery("web.example.org.", "A"))).flags & RA, 0);
  const [port] = (await freePorts(1)) as [number];
  const own = await serve(t, { port, forwarders: [{ address: "127.0.0.1", port }] });
  t.match(await own.ask(makeQuery("www.example.net.", "A")), { rcode: 5 });
  t.match(own.log.join("\n"), /DNS_FORWARDERS names this server itself/);
});

t.test("clients in other networks: REFUSED without RA, and nothing is forwarded", async (t) => {
  const own = ownNetworks(() => ({
    eth0: [
      { address: "192.168.122.200", cidr: "192.168.122.200/24", family: "IPv4" },
      { address: "192.168.9.1", cidr: "192.168.9.1/32", family: "IPv4" },
      { address: "2001:db8::1", cidr: "2001:db8::1/64", family: "IPv6" },
    ] as never,
    tun0: [{ address: "10.8.0.1", cidr: "10.8.0.1/0", family: "IPv4" }] as never,
  }));
  const responder = udpResponder(counterRow(), { perSecond: 0 }, 7, {
    mayTransfer: () => false,
    mayAsk: own,
  });
  responder.use(authorityOf({}));
  const ask = (client: number[], name: string): number | ReadMessage => {
    const octets = new Uint8Array(1300);
    const query = makeQuery(name, "A");
    octets.set(query);
    const address = Uint8Array.from(client);
    const size = responder.answer(octets, 0, query.length, address, 0, address.length, 0);
    return size === FORWARD ? size : readMessage(octets.subarray(0, size));
  };
  const inside = [
    [192, 168, 122, 7],
    [192, 168, 9, 1],
    [10, 8, 0, 1],
    [0x20, 1, 0x0d, 0xb8, ...Array(12).fill(7)],
  ];
  (inside[3] as number[]).fill(0, 4, 8);
  for (const client of inside)
    for (const name of ["www.example.net.", "q.sub.example.org."])
      t.equal(ask(client, name), FORWARD, client.join("."));
  for (const client of [
    [192, 168, 123, 7],
    [192, 168, 9, 2],
    [10, 8, 0, 2],
    [8, 8, 8, 8],
    [0x20, 1, 0x0d, 0xb9, ...Array(12).fill(0)],
  ]) {
    const refused = ask(client, "www.example.net.") as ReadMessage;
    t.match(refused, { rcode: 5 }, client.join("."));
    t.equal(refused.flags & RA, 0);
    t.equal((ask(client, "web.example.org.") as ReadMessage).flags & RA, 0);
    const referral = ask(client, "q.sub.example.org.") as ReadMessage;
    t.match(referral, { rcode: 0, aa: false });
    t.equal(referral.flags & RA, 0);
    t.ok(referral.records.some(({ section }) => section === "authority"));
  }
});

t.test("a flood of questions for a forwarder: limited by network as answers are", async (t) => {
  const rights = { mayTransfer: () => false, mayAsk: () => true };
  const responder = udpResponder(counterRow(), { perSecond: 2 }, 7, rights);
  responder.use(authorityOf({}));
  const sizes = Array.from({ length: 4 }, () => {
    const octets = new Uint8Array(1300);
    const query = makeQuery("www.example.net.", "A");
    octets.set(query);
    return responder.answer(octets, 0, query.length, Uint8Array.of(192, 0, 2, 9), 0, 4, 1000);
  });
  t.same(sizes, [FORWARD, FORWARD, makeQuery("www.example.net.", "A").length, 0]);
});

t.test("the host's networks: read again after five seconds", async (t) => {
  let now = 0;
  let address = "192.0.2.1";
  const interfaces = () => ({ eth0: [{ address, cidr: `${address}/24`, family: "IPv4" }] as never });
  const own = ownNetworks(interfaces, () => now);
  const client = Uint8Array.of(198, 51, 100, 9);
  t.equal(own(client), false);
  address = "198.51.100.1";
  now = 4_999;
  t.equal(own(client), false);
  now = 5_000;
  t.equal(own(client), true);
});
