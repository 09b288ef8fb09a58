/**
 * Churn under `watch`: Docker gives an address away as soon as it is free, lowest first, so that a rule left a moment
 * too long leads to somebody else. Every answer that the office gets is recorded, and whose it was.
 */

import t from "tap";
import { addresses, aliases, ENGINES, initializedLab } from "./director.ts";
import { until } from "./process.ts";
import { replier } from "./traffic.ts";

t.setTimeout(600_000);

const ROUNDS = Number(process.env.OCDD_CHURN ?? 8);

/** The same "random" numbers in every run. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % sides;
  };
}

for (const engine of ENGINES) {
  t.test(`churn on ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `churn-${engine}`, engine });
    const names = ["ann", "bob", "cat", "dan", "eve", "fay"];
    await lab.startContainers("steady", ...names);
    const watch = lab.startOcdd(["watch", "--log-format", "json", "--debug"]);
    await until("all are served", async () => (await aliases(lab)).length === names.length + 1, 15_000);
    const table = await addresses(lab);
    const recordings = new Map(
      await Promise.all(
        ["steady", ...names].map(async (name) => [name, await replier(lab, table[name] ?? "")] as const),
      ),
    );

    const roll = dice(7);
    const running = new Set(names);
    for (let round = 0; round < ROUNDS; round++) {
      const stopping = [...running].filter(() => roll(2) === 0).slice(0, 3);
      const starting = names.filter((name) => !running.has(name));
      for (const name of stopping) running.delete(name);
      for (const name of starting) running.add(name);
      // who starts gets the address of who has just stopped. OCDD_CHURN_RACE=1 has Docker do both at once, where on a
      // busy machine the first answer of the one can overtake the end of the other's rule (docs/benchmarks.md).
      const stopped = stopping.length > 0 ? lab.docker("stop", "-t", "2", ...stopping) : Promise.resolve("");
      if (process.env.OCDD_CHURN_RACE !== "1") await stopped;
      await Promise.all([stopped, starting.length > 0 ? lab.docker("start", ...starting) : undefined]);
    }
    await until("who runs at the end is served, and nobody else", async () => {
      const wanted = ["steady", ...running].map((name) => table[name] ?? "");
      return (await aliases(lab)).sort().join() === wanted.sort().join();
    });

    for (const [name, recording] of recordings) {
      const { answers } = await recording.stop();
      const who = answers.map((answer) => answer.who);
      const strangers = answers.filter((answer) => answer.who !== undefined && answer.who !== name);
      if (strangers.length > 0) t.comment(watch.output());
      t.same(strangers, [], `${name}'s address was never answered by another`);
      t.ok(who.filter((one) => one === name).length > 10, `${name} has answered`);
      if (name === "steady") t.notOk(who.includes(undefined), "who is not touched answers every request");
    }
    t.same(await addresses(lab).then((now) => now.steady), table.steady);
    t.ok(watch.running(), watch.output());
    await watch.stop();
  });
}
