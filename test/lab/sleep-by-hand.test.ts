/** Commands by hand, two directors, and a director that is killed, at any moment of a wake or a stop. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { dice } from "./dice.ts";
import { ENGINES, hasAll, initializedLab } from "./director.ts";
import type { Lab } from "./handle.ts";
import { storage } from "./ocdd.ts";
import { type Daemon, sleep, until } from "./process.ts";
import { addressOf, asleep, holds, leads, queues, REFUSED, stateOf, visit, WAKE } from "./sleeper.ts";

t.setTimeout(1_200_000);

const SEED = Number(process.env.OCDD_SEED ?? 20_261_129);
/** Commands of the walk, and moments at which the director is killed. */
const STEPS = Number(process.env.OCDD_WALK ?? 60);
const KILLS = Number(process.env.OCDD_KILLS ?? 2);

for (const engine of ENGINES) {
  t.test(`sleep and wake by hand, engine ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `by-hand-${engine}`, engine, dns: false });
    const watch = lab.startOcdd(["watch"]);
    t.teardown(() => watch.stop());
    await renames(t, lab);
    await walk(t, lab, watch);
    if (!hasAll(engine)) return;
    await two(t, lab, watch);
    await portable(t, lab, watch);
    await kills(t, lab);
  });
}

async function renames(t: Test, lab: Lab): Promise<void> {
  await t.test("renamed while it sleeps: a visit to its new name's address wakes it", async (t) => {
    await lab.startContainer({ name: "old", labels: WAKE });
    await asleep(lab, "old", await addressOf(lab, "old"));
    await lab.docker("rename", "old", "new");
    const address = await addressOf(lab, "new");
    await holds(lab, address);
    t.equal(await visit(lab, address), "old", "its page is as it was");
    t.equal(await stateOf(lab, "new"), "running");
    await lab.removeContainers("new");
  });
}

/** One visit at a random moment, and what came of it. */
interface Visited {
  readonly at: number;
  readonly answer: string;
}

/** A visit that is over before its time: curl's words, or those of the page of this service. */
const OVER =
  /Failed to connect|Could not connect|Connection refused|reset by peer|Empty reply|No route to host|^walk (could not be started|is starting)/;

async function walk(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test(`a walk over start, stop, restart, rm and visits, seed ${SEED}`, async (t) => {
    const roll = dice(SEED);
    const run = () => lab.startContainer({ name: "walk", labels: { ...WAKE, "ocdd.idle": "1s" } });
    await lab.startContainers(
      { name: "stranger" },
      { name: "neighbour", labels: { ...WAKE, "ocdd.idle": "1s" } },
    );
    await run();
    const address = await addressOf(lab, "walk");
    const commands: readonly (() => Promise<unknown>)[] = [
      () => lab.docker("start", "walk"),
      () => lab.docker("stop", "walk"),
      () => lab.docker("restart", "walk"),
      () => lab.docker("kill", "walk"),
      () => lab.docker("start", "neighbour"),
      () => lab.docker("stop", "neighbour"),
      async () => {
        await lab.docker("rm", "-f", "walk");
        await run();
      },
    ];
    const visits: Promise<Visited>[] = [];
    for (let step = 0; step < STEPS; step++) {
      if (roll(3) > 0) visits.push(visit(lab, address).then((answer) => ({ at: step, answer })));
      const command = commands[roll(commands.length)];
      // what it does to a container in a state that does not allow it is Docker's to say
      if (roll(2) === 0) await command?.().catch(() => undefined);
      await sleep(roll(300));
    }
    const wrong = (await Promise.all(visits)).filter(({ answer }) => answer !== "walk" && !OVER.test(answer));
    t.strictSame(wrong, [], `${watch.output().slice(-3_000)}`);
    if (!(await lab.docker("ps", "-aq", "--filter", "name=^walk$"))) await run();
    await until("it answers in the end", async () => (await visit(lab, address)) === "walk");
    await lab.removeContainers("walk", "stranger", "neighbour");
  });
}

async function two(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test("a second watch: it says that one runs and ends, and changes nothing", async (t) => {
    await lab.startContainer({ name: "web", labels: WAKE });
    const address = await addressOf(lab, "web");
    await leads(lab, address);
    await asleep(lab, "web", address);
    const recorded = (): unknown =>
      JSON.parse(readFileSync(join(storage(lab), "watch.json"), "utf8")).process.pid;
    const pid = recorded();
    const second = await lab.ocdd(["watch"]);
    t.equal(second.code, 75);
    t.match(
      second.stderr,
      new RegExp(`another \`ocdd watch\` runs \\(process ${watch.pid}\\)\nremedy: stop it first`),
    );
    t.equal(recorded(), pid, "what status reads is still the first one's");
    t.equal(await visit(lab, address), "web");
    t.ok(watch.running());
  });
}

/** Has `require("koffi")` fail, as where it is not installed. */
const WITHOUT_KOFFI = `
  const Module = require("node:module");
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (name, ...rest) {
    if (name === "koffi") throw new Error("koffi is not installed");
    return resolve.call(this, name, ...rest);
  };
`;

async function portable(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test(
    "without koffi: visits are refused and start nothing, nothing is stopped, and it is said",
    async (t) => {
      await lab.startContainers({ name: "awake", labels: { ...WAKE, "ocdd.idle": "off" } });
      const [address, awake] = [await addressOf(lab, "web"), await addressOf(lab, "awake")];
      await leads(lab, awake);
      await asleep(lab, "web", address);
      await watch.stop();
      const hook = join(lab.dir, "without-koffi.cjs");
      writeFileSync(hook, WITHOUT_KOFFI);
      const without = lab.startOcdd(["watch"], { env: { NODE_OPTIONS: `--require=${hook}` } });
      t.teardown(() => without.stop());
      await until("it says so", () => /visits cannot start services: .*koffi/.test(without.output()));
      t.match(await visit(lab, address), REFUSED);
      t.equal(await stateOf(lab, "web"), "exited");
      t.equal(await visit(lab, awake), "awake");
      await without.stop();
    },
  );
}

async function kills(t: Test, lab: Lab): Promise<void> {
  await t.test(`killed at ${KILLS} random moments of a wake: the next visit succeeds`, async (t) => {
    const address = await addressOf(lab, "web");
    const roll = dice(SEED);
    let watch = lab.startOcdd(["watch"]);
    await queues(lab);
    for (let round = 0; round < KILLS; round++) {
      await asleep(lab, "web", address);
      const interrupted = visit(lab, address);
      const moment = roll(600);
      await sleep(moment);
      await watch.stop("SIGKILL");
      watch = lab.startOcdd(["watch"]);
      await queues(lab);
      const [next, before] = await Promise.all([visit(lab, address), interrupted]);
      t.equal(next, "web", `killed after ${moment} ms`);
      if (before !== "web")
        t.match(before, REFUSED, `killed after ${moment} ms: the visit that was interrupted`);
    }
    t.teardown(() => watch.stop());
  });
}
