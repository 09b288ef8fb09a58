import t from "tap";
import { MAX_UDP_OCTETS } from "../../../src/dns/zone/authority.ts";
import { counterRow } from "../../../src/serve/dns/counters.ts";
import { udpResponder } from "../../../src/serve/dns/udp-answer.ts";
import { makeQuery, type QueryOptions, type ReadMessage, readMessage } from "../../dns/message.ts";
import { authorityOf } from "../../dns/zones.ts";

const CLIENT = Uint8Array.of(192, 0, 2, 99);
const NOW = 1_700_000_000_000;

/** Asks a responder that gives two answers of a kind a second to a network; all in one millisecond. */
function asker(): (options: QueryOptions, name?: string) => ReadMessage | undefined {
  const responder = udpResponder(counterRow(), { perSecond: 2, spareLocal: false }, 7, () => false);
  responder.use(authorityOf({ cookieSecrets: [new Uint8Array(16).fill(9)] }));
  return (options, name = "web.example.org.") => {
    const octets = new Uint8Array(MAX_UDP_OCTETS + 16);
    const query = makeQuery(name, "A", options);
    octets.set(query, 16);
    const size = responder.answer(octets, 16, query.length, CLIENT, 0, 4, NOW);
    return size === 0 ? undefined : readMessage(octets.subarray(16, 16 + size));
  };
}

const withCookie = (cookie: Uint8Array): QueryOptions => ({
  edns: { flags: 0x8000, options: [[10, cookie]] },
});

t.test("an answer that slips keeps DO, in place and on the slow path", async (t) => {
  // The second name is an alias, which is not answered in place.
  for (const name of ["web.example.org.", "www.example.org."]) {
    for (const [edns, ttl] of [
      [{ flags: 0x8000 }, 0x8000],
      [{}, 0],
      [undefined, undefined],
    ] as const) {
      const ask = asker();
      const options = edns === undefined ? {} : { edns };
      for (let i = 0; i < 2; i++) t.strictSame([ask(options, name)?.tc], [false], "whole");
      const slipped = ask(options, name);
      t.strictSame([slipped?.tc, slipped?.records.length, slipped?.opt?.ttl], [true, 0, ttl]);
      t.equal(slipped?.opt?.rdata.length, edns === undefined ? undefined : 0);
      t.equal(ask(options, name), undefined, "and the next one is dropped");
    }
  }
});

t.test(
  "a slipped answer holds a cookie, with which the client is not limited (RFC 7873 §5.2.3)",
  async (t) => {
    const ask = asker();
    for (let i = 0; i < 2; i++) ask({});
    const slipped = ask(withCookie(new Uint8Array(8).fill(1)));
    t.strictSame([slipped?.tc, slipped?.opt?.ttl, slipped?.opt?.rdata.length], [true, 0x8000, 4 + 24]);
    const ours = slipped?.opt?.rdata.slice(4) as Uint8Array;
    for (let i = 0; i < 9; i++) t.equal(ask(withCookie(ours))?.records.length, 2);
  },
);

t.test("answers to a proved address do not count for its network's limit", async (t) => {
  const ask = asker();
  const ours = ask(withCookie(new Uint8Array(8)))?.opt?.rdata.slice(4) as Uint8Array;
  for (let i = 0; i < 9; i++) t.equal(ask(withCookie(ours))?.tc, false);
  t.equal(ask({})?.tc, false, "one of two was left");
  t.equal(ask({})?.tc, true);
});
