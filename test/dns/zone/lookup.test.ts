import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import t from "tap";
import { formatRdata } from "../../../src/dns/text/rdata-format.ts";
import { parseZoneFile } from "../../../src/dns/text/zonefile.ts";
import { endsWithName, formatName, parseName } from "../../../src/dns/wire/name.ts";
import { typeCode, typeName } from "../../../src/dns/wire/types.ts";
import { type Answer, lookup, type OwnedSet } from "../../../src/dns/zone/answer.ts";
import { compileZone } from "../../../src/dns/zone/compile.ts";

const VECTORS = new URL("./lookup-vectors.jsonl.gz", import.meta.url);

type Row = [owner: string, ttl: number, type: string, rdata: string];
interface Vector {
  id: number;
  origin: string;
  zone: Row[];
  q: [string, string];
  expect: { answer: Row[]; authority: Row[]; additional: Row[]; rcode: string; aa: boolean }[];
}

/** One comparable text a record. */
function texts(sets: readonly OwnedSet[]): string[] {
  return sets
    .flatMap(({ owner, set }) =>
      set.rdata.map((rdata) =>
        `${formatName(owner)} ${set.ttl} ${typeName(set.type)} ${formatRdata(set.type, rdata)}`.toLowerCase(),
      ),
    )
    .sort();
}

function wanted(rows: Row[]): string[] {
  return [...new Set(rows.map((row) => row.join(" ").toLowerCase()))].sort();
}

const RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN"];

t.test("lookup vectors on which BIND, NSD, Knot and PowerDNS agree: the same answers", async (t) => {
  const vectors = gunzipSync(readFileSync(VECTORS))
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Vector);
  const wrong: unknown[] = [];
  for (const { id, origin, zone: rows, q, expect } of vectors) {
    const text = rows.map(([owner, ttl, type, rdata]) => `${owner} ${ttl} IN ${type} ${rdata}\n`).join("");
    const { zone, errors } = compileZone(parseZoneFile(text, origin), origin, 0x5eed);
    const [want] = expect as [Vector["expect"][0]];
    if (zone === undefined) {
      wrong.push({ id, errors });
      continue;
    }
    const name = parseName(q[0]);
    const got: Answer | undefined = endsWithName(name, zone.origin)
      ? lookup(zone, name, typeCode(q[1]) as number)
      : undefined;
    const negative = want.answer.length === 0;
    const view = (rcode: string, aa: boolean, answer: string[], authority: string[]) => ({
      rcode,
      aa,
      answer,
      authority: negative ? authority : [],
    });
    const ours = got && view(RCODES[got.rcode] as string, got.aa, texts(got.answer), texts(got.authority));
    const theirs = view(want.rcode, want.aa, wanted(want.answer), wanted(want.authority));
    if (JSON.stringify(ours) !== JSON.stringify(theirs)) wrong.push({ id, q, zone: text, ours, theirs });
  }
  t.equal(vectors.length, 5051);
  t.equal(wrong.length, 0, `${vectors.length} vectors`);
  if (wrong.length > 0) t.comment(JSON.stringify(wrong.slice(0, 6), null, 1));
});
