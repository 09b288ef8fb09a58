import t from "tap";
import { parseZoneFile, type ZoneRecords } from "../../../src/dns/text/zonefile.ts";
import { formatName, nameKey, parseName } from "../../../src/dns/wire/name.ts";
import { compileZone } from "../../../src/dns/zone/compile.ts";
import { type Change, changeBetween } from "../../../src/dns/zone/journal.ts";
import { patchZone } from "../../../src/dns/zone/patch.ts";
import { differences } from "../../../src/dns/zone/record-diff.ts";
import {
  findNode,
  HEADER,
  nodeFlags,
  nodeName,
  nodeOwner,
  nodesOf,
  readSet,
  setsOf,
  wildcardBelow,
  type Zone,
} from "../../../src/dns/zone/zone.ts";
import { numbers } from "../mutate.ts";

const ORIGIN = "toolbox.example.com.";
const SEED = 77;
/** Versions of a zone, each made from the one before. */
const VERSIONS = Number(process.env.PATCHES ?? 4000);

/** Names enough for a table with room in it. */
const CROWD = Array.from({ length: 70 }, (_, i) => `crowd${i} 60 A 10.1.0.${i}\n`).join("");

/** The content of a zone, independent of the layout of its block. */
function dump(zone: Zone): object {
  const nodes = [...nodesOf(zone)].map((node) => {
    const child = wildcardBelow(zone, node);
    const sets = setsOf(zone, node).map((set) => {
      const { type, ttl, rdata } = readSet(zone, set);
      const plain = ((zone.words[set >>> 2] as number) >>> 16) & 1;
      return [type, plain, ttl, ...rdata.map((octets) => Buffer.from(octets).toString("hex"))].join(" ");
    });
    return [
      nameKey(nodeName(zone, node)),
      {
        flags: nodeFlags(zone, node),
        owner: formatName(nodeOwner(zone, node)),
        sets,
        child: child && nameKey(nodeName(zone, child)),
      },
    ] as const;
  });
  const { words, octets } = zone;
  const at = words[HEADER.NEGATIVE] as number;
  return {
    nodes: Object.fromEntries(nodes.sort(([a], [b]) => (a < b ? -1 : 1))),
    count: [words[HEADER.NODES], nodes.length, words[HEADER.RECORDS]],
    negative: Buffer.from(octets.slice(at, at + (words[HEADER.NEGATIVE_SIZE] as number))).toString("hex"),
    pointers: [...words.subarray(HEADER.NEGATIVE_POINTER, HEADER.NEGATIVE_POINTER + 3)],
  };
}

const changeText = ({ from, to, removed, added }: Change): object => {
  const lines = (sets: Change["added"]): string[] =>
    sets
      .map(
        ({ owner, set }) =>
          `${formatName(owner)} ${set.type} ${set.ttl} ${set.rdata.map((r) => Buffer.from(r).toString("hex")).sort()}`,
      )
      .sort();
  return { from, to, removed: lines(removed), added: lines(added) };
};

const compile = (text: string, seed = SEED) => {
  const records = parseZoneFile(text, ORIGIN);
  return { records, ...compileZone(records, ORIGIN, seed) };
};

t.test("a zone patched version after version: answers as one that is newly compiled", async (t) => {
  const pick = numbers(4711);
  const labels = ["a", "B", "web", "www", "*", "db", "x-1", "Deep"];
  const label = (): string => labels[pick(labels.length)] as string;
  const owner = (): string => Array.from({ length: 1 + pick(3) }, label).join(".");
  const record = (): string => {
    const name = owner();
    switch (pick(24)) {
      case 0:
        return `${name} NS ns1`;
      case 1:
        return `${name} CNAME web`;
      case 2:
        return `${name} DNAME web`;
      case 3:
        return `${name} MX 10 ${owner()}`;
      case 4:
        return `${name} TXT "${"x".repeat(pick(40))}"`;
      case 5:
        return `${name} AAAA fd00::${pick(9) + 1}`;
      case 6:
        return `${name} 5 A 10.0.0.${pick(9)}`;
      case 7:
        return `@ TXT "${pick(9)}"`;
      case 8:
        return `outside.example.org. A 10.0.0.1`;
      default:
        return `${name} A 10.0.${pick(3)}.${pick(9)}`;
    }
  };
  const list: string[] = [];
  const text = (serial: number): string =>
    `$TTL 60\n@ SOA ns1${serial % 50 === 49 ? "x" : ""} host ${serial} 1 1 1 1\n@ NS ns1\nns1 A 10.0.0.1\n${CROWD}${list.map((line) => `${line}\n`).join("")}`;
  let patched = 0;
  let refused = 0;
  let contradictions = 0;
  let before = compile(text(1));
  for (let serial = 2; serial < VERSIONS; serial++) {
    for (let edits = pick(4); edits >= 0; edits--) {
      if (list.length > 0 && pick(list.length > 60 ? 2 : 3) === 0) list.splice(pick(list.length), 1);
      else if (list.length > 0 && pick(3) === 0) list[pick(list.length)] = record();
      else list.splice(pick(list.length + 1), 0, record());
    }
    const now = compile(text(serial));
    const old = before.zone as Zone;
    const patch = before.warnings.length === 0 ? patchZone(old, before.records, now.records) : undefined;
    if (now.warnings.some(({ message }) => / beside |second /.test(message))) {
      contradictions++;
      t.equal(patch, undefined, "records in conflict are left to the compiler");
      list.splice(0, list.length);
      before = compile(text(serial));
      continue;
    }
    if (patch === undefined) {
      refused++;
      before = now;
      continue;
    }
    patched++;
    t.same(now.warnings, [], "no warning is swallowed");
    const zone = now.zone as Zone;
    if (!t.same(dump(patch.zone), dump(zone))) return;
    for (const node of nodesOf(zone)) {
      const name = nodeName(zone, node);
      if (findNode(patch.zone, name, 0, name.length) === 0) t.fail(`${formatName(name)} is not found`);
    }
    for (let n = 0; n < 5; n++) {
      const name = parseName(`${owner()}.${ORIGIN}`).map((octet) =>
        octet >= 65 && octet <= 90 ? octet | 32 : octet,
      );
      const [a, b] = [patch.zone, zone].map((each) => findNode(each, name, 0, name.length) !== 0);
      t.equal(a, b, formatName(name));
    }
    t.ok(patch.zone.depth >= zone.depth, "no name is deeper than is looked for");
    t.same(changeText(changeBetween(old, patch.zone, patch.owners)), changeText(changeBetween(old, zone)));
    before = { ...now, zone: patch.zone };
  }
  t.comment(`${patched} patched, ${refused} compiled whole`);
  t.ok(patched > VERSIONS / 4, `${patched} patched`);
  t.ok(refused > 0);
  t.ok(contradictions > 0);
});

t.test("a patch of a large zone: one name is written, all others keep their place", async (t) => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `n${i} A 10.0.${i >> 8}.${i & 255}`);
  const text = (serial: number, list: readonly string[]): string =>
    `$TTL 60\n@ SOA ns1 host ${serial} 1 1 1 1\n@ NS ns1\nns1 A 10.0.0.1\n${list.join("\n")}\n`;
  const first = compile(text(1, lines));
  const old = first.zone as Zone;
  const at = (zone: Zone, name: string): string => {
    const wire = parseName(`${name}.${ORIGIN}`);
    const node = findNode(zone, wire, 0, wire.length);
    return node === 0
      ? "none"
      : readSet(zone, setsOf(zone, node)[0] as number)
          .rdata.map((r) => r.join("."))
          .join();
  };
  const changed = compile(text(2, lines.with(7777, "n7777 A 192.0.2.1")));
  const patch = patchZone(old, first.records, changed.records);
  t.equal(patch && at(patch.zone, "n7777"), "192.0.2.1");
  t.equal(at(old, "n7777"), "10.0.30.97", "the version before stays as it was");
  t.equal(patch?.zone.words[HEADER.END], old.words[HEADER.END], "in its old place");
  t.same(patch?.owners.map(formatName).sort(), [`n7777.${ORIGIN}`, ORIGIN]);
  const come = compile(text(2, ["new A 192.0.2.2", ...lines]));
  t.equal(at(patchZone(old, first.records, come.records)?.zone as Zone, "new"), "192.0.2.2");
  const gone = compile(text(2, lines.toSpliced(100, 1)));
  t.equal(at(patchZone(old, first.records, gone.records)?.zone as Zone, "n100"), "none");
  const many = compile(
    text(
      2,
      lines.map((line) => line.replace("10.0", "10.1")),
    ),
  );
  t.equal(patchZone(old, first.records, many.records), undefined, "all of them: compiled whole");
});

t.test("many patches: the unused space is bounded", async (t) => {
  let now = compile(`$TTL 60\n@ SOA ns1 host 1 1 1 1 1\n@ NS ns1\nns1 A 10.0.0.1\n${CROWD}`);
  let whole = 0;
  for (let serial = 2; serial < 3000; serial++) {
    const next = compile(
      `$TTL 60\n@ SOA ns1 host ${serial} 1 1 1 1\n@ NS ns1\nns1 A 10.0.0.1\n${CROWD}w TXT "${"x".repeat(serial % 99)}"\n`,
    );
    const patch = patchZone(now.zone as Zone, now.records, next.records);
    if (patch === undefined) whole++;
    now = { ...next, ...(patch === undefined ? {} : { zone: patch.zone }) };
    if ((now.zone as Zone).buffer.byteLength > 20_000)
      t.fail(`${(now.zone as Zone).buffer.byteLength} octets`);
  }
  t.ok(whole > 0 && whole < 300, `${whole} times compiled whole`);
});

t.test("differences in the order of records", async (t) => {
  const wire = (...lines: string[]): ZoneRecords => parseZoneFile(`$TTL 1\n${lines.join("\n")}\n`, ORIGIN);
  const of = (a: ZoneRecords, b: ZoneRecords): number[] | undefined => {
    const found = differences(a, b);
    return found && [found.removed.length, found.added.length];
  };
  const [a, b, c] = ["a A 10.0.0.1", "b A 10.0.0.2", "c A 10.0.0.3"] as const;
  t.same(of(wire(a, b, c), wire(a, b, c)), [0, 0]);
  t.same(of(wire(a, b, c), wire(a, c)), [1, 0]);
  t.same(of(wire(a, c), wire(a, b, c)), [0, 1]);
  t.same(of(wire(a, b, c), wire(c, a, b)), [1, 1], "moved");
  t.same(of(wire(), wire(a, b)), [0, 2]);
  t.same(of(wire(a), wire()), [1, 0]);
  t.same(of(wire(a, b), wire(b, a, a)), [1, 2]);
});
