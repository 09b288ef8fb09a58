/** Docker's frames, read from parts cut anywhere. */
import { Readable } from "node:stream";
import fc from "fast-check";
import t from "tap";
import { type Output, readFrames } from "../../../src/host/docker/frames.ts";
import { frame } from "./frame.ts";

const open = new AbortController().signal;
const wrapped = (error: unknown): Error => new Error(`broken: ${(error as Error).message}`);

async function read(parts: Iterable<Buffer>): Promise<Record<Output["stream"], string>> {
  const got = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const keep = ({ stream, octets }: Output): void => void got[stream].push(Buffer.from(octets));
  await readFrames(Readable.from(parts), keep, open, wrapped);
  const text = (stream: Output["stream"]): string => Buffer.concat(got[stream]).toString();
  return { stdout: text("stdout"), stderr: text("stderr") };
}

const WHOLE = Buffer.concat([
  frame(1, "one\n"),
  frame(2, "two\n"),
  frame(1, ""),
  frame(3, "an error of Docker's"),
  frame(0, "input"),
  frame(1, "three"),
]);
const WANT = { stdout: "one\nthree", stderr: "two\n" };

t.test("frames cut at any octet: each stream's content, other streams left out", async (t) => {
  for (let at = 0; at <= WHOLE.length; at++)
    t.strictSame(
      await read([WHOLE.subarray(0, at), WHOLE.subarray(at)].filter(({ length }) => length > 0)),
      WANT,
    );
  t.strictSame(await read([...WHOLE].map((octet) => Buffer.of(octet))), WANT, "octet by octet");
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(WHOLE.length)), async (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), WHOLE.length];
      const parts = at.slice(1).map((to, n) => WHOLE.subarray(at[n], to));
      return JSON.stringify(await read(parts.filter(({ length }) => length > 0))) === JSON.stringify(WANT);
    }),
    { numRuns: 200 },
  );
});

t.test("an end within a head or a content: an error; an end between frames is none", async (t) => {
  const one = frame(1, "abc");
  for (let at = 1; at < one.length; at++)
    await t.rejects(read([one.subarray(0, at)]), {
      message: "broken: the connection was closed within the output",
    });
  t.strictSame(await read([one]), { stdout: "abc", stderr: "" });
  t.strictSame(await read([]), { stdout: "", stderr: "" });
  const huge = frame(1, "abc");
  huge.writeUInt32BE(0xffff_ffff, 4);
  await t.rejects(read([huge]), /within the output/, "a frame of 4 GB is not waited for in memory");
});

t.test("a broken connection is told from what the caller throws", async (t) => {
  const breaks = async function* (): AsyncGenerator<Buffer> {
    yield frame(1, "a");
    throw new Error("reset");
  };
  await t.rejects(
    readFrames(Readable.from(breaks()), () => undefined, open, wrapped),
    { message: "broken: reset" },
  );
  const own = new Error("own");
  const thrown = (): never => {
    throw own;
  };
  await t.rejects(readFrames(Readable.from([WHOLE]), thrown, open, wrapped), own);
});

t.test(
  "a part is not read before the one before has been taken; nothing is given once it is closed",
  async (t) => {
    const closed = new AbortController();
    let sent = 0;
    const endless = async function* (): AsyncGenerator<Buffer> {
      for (;;) {
        sent += 1;
        yield frame(1, "x".repeat(1 << 16));
      }
    };
    const body = Readable.from(endless(), { objectMode: true, highWaterMark: 1 });
    let taken = 0;
    const take = async (): Promise<void> => {
      taken += 1;
      await new Promise((resolve) => setImmediate(resolve));
      t.ok(sent - taken <= 4, `${sent} were sent, ${taken} are taken`);
      if (taken < 50) return;
      closed.abort();
      body.destroy();
    };
    await readFrames(body, take, closed.signal, wrapped).catch(() => undefined);
    t.equal(taken, 50);
  },
);
