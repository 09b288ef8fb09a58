/** Docker's lists, read item by item from chunks as the socket cuts them. */
import fc from "fast-check";
import t from "tap";
import { MAX_ITEM_OCTETS, readDocument, readList } from "../../../src/host/docker/answer.ts";

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

t.test("a list cut into chunks anywhere: read as by JSON.parse", async () => {
  await fc.assert(
    fc.asyncProperty(list, indent, cuts, async (items, space, at) => {
      const text = `${JSON.stringify(items, null, space)}\n`;
      const read = await readList(chunks(text, at));
      return JSON.stringify(read) === JSON.stringify({ items: JSON.parse(text), tooLarge: [] });
    }),
    { numRuns: 500 },
  );
});

t.test(
  "items that are too large, cut anywhere: left out, each with its first octets; others are kept",
  async () => {
    const most = 100;
    const named = fc.record({
      Id: fc.stringMatching(/^[0-9a-f]{12}$/),
      more: fc.string({ maxLength: 300, size: "max" }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(named, { maxLength: 5 }), cuts, async (items, at) => {
        const read = await readList(chunks(JSON.stringify(items), at), most);
        const size = (one: unknown): number => Buffer.byteLength(JSON.stringify(one));
        const left = items.filter((one) => size(one) > most).map(({ Id }) => Id);
        const kept = items.filter((one) => size(one) <= most);
        return (
          JSON.stringify(read.items) === JSON.stringify(kept) &&
          JSON.stringify(read.tooLarge.map((start) => /^\{"Id":"([0-9a-f]{12})/.exec(start)?.[1])) ===
            JSON.stringify(left) &&
          read.tooLarge.every((start) => start.length <= 200)
        );
      }),
      { numRuns: 500 },
    );
  },
);

t.test("an item of 3 MB is left out and named; its neighbours are kept", async (t) => {
  const big = { Id: "b".repeat(64), Labels: { x: "y".repeat(3 << 20) } };
  const text = JSON.stringify([{ Id: "a" }, big, { Id: "c" }]);
  const at = Array.from({ length: text.length >> 16 }, (_, i) => i << 16);
  const { items, tooLarge } = await readList(chunks(text, at));
  t.strictSame(items, [{ Id: "a" }, { Id: "c" }]);
  t.match(tooLarge, [/^\{"Id":"bbbbbbbbbbbb/]);
  const limit = { x: "y".repeat(MAX_ITEM_OCTETS - 8) };
  t.equal((await readList(chunks(JSON.stringify([limit]), []))).items.length, 1, "1 MB is allowed");
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
    await t.rejects(readList(chunks(text, [])), { name: "SyntaxError" }, text);
  t.strictSame(await readList(chunks(" [ ] \n", [])), { items: [], tooLarge: [] });
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
