/** Names that are taken out of a zone file ahead of the next whole one. */
import t from "tap";
import { readZoneOnDisk, renderZone, zoneSettings } from "../../../src/core/zone/records.ts";
import { serialOf, withoutAddresses } from "../../../src/core/zone/withdraw.ts";
import { config, ip } from "../make.ts";

const SETTINGS = zoneSettings(config());
const [A, B, C] = ["192.168.122.11", "192.168.122.12", "192.168.122.13"].map(ip) as [never, never, never];
const HAND = "printer IN A 192.168.122.11\n; a word\n";
const ZONE = renderZone(
  SETTINGS,
  [
    { owner: "one", address: A },
    { owner: "two", address: B },
    { owner: "both", address: A },
    { owner: "both", address: B },
  ],
  4_294_967_295,
  HAND,
  [
    { owner: "_http._tcp.one", port: 80, target: "one" },
    { owner: "_http._tcp.both", port: 80, target: "both" },
  ],
);

t.test("names that lead to nowhere else go with the address, and services with their name", (t) => {
  const text = withoutAddresses(ZONE, new Set([A]));
  const gone = ZONE.split("\n").filter((line) => !text.split("\n").includes(line));
  t.same(
    gone.filter((line) => !line.includes("SOA")).map((line) => line.split("\t; ")[0]),
    [
      `one.${SETTINGS.zone}.\t${SETTINGS.ttl}\tIN\tA\t${A}`,
      `both.${SETTINGS.zone}.\t${SETTINGS.ttl}\tIN\tA\t${A}`,
      `_http._tcp.one.${SETTINGS.zone}.\t${SETTINGS.ttl}\tIN\tSRV\t0 0 80 one.${SETTINGS.zone}.`,
    ],
  );
  t.equal(serialOf(text), 1, 'RFC 1982: the serial after the last is none that means "never"');
  t.ok(text.endsWith(HAND), "what was written by hand stays, also what leads there");
  t.same(readZoneOnDisk(text, SETTINGS, []).warnings, []);
  t.end();
});

t.test("a file in which nothing leads there stays as it is", (t) => {
  t.equal(withoutAddresses(ZONE, new Set([C])), ZONE);
  t.equal(withoutAddresses(ZONE, new Set()), ZONE);
  t.equal(withoutAddresses("", new Set([A])), "");
  const bash = `one IN A ${A} ; ADDED-BY-OCDD-SCRIPT\n`;
  t.equal(withoutAddresses(bash, new Set([A])), bash, "no line that the director did not write is touched");
  t.end();
});
