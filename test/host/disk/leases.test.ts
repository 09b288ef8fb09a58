import { createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import type { Ipv4 } from "../../../src/core/addresses/ipv4.ts";
import { fromNumber } from "../../../src/core/addresses/ipv4.ts";
import { rebuildTable } from "../../../src/core/addresses/lease.ts";
import { HostError } from "../../../src/core/errors.ts";
import type { LeaseTable } from "../../../src/core/model.ts";
import { type Name, toName } from "../../../src/core/services/name.ts";
import { readLeases, writeLeases } from "../../../src/host/disk/leases.ts";
import { ip, lease, NOW, name } from "../../core/make.ts";

function place(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-leases-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return join(directory, "leases.json");
}

const TABLE: LeaseTable = {
  leases: [
    lease("10.0.0.1", "compose:a/b/1", { names: [toName("b") as Name], container: "c1" }),
    lease("10.0.0.2", "", { releasedAt: NOW }),
  ],
  conflicts: [{ address: ip("10.0.0.3"), seenAt: NOW }],
  hairpins: ["veth1"],
  nameHolds: [{ key: "container:nas", names: ["nas"], container: "c9", releasedAt: NOW }],
  holders: [{ key: "compose:a/b/1", name: "a_b_1", since: NOW, releasedAt: null }],
};
const OLDER: LeaseTable = { leases: [], conflicts: [], hairpins: ["older"], nameHolds: [], holders: [] };

const address: fc.Arbitrary<Ipv4> = fc.nat(0xffffffff).map(fromNumber);
// in any order of fields: a table is its content
const kept = {
  container: fc.string(),
  key: fc.string({ unit: "grapheme" }),
  releasedAt: fc.option(fc.nat(), { nil: null }),
  names: fc.array(fc.constantFrom("a", "b-c", "web.shop")),
};
const holder = {
  releasedAt: fc.option(fc.nat(), { nil: null }),
  since: fc.nat(),
  name: fc.string(),
  key: fc.string({ unit: "grapheme" }),
};
const table: fc.Arbitrary<LeaseTable> = fc.record({
  leases: fc.array(fc.record({ ...kept, address }), { maxLength: 5 }),
  nameHolds: fc.array(
    fc.record({ ...kept, since: fc.nat() }, { requiredKeys: ["container", "key", "releasedAt", "names"] }),
    { maxLength: 3 },
  ),
  hairpins: fc.array(fc.string(), { maxLength: 2 }),
  conflicts: fc.array(fc.record({ seenAt: fc.nat(), address }), { maxLength: 2 }),
  holders: fc.array(fc.record(holder), { maxLength: 3 }),
});

t.test("written leases: read back, in any order of fields", async (t) => {
  const path = place(t);
  await fc.assert(
    fc.asyncProperty(table, async (given) => {
      await writeLeases(path, given);
      const got = await readLeases(path);
      t.strictSame(got, { status: "read", table: structuredClone(given) });
    }),
    { numRuns: 60 },
  );
});

t.test("what an earlier version does not know is no part of the checksum that it compares", async (t) => {
  const path = place(t);
  const since = TABLE.nameHolds.map((hold) => ({ ...hold, since: NOW }));
  for (const [nameHolds, fields] of [
    [[], ["schemaVersion", "leases", "conflicts", "hairpins"]],
    [since, ["schemaVersion", "leases", "conflicts", "hairpins", "nameHolds"]],
  ] as const) {
    const written = { ...OLDER, holders: TABLE.holders, nameHolds };
    await writeLeases(path, written);
    t.strictSame(await readLeases(path), { status: "read", table: written });
    const document = JSON.parse(readFileSync(path, "utf8"));
    const { checksum, holders: _h, nameHoldsSince: _s, laterChecksum: _c, ...known } = document;
    t.strictSame(Object.keys(known), fields);
    const { schemaVersion: _, ...table } = known;
    t.equal(checksum, createHash("sha256").update(JSON.stringify(table)).digest("hex"));
    t.notOk(JSON.stringify(table).includes("since"));
  }
});

t.test("leases rebuilt from the rules: read back by the next run", async (t) => {
  const path = place(t);
  const owners = new Map([[ip("172.17.0.2"), { key: "container:web", container: "c" }]]);
  const rebuilt = rebuildTable(
    [{ name: name("web"), alias: ip("10.0.0.1"), target: ip("172.17.0.2") }],
    ({ target }) => owners.get(target),
    [{ first: ip("10.0.0.1"), last: ip("10.0.0.2") }],
    NOW,
  );
  await writeLeases(path, rebuilt);
  t.match(await readLeases(path), { status: "read", table: rebuilt });
});

t.test("an absent or damaged file: the previous one is read, or the reason returned", async (t) => {
  const path = place(t);
  t.strictSame(await readLeases(path), { status: "absent" });
  await writeLeases(path, OLDER);
  t.strictSame(await readLeases(path), { status: "read", table: OLDER });
  await writeLeases(path, TABLE);
  const whole = readFileSync(path, "utf8");
  for (const size of [0, 1, Math.floor(whole.length / 2), whole.length - 3]) {
    writeFileSync(path, whole.slice(0, size));
    t.strictSame(await readLeases(path), { status: "previous", table: OLDER }, `torn after ${size} octets`);
  }
  rmSync(path);
  t.strictSame(await readLeases(path), { status: "previous", table: OLDER }, "gone");
  writeFileSync(`${path}.previous`, "{");
  t.strictSame(await readLeases(path), { status: "unreadable" });
});

t.test("a single flipped bit: always detected", async (t) => {
  const path = place(t);
  await writeLeases(path, OLDER);
  await writeLeases(path, TABLE);
  const whole = readFileSync(path);
  let same = 0;
  for (let at = 0; at < whole.length; at++) {
    const bad = Buffer.from(whole);
    bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
    writeFileSync(path, bad);
    const got = await readLeases(path).catch((error: unknown) => error as HostError);
    // the version of the file is one digit: it may become that of a newer OCDD
    if (got instanceof HostError) continue;
    // a blank between two tokens that became another blank is no damage
    if (got.status === "read") {
      t.strictSame(got.table, TABLE, `octet ${at}`);
      same += 1;
    } else if (got.status !== "previous") t.fail(`octet ${at}: ${got.status}`);
  }
  t.ok(same < whole.length / 10, `${whole.length - same} of ${whole.length} flips were detected`);
});

t.test(
  "a file of a newer version, or the previous one: refused with what helps, and neither is changed",
  async (t) => {
    const path = place(t);
    await writeLeases(path, OLDER);
    const text = readFileSync(path, "utf8");
    const later = text.replace('"schemaVersion": 1', '"schemaVersion": 2');
    // the last one may have another shape
    for (const newer of [later, later.replace(/"checksum": "\w+",/, ""), '{"schemaVersion": 3, "by": {}}\n'])
      for (const [main, previous] of [
        [newer, text],
        [newer, newer],
        [newer, ""],
        ["{", newer],
        [undefined, newer],
      ] as const) {
        rmSync(path, { force: true });
        if (main !== undefined) writeFileSync(path, main);
        writeFileSync(`${path}.previous`, previous);
        await t.rejects(readLeases(path), {
          fault: "storage",
          message: `${path} was written by a newer version of OCDD, and is not changed`,
          remedy: /install that version again; or move .* away/,
        });
        if (main === newer) await t.rejects(writeLeases(path, TABLE), /newer version of OCDD/);
        t.equal(main === undefined || readFileSync(path, "utf8") === main, true);
        t.equal(readFileSync(`${path}.previous`, "utf8"), previous);
      }
  },
);

t.test("a damaged file: never replaces the valid previous one", async (t) => {
  const path = place(t);
  await writeLeases(path, OLDER);
  await writeLeases(path, OLDER);
  writeFileSync(path, "torn");
  await writeLeases(path, TABLE);
  writeFileSync(path, "torn again");
  t.strictSame(await readLeases(path), { status: "previous", table: OLDER });
});

t.test("leases behind a link, also to another file system: the version before is a copy", async (t) => {
  const here = dirname(place(t));
  mkdirSync(join(here, "backup"));
  const shared = mkdtempSync("/dev/shm/ocdd-leases-");
  t.teardown(() => rmSync(shared, { recursive: true }));
  for (const target of [join(here, "backup"), shared]) {
    const path = join(here, "leases.json");
    symlinkSync(join(target, "leases.json"), path);
    await writeLeases(path, OLDER);
    await writeLeases(path, TABLE);
    t.ok(lstatSync(path).isSymbolicLink());
    t.ok(lstatSync(`${path}.previous`).isFile());
    t.strictSame(readdirSync(here).sort(), ["backup", "leases.json", "leases.json.previous"]);
    t.strictSame(readdirSync(target), ["leases.json"]);
    t.strictSame(await readLeases(path), { status: "read", table: TABLE });
    writeFileSync(path, "torn");
    t.strictSame(await readLeases(path), { status: "previous", table: OLDER });
    rmSync(path);
    rmSync(`${path}.previous`);
  }
});

t.test("a file of no version or another content: not read", async (t) => {
  const path = place(t);
  await writeLeases(path, TABLE);
  const good = readFileSync(path, "utf8");
  for (const [what, text] of [
    ["version", good.replace('"schemaVersion": 1', '"schemaVersion": 0')],
    ["version", good.replace('"schemaVersion": 1', '"schemaVersion": "2"')],
    ["an address", good.replace("10.0.0.1", "10.0.0.9")],
    ["a name", good.replace('"b"', '"B"')],
    ["another document", "[]"],
    ["null", "null"],
  ] as const) {
    t.not(text, good);
    writeFileSync(path, text);
    t.strictSame(await readLeases(path), { status: "unreadable" }, what);
  }
});
