/**
 * Churn under `watch`: Docker assigns an address again as soon as it is free, lowest first, so that a rule that is removed
 * too late leads to another container. The whole history is recorded and checked: rules, aliases, leases, names, which
 * container gave each answer, and Docker's own state.
 */

import t from "tap";
import { dice } from "./dice.ts";
import { addresses, aliases, ENGINES, initializedLab } from "./director.ts";
import { deathsToRuleGone, judge, summary } from "./history.ts";
import { asBusy, type Bounds, type Note } from "./note.ts";
import { sleep, until } from "./process.ts";
import { record } from "./recorder.ts";

t.setTimeout(1_200_000);

const ROUNDS = Number(process.env.OCDD_CHURN ?? 8);

/** Has Docker end some and start others at the same instant; see docs/benchmarks.md. */
const RACE = process.env.OCDD_CHURN_RACE === "1";

/**
 * Four test files run at once on two cores: notifications are read late and the server is scheduled late.
 * An answer of another container has no tolerance, except in the race, whose cause is Docker.
 */
const BUSY: Bounds = {
  notice: 150,
  serverSwitch: 300,
  afterDeath: 1_500,
  misled: RACE ? 100 : 0,
  untouched: ["steady"],
};

/** The notes around each fault, a line each, since a failure cannot be repeated to find out. */
function around(wrong: readonly string[], notes: readonly Note[]): string {
  const times = wrong.map((line) => Number.parseFloat(line));
  const near = ({ at }: Note): boolean => times.some((time) => Math.abs(at - time) < 1_500);
  const lines = [...notes].sort((a, b) => a.at - b.at).filter(near);
  return lines.map((note) => JSON.stringify(note)).join("\n");
}

for (const engine of ENGINES) {
  t.test(`churn on ${engine} (O-9, O-10)`, async (t) => {
    const lab = await initializedLab(t, { name: `churn-${engine}`, engine });
    const recorder = await record(lab);
    const server = await lab.serve();
    const names = ["ann", "bob", "cat", "dan", "eve", "fay"];
    await lab.startContainers("steady", ...names);
    const watch = lab.startOcdd(["watch", "--log-format", "json", "--debug"]);
    await until("all are served", async () => (await aliases(lab)).length === names.length + 1);
    const table = await addresses(lab);
    await until("all have names", async () => (await lab.ocdd(["plan"])).stdout === "");
    await recorder.ask(table);

    const roll = dice(7);
    const running = new Set(names);
    for (let round = 0; round < ROUNDS; round++) {
      const stopping = [...running].filter(() => roll(2) === 0).slice(0, 3);
      const starting = names.filter((name) => !running.has(name));
      for (const name of stopping) running.delete(name);
      for (const name of starting) running.add(name);
      // the container that starts gets the address of the one that has just stopped
      const stopped = stopping.length > 0 ? lab.docker("stop", "-t", "2", ...stopping) : Promise.resolve("");
      if (!RACE) await stopped;
      await Promise.all([stopped, starting.length > 0 ? lab.docker("start", ...starting) : undefined]);
    }
    await until("who runs at the end is served, and nobody else", async () => {
      const wanted = ["steady", ...running].map((name) => table[name] ?? "");
      return (await aliases(lab)).sort().join() === wanted.sort().join();
    });

    // so that each container has answered, however short it ran in the random part
    await lab.docker("start", ...names);
    await until("all are served again", async () => (await aliases(lab)).length === names.length + 1);
    await sleep(3_000);

    const notes = await recorder.stop();
    const wrong = judge(notes, asBusy(BUSY, notes));
    if (wrong.length > 0) t.comment(`${watch.output()}\n${around(wrong, notes)}`);
    t.same(wrong, [], "from the first moment to the last");
    for (const name of ["steady", ...names]) {
      const own = notes.find((n) => n.kind === "replies" && n.container === name && n.who === name);
      t.ok(own?.kind === "replies" && own.count > 10, `${name} has answered`);
      t.ok(
        notes.some((n) => n.kind === "named" && n.container === name && n.value === table[name]),
        `${name} had its name`,
      );
    }
    const gone = deathsToRuleGone(notes).sort((a, b) => a - b);
    const seen = summary(notes);
    t.ok((seen.rules ?? 0) >= ROUNDS && (seen.deaths ?? 0) >= ROUNDS, `${JSON.stringify(seen)} was seen`);
    // a container that ends before its rule is written has none
    t.ok(gone.length > 0 && gone.length <= (seen.deaths ?? 0), "deaths had their rules taken down");
    t.comment(`rule gone after die: ${gone.map((ms) => ms.toFixed(0)).join(", ")} ms`);
    t.same(await addresses(lab).then((now) => now.steady), table.steady);
    t.ok(watch.running(), watch.output());
    await watch.stop();
    await server.stop();
  });
}
