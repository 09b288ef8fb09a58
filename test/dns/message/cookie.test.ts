import t from "tap";
import { type CookieSecrets, isOurCookie, makeCookie } from "../../../src/dns/message/cookie.ts";
import { respond } from "../../../src/dns/message/respond.ts";
import { makeQuery, readMessage } from "../message.ts";
import { authorityOf, UDP } from "../zones.ts";

const [OLDEST, OLD, NEW] = [1, 2, 3].map((octet) => new Uint8Array(16).fill(octet)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const { client, now } = UDP;
const MINE = new Uint8Array(8).fill(77);

t.test("a cookie of the previous secret: accepted, and answered with one of the new secret", async (t) => {
  const given = makeCookie([OLD, OLDEST], MINE, client, now);
  const counts = (secrets: CookieSecrets, cookie = given, from = client, at = now) =>
    isOurCookie(secrets, cookie, from, at);
  t.ok(counts([OLD, OLDEST]));
  t.ok(counts([NEW, OLD]), "the secret was rolled");
  t.notOk(counts([NEW]), "and once more");
  const out = new Uint8Array(1232);
  const query = makeQuery("web.example.org.", "A", { edns: { options: [[10, given]] } });
  const size = respond(authorityOf({ cookieSecrets: [NEW, OLD] }), UDP, query, out);
  const fresh = readMessage(out.subarray(0, size)).opt?.rdata.slice(4) as Uint8Array;
  t.strictSame(fresh.subarray(0, 8), MINE);
  t.ok(counts([NEW], fresh));
  t.notOk(counts([OLD], fresh));
});

t.test("a cookie: valid for its client, for an hour (RFC 9018 §4.3)", async (t) => {
  const given = makeCookie([NEW], MINE, client, now);
  const counts = (from: Uint8Array, at: number, cookie = given) => isOurCookie([NEW], cookie, from, at);
  t.notOk(counts(Uint8Array.of(192, 0, 2, 98), now), "of another client");
  t.ok(counts(client, now + 3600));
  t.notOk(counts(client, now + 3601));
  t.ok(counts(client, now - 300), "a clock that was put back a little");
  t.notOk(counts(client, now - 301));
  for (let i = 0; i < given.length; i++) {
    const forged = given.slice();
    forged[i] = (forged[i] as number) ^ 1;
    t.notOk(counts(client, now, forged), `octet ${i}`);
  }
});
