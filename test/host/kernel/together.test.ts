/** Callers that are served together. */
import t from "tap";
import { together } from "../../../src/host/kernel/together.ts";

t.test(
  "calls while it works: one more turn for all of them, and each sees what it has asked for",
  async (t) => {
    const asked: string[] = [];
    const turns: string[] = [];
    let go = Promise.withResolvers<void>();
    const write = together(async () => {
      turns.push(asked.join(""));
      await go.promise;
    });
    const change = (what: string): Promise<void> => {
      asked.push(what);
      return write();
    };
    const first = change("a");
    await new Promise(setImmediate);
    const others = ["b", "c", "d"].map(change);
    await new Promise(setImmediate);
    t.same(turns, ["a"], "never two at once");
    go.resolve();
    await Promise.all([first, ...others]);
    t.same(turns, ["a", "abcd"]);
    go = Promise.withResolvers();
    go.resolve();
    await change("e");
    t.same(turns, ["a", "abcd", "abcde"]);
  },
);

t.test("a turn that fails: its callers are told, and the next one is made all the same", async (t) => {
  let fails = true;
  const write = together(async () => {
    if (fails) throw new Error("no");
  });
  const both = [write(), write()];
  for (const one of both) await t.rejects(one, { message: "no" });
  fails = false;
  await write();
});
