/** Names taken out of a zone that has been rendered. */
import fc from "fast-check";
import t from "tap";
import { readZoneOnDisk, updateZone, type ZoneSettings } from "../../../src/core/zone/records.ts";
import { addressRecords } from "../../../src/core/zone/service-records.ts";
import { isLater, numbered, withdrawn } from "../../../src/core/zone/withdraw.ts";
import type { AddressRecord, SrvRecord, ZoneFile } from "../../../src/core/zone/zone-file.ts";
import { HOST, ip, NOW, ZONE } from "../make.ts";

const SETTINGS: ZoneSettings = { zone: ZONE, hostName: "dockerhost", soaEmail: `it.desk@${ZONE}`, ttl: 60 };
const OURS = addressRecords([], "dockerhost", HOST);
const BY_HAND = "printer IN A 192.168.122.11\n_http._tcp IN SRV 0 0 80 web\n";

const rendered = (records: readonly AddressRecord[], srv: readonly SrvRecord[]): ZoneFile =>
  updateZone(readZoneOnDisk(BY_HAND, SETTINGS, OURS), SETTINGS, [...OURS, ...records], NOW, srv);

t.test("no alias of it in the zone: the zone itself", async (t) => {
  const zone = rendered([{ owner: "web", address: ip("192.168.122.11") }], []);
  t.equal(withdrawn(zone, ZONE, new Set([ip("192.168.122.12")])), zone);
  t.equal(withdrawn(zone, ZONE, new Set()), zone);
});

t.test("a name of several addresses keeps the others, and its services", async (t) => {
  const a = { owner: "web", address: ip("192.168.122.11") };
  const b = { owner: "web", address: ip("192.168.122.12") };
  const srv = [{ owner: "_http._tcp.web", port: 80, target: "web" }];
  t.strictSame(withdrawn(rendered([a, b], srv), ZONE, new Set([a.address])), rendered([b], srv));
  t.strictSame(withdrawn(rendered([a], srv), ZONE, new Set([a.address])), rendered([], []));
});

t.test("any zone: as if the records had never been there; hand-written records stay", async () => {
  const owners = fc.constantFrom("web", "db", "front.shop", "@", "a.web");
  const records = fc.uniqueArray(fc.record({ owner: owners, n: fc.integer({ min: 11, max: 15 }) }), {
    selector: ({ owner, n }) => `${owner} ${n}`,
    maxLength: 8,
  });
  fc.assert(
    fc.property(records, fc.array(fc.integer({ min: 11, max: 15 })), (list, gone) => {
      const all = list.map(({ owner, n }) => ({ owner, address: ip(`192.168.122.${n}`) }));
      const aliases = new Set(gone.map((n) => ip(`192.168.122.${n}`)));
      const left = all.filter(({ address }) => !aliases.has(address));
      const services = (some: readonly AddressRecord[]): SrvRecord[] =>
        [...new Set([...OURS, ...some].map(({ owner }) => owner))]
          .sort()
          .map((owner) => ({ owner: `_http._tcp.${owner}`, port: 80, target: owner }));
      const expected = rendered(left, services(left));
      const found = withdrawn(rendered(all, services(all)), ZONE, aliases);
      return expected.text === found.text && JSON.stringify(expected) === JSON.stringify(found);
    }),
    { numRuns: 500 },
  );
});

t.test("another serial in the SOA record, and nowhere else", async (t) => {
  const zone = rendered([{ owner: "web", address: ip("192.168.122.11") }], []);
  const next = numbered(zone, 4_294_967_295, ZONE);
  t.equal(next.serial, 4_294_967_295);
  t.equal(readZoneOnDisk(next.text, SETTINGS, OURS).serial, 4_294_967_295);
  t.equal(numbered(next, zone.serial, ZONE).text, zone.text);
  t.equal(next.text.split("\n").filter((line, i) => line !== zone.text.split("\n")[i]).length, 1);
});

t.test("serials are compared as RFC 1982 says", async (t) => {
  t.strictSame(
    [isLater(2, 1), isLater(1, 2), isLater(1, 1), isLater(0, 4_294_967_295), isLater(4_294_967_295, 0)],
    [true, false, false, true, false],
  );
});
