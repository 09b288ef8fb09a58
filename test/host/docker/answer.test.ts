/** Docker's lists, read item by item from chunks as the socket cuts them. */
import fc from "fast-check";
import t from "tap";
import { readDocument, readFields, readList } from "../../../src/host/docker/answer.ts";
import { MAX_NAME, type Wanted, type WantedFields } from "../../../src/host/docker/fields.ts";
import { LONG, MAX_STRING_OCTETS } from "../../../src/host/docker/json-string.ts";

/** The text in chunks that begin at these octets. */
async function* chunks(text: string, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const octets = Buffer.from(text);
  let from = 0;
  for (const at of [...cuts.filter((cut) => cut < octets.length).sort((a, b) => a - b), octets.length]) {
    yield octets.subarray(from, at);
    from = at;
  }
}

const item = fc.oneof(
  fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 3, stringUnit: "binary" })),
  fc.constantFrom(
    { a: '}]"\\' },
    { "{[": ["\\\\", "\\"] },
    { a: { b: [{ c: [] }] } },
    {},
    { "\u20ac": "\ud83d\ude00" },
  ),
);
const list = fc.array(item, { maxLength: 5 });
const indent = fc.constantFrom(undefined, 1, "\t");
const cuts = fc.array(fc.nat(400), { maxLength: 30 });

/** Every field as a whole. */
const ALL = { "*": true } as const;
const whole = (items: readonly unknown[]) => items.map((value) => ({ value, left: [] }));

t.test("a list cut into chunks anywhere: read as by JSON.parse", async () => {
  await fc.assert(
    fc.asyncProperty(list, indent, cuts, async (items, space, at) => {
      const text = `${JSON.stringify(items, null, space)}\n`;
      return (
        JSON.stringify(await readList(chunks(text, at), ALL)) === JSON.stringify(whole(JSON.parse(text)))
      );
    }),
    { numRuns: 500 },
  );
});

const FIELDS = ["a", "b", "c", "*"];
/** Names that any field may have, at the bound and beyond it. */
const NAMES = [MAX_NAME, MAX_NAME + 1].flatMap((n) => ["y".repeat(n), "\u20ac".repeat(n), '"'.repeat(n)]);
const wanted: fc.Arbitrary<WantedFields> = fc.letrec<{ fields: WantedFields; one: Wanted }>((tie) => ({
  fields: fc.dictionary(fc.constantFrom(...FIELDS), tie("one"), { noNullPrototype: true }),
  one: fc.oneof({ depthSize: "small" }, fc.constant(true as const), fc.constant(/^[^\]"]+$/), tie("fields")),
})).fields;
const nested = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, -1.5e3, "", '"', "\\", '\\"', "]", "}", ",", ":", "\u20ac"),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "c", "d", '"', "__proto__", ...NAMES), tie("value"), {
      noNullPrototype: true,
    }),
  ),
})).value;

/** What is to be left of a value; undefined for nothing. */
function picked(value: unknown, of: Wanted | undefined): unknown {
  if (of === undefined) return undefined;
  if (of instanceof RegExp) return typeof value === "string" && of.test(value) ? value : undefined;
  if (of === true || typeof value !== "object" || value === null) return value;
  const others = (name: string): Wanted | undefined => (name.length <= MAX_NAME ? of["*"] : undefined);
  if (Array.isArray(value))
    return value.map((item) => picked(item, of["*"])).filter((item) => item !== undefined);
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, field]) => [name, picked(field, Object.hasOwn(of, name) ? of[name] : others(name))])
      .filter(([, field]) => field !== undefined),
  );
}

t.test(
  "any fields that are wanted, of any objects, cut anywhere: these are read, and no others",
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.dictionary(fc.constantFrom("a", "b", "c", "d"), nested), { maxLength: 4 }),
        wanted,
        indent,
        cuts,
        async (items, fields, space, at) => {
          const text = JSON.stringify(items, null, space);
          const want = whole((JSON.parse(text) as unknown[]).map((one) => picked(one, fields)));
          const [first = {}] = items;
          const one = await readFields(chunks(JSON.stringify(first, null, space), at), fields);
          return (
            JSON.stringify(await readList(chunks(text, at), fields)) === JSON.stringify(want) &&
            JSON.stringify(one.value) === JSON.stringify(picked(JSON.parse(JSON.stringify(first)), fields))
          );
        },
      ),
      { numRuns: 400 },
    );
  },
);

t.test("a field that is too large, cut anywhere: left out and named; all others are kept", async () => {
  const most = 100;
  const field = fc.oneof(fc.array(fc.string({ maxLength: 9 }), { maxLength: 40 }), fc.string(), fc.nat());
  const named = fc.dictionary(fc.stringMatching(/^[A-Za-z]{1,8}$/), field, { noNullPrototype: true });
  await fc.assert(
    fc.asyncProperty(fc.array(named, { maxLength: 4 }), cuts, async (items, at) => {
      const want = items.map((one) => {
        const entries = Object.entries(one);
        // with its name, and the comma in front of it
        const kept: [string, unknown][] = [];
        for (const [key, value] of entries) {
          const size = Buffer.byteLength(JSON.stringify({ [key]: value })) - 2 + (kept.length > 0 ? 1 : 0);
          if (size <= most) kept.push([key, value]);
        }
        const left = entries.filter(([key]) => !kept.some(([other]) => other === key));
        return { value: Object.fromEntries(kept), left: left.map(([key]) => key) };
      });
      const text = JSON.stringify(items);
      return JSON.stringify(await readList(chunks(text, at), ALL, most)) === JSON.stringify(want);
    }),
    { numRuns: 500 },
  );
});

t.test(
  "a string of any length: as it is up to a bound, beyond it read as one that no label can be",
  async (t) => {
    const fits = "y".repeat(MAX_STRING_OCTETS);
    for (const unit of ["y", "\u20ac", '"', "\\", "\u0001", "\ud83d\ude00"]) {
      const labels = { before: "1", fits, x: unit.repeat(2 << 20), after: "2" };
      const text = JSON.stringify([{ Id: "a" }, { Labels: labels }, { Id: "c" }]);
      const at = Array.from({ length: text.length >> 16 }, (_, i) => i << 16);
      const [, read] = await readList(chunks(text, at), { Id: true, Labels: true });
      t.strictSame(read, { value: { Labels: { ...labels, x: LONG } }, left: [] }, JSON.stringify(unit));
    }
  },
);

t.test("what is not wanted is not held in memory, whatever its size", async (t) => {
  const part = Buffer.alloc(1 << 20, "y");
  let most = 0;
  async function* large(): AsyncGenerator<Buffer> {
    yield Buffer.from('[{"Id":"a","Labels":{');
    for (let i = 0; i < 256; i++) {
      yield Buffer.from(`"${i}":"`);
      yield part;
      yield Buffer.from('",');
      if (i === 0) most = process.memoryUsage().rss + (64 << 20);
    }
    yield Buffer.from('"z":1},"IPAM":{"Config":[{"Subnet":"10.9.9.0/24"}]}}]');
    t.ok(process.memoryUsage().rss < most, "less than 64 MB of 256");
  }
  const fields = { Id: true, IPAM: { Config: { "*": { Subnet: true } } } } as const;
  t.strictSame(await readList(large(), fields), [
    { value: { Id: "a", IPAM: { Config: [{ Subnet: "10.9.9.0/24" }] } }, left: [] },
  ]);
});

t.test("an answer that is no JSON array of objects: rejected, never an empty list", async (t) => {
  for (const text of [
    "",
    " ",
    "null",
    "0",
    "{}",
    '"[]"',
    '{"a":[]}',
    "[",
    "[{",
    "[{}",
    '[{"a":"]',
    "[}",
    "[{]]",
    '[{"a":}]',
    "[] x",
    "[][]",
    "]",
    "[garbage]",
    "<html>[]</html>",
    "x[]",
  ])
    await t.rejects(readList(chunks(text, []), ALL), { name: "SyntaxError" }, text);
  t.strictSame(await readList(chunks(" [ ] \n", []), ALL), []);
});

t.test("an answer that is no JSON object: rejected, never one without fields", async (t) => {
  for (const text of [
    "",
    " ",
    "null",
    "0",
    '"{}"',
    "{",
    '{"a',
    '{"a"',
    '{"a":',
    '{"a":1',
    "{]",
    "{,}",
    "{} x",
  ])
    for (const fields of [ALL, { b: true }] as const)
      await t.rejects(readFields(chunks(text, [1]), fields), { name: "SyntaxError" }, text);
  t.strictSame(await readFields(chunks(" { } \n", []), ALL), { value: {}, left: [] });
});

t.test("a document: parsed, or rejected where it is invalid or larger than 16 MB", async (t) => {
  t.strictSame(await readDocument(chunks('{"a":"\u20ac"}', [5, 6, 7])), { a: "\u20ac" });
  await t.rejects(readDocument(chunks("", [])), { name: "SyntaxError" });
  await t.rejects(readDocument(chunks("<html>", [])), { name: "SyntaxError" });
  const { promise: closed, resolve } = Promise.withResolvers<string>();
  const endless = async function* (): AsyncGenerator<Buffer> {
    try {
      for (;;) yield Buffer.alloc(1 << 20, " ");
    } finally {
      resolve("closed");
    }
  };
  await t.rejects(readDocument(endless()), /larger than 16777216 octets/);
  t.equal(await closed, "closed", "the rest is not read");
});
