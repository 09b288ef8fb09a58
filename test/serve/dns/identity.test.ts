import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { RCODE } from "../../../src/dns/wire/types.ts";
import { makeQuery } from "../../dns/message.ts";
import { askUdp } from "../peers.ts";
import { makePlace, serveAt } from "../place.ts";

t.setTimeout(1_200_000);

const ZONE = "toolbox.example.com";

/** NSID's option and the answer to version.bind of a server with these keys. */
async function told(t: Test, keys: Readonly<Record<string, string>>) {
  const text = `@ 60 IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ 60 IN NS ns1\nns1 60 IN A 127.0.0.1\n`;
  const place = await makePlace(ZONE, text, { ...keys, WEB_ENABLED: "0" });
  await serveAt(t, place);
  const soa = makeQuery(`${ZONE}.`, "SOA", { edns: { options: [[3, new Uint8Array()]] } });
  const end = performance.now() + 30_000;
  let nsid = await askUdp(place.dns, soa);
  for (; nsid === undefined && performance.now() < end; nsid = await askUdp(place.dns, soa)) await sleep(20);
  const version = await askUdp(place.dns, makeQuery("version.bind.", "TXT", { qclass: 3 }));
  return {
    nsid: Buffer.from(nsid?.opt?.rdata ?? []).toString("latin1"),
    rcode: version?.rcode,
    version: Buffer.from(version?.records[0]?.rdata ?? []).toString("latin1"),
  };
}

t.test("NSID and version, when set: answered", async (t) => {
  t.strictSame(await told(t, { DNS_NSID: "ns1.here", DNS_VERSION: "OCDD 2" }), {
    nsid: "\0\x03\0\x08ns1.here",
    rcode: RCODE.NOERROR,
    version: "\x06OCDD 2",
  });
});

t.test("NSID and version, when unset: not answered", async (t) => {
  t.strictSame(await told(t, {}), { nsid: "", rcode: RCODE.REFUSED, version: "" });
});
