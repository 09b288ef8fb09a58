import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { Ipv4 } from "../../../src/core/addresses/ipv4.ts";
import {
  joinOwed,
  owe as leaveWord,
  type Owed,
  parseOwed,
  renderOwed,
  settle,
} from "../../../src/host/kernel/owed.ts";
import { ip } from "../../core/make.ts";

const directory = mkdtempSync(join(tmpdir(), "ocdd-owed-"));
t.teardown(() => rmSync(directory, { recursive: true }));
const file = join(directory, "owed");
const A = ip("192.0.2.11");
const B = ip("192.0.2.12");
const HERE = ip("127.0.0.1");
/** What an apply does before it replaces rules. */
async function owe(at: string, now: Owed, coming: ReadonlySet<Ipv4>, done = new Set<Ipv4>()): Promise<Owed> {
  const owed = await joinOwed(at, now, coming, done);
  await leaveWord(at, owed);
  return owed;
}

const NOTHING = { flushed: [], announced: [] };

t.test("what a killed run has left is done by the next, and only then forgotten", async (t) => {
  await owe(file, { flushed: [A], announced: [HERE] }, new Set([HERE]));
  const next = await owe(file, { flushed: [B], announced: [] }, new Set());
  t.same(next, { flushed: [A, B], announced: [HERE] });
  t.same(parseOwed(readFileSync(file, "utf8")), next, "killed again, nothing is lost");
  await settle(file, next);
  t.notOk(existsSync(file));
  t.same(await owe(file, NOTHING, new Set()), NOTHING);
  t.notOk(existsSync(file), "who owes nothing writes nothing");
});

t.test(
  "what has been done, and the disk does not know, is not done again: who has come since keeps his connections",
  async (t) => {
    await owe(file, { flushed: [A, B], announced: [] }, new Set());
    t.same(await owe(file, { flushed: [], announced: [] }, new Set(), new Set([A])), {
      flushed: [B],
      announced: [],
    });
    const again = await owe(file, { flushed: [A], announced: [] }, new Set(), new Set([A, B]));
    t.same(again, { flushed: [A], announced: [] }, "but what is owed anew");
    await settle(file, again);
  },
);

t.test("an address that is not this host's any more is not announced", async (t) => {
  writeFileSync(file, renderOwed({ flushed: [A], announced: [A, B, HERE] }));
  const owed = await owe(file, NOTHING, new Set([B]));
  t.same(owed, { flushed: [A], announced: [B, HERE] });
  await settle(file, owed);
});

t.test("a torn or foreign file says nothing, and a disk that cannot be written stops nobody", async (t) => {
  t.same(parseOwed("flush 192.0.2.11\nflush 192.0.2\nannounce ; reboot\nflush\n\0\n"), {
    flushed: [A],
    announced: [],
  });
  const nowhere = join(directory, "gone", "owed");
  t.same(await owe(nowhere, { flushed: [A], announced: [] }, new Set()), { flushed: [A], announced: [] });
  await settle(nowhere, { flushed: [A], announced: [] });
});
