/**
 * Long runs on a real engine, recorded from the first moment to the last and checked as a whole (test/lab/history.ts).
 *
 *     node bench/soak.ts churn   MINUTES (30) of 5 events a second under `watch`: invariants, memory, untouched services
 *     node bench/soak.ts kill    KILLS (1000) of `watch` and `apply` at random moments under the same churn
 *
 * Where directors are killed, what needs no director is checked all the time (the container of each rule, lease and reply,
 * names with their rule and alias), and leftovers of ended containers only where a director ran (test/lab/sight.ts).
 *
 * Further: WARM (5) minutes before memory is compared, PACE (200) milliseconds an event, CROWD (12) containers, SEED,
 * HISTORY a file that keeps every note.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { dice } from "../test/lab/dice.ts";
import { aliases } from "../test/lab/director.ts";
import type { Lab } from "../test/lab/handle.ts";
import { deathsToRuleGone, heldByDisk, judge, judgedDeaths, summary } from "../test/lab/history.ts";
import { raiseLab } from "../test/lab/lab.ts";
import { HOST_ADDRESS } from "../test/lab/network.ts";
import type { Bounds, Note } from "../test/lab/note.ts";
import { type Daemon, signal, sleep, until } from "../test/lab/process.ts";
import { clock, record } from "../test/lab/recorder.ts";
import { churn } from "./churner.ts";

const setting = (key: string, otherwise: number): number => Number(process.env[key] ?? otherwise);
const MINUTES = setting("MINUTES", 30);
const WARM = setting("WARM", 5);
const PACE = setting("PACE", 200);
const CROWD = setting("CROWD", 12);
const KILLS = setting("KILLS", 1_000);
const SEED = setting("SEED", 7);

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const percentile = (values: readonly number[], p: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor((values.length * p) / 100))] ??
  Number.NaN;
const median = (values: readonly number[]): number => percentile(values, 50);

/** Resident memory of a process, kB. */
const rss = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);

/** One-minute load of the machine: with other load every latency is an upper bound. */
const load = (): number => Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);

/** Things of other programs that must never change: an address within the range, and rules beside OCDD's. */
const FOREIGN = [
  ["ip", "addr", "add", "192.168.122.29/32", "dev", "ens3"],
  ["iptables", "-I", "DOCKER-USER", "-s", "10.66.66.66/32", "-j", "DROP"],
  [
    "iptables",
    "-t",
    "nat",
    "-I",
    "PREROUTING",
    "-d",
    "192.168.122.28/32",
    "-p",
    "tcp",
    "--dport",
    "99",
    "-j",
    "RETURN",
  ],
] as const;

async function foreignIntact(lab: Lab): Promise<boolean> {
  const { stdout: rules } = await lab.run("host", ["iptables-save"]);
  return (
    (await aliases(lab)).includes("192.168.122.29") &&
    rules.includes("-A DOCKER-USER -s 10.66.66.66/32 -j DROP") &&
    rules.includes("-A PREROUTING -d 192.168.122.28/32 -p tcp -m tcp --dport 99 -j RETURN")
  );
}

/** Process id of the run that holds the lock, or held it last. */
const holder = (lab: Lab): number => Number(readFileSync(`${lab.dir}/storage/ocdd.lock`, "utf8"));

/** The interval that a host has, where the lab's is a day. */
const USUAL = { conf: { SYNC_INTERVAL: "60" } };

/** Exit status of a run while another one holds the lock. */
const BUSY_STATUS = 75;

/** Starts all containers once, so that each has its lease. `fixed`: each has a fixed address in Docker. */
async function crowd(lab: Lab, fixed: boolean): Promise<{ names: string[]; table: Record<string, string> }> {
  const names = Array.from({ length: CROWD }, (_, i) => `churn${i}`);
  if (fixed) await lab.docker("network", "create", "--subnet", "172.30.0.0/16", "fixed");
  const placed = (name: string, i: number) => ({
    name,
    ...(fixed ? { network: "fixed", args: ["--ip", `172.30.1.${i + 1}`] } : {}),
  });
  await lab.startContainers(...["steady0", "steady1", ...names].map(placed));
  // `watch` may hold the lock just then
  let outcome = await lab.ocdd();
  for (let tries = 0; outcome.code === BUSY_STATUS && tries < 50; tries++) {
    await sleep(200);
    outcome = await lab.ocdd();
  }
  if (outcome.code !== 0) throw new Error(outcome.stderr);
  const { leases } = JSON.parse(readFileSync(`${lab.dir}/storage/leases.json`, "utf8")) as {
    leases: { key: string; address: string }[];
  };
  return {
    names,
    table: Object.fromEntries(leases.map(({ key, address }) => [key.replace("container:", ""), address])),
  };
}

/** One core or both may be used by other programs. */
const BUSY: Bounds = {
  notice: 60,
  serverSwitch: 100,
  afterDeath: 500,
  misled: 0,
  untouched: ["steady0", "steady1"],
};

function verdict(notes: readonly Note[]): boolean {
  const { HISTORY } = process.env;
  if (HISTORY !== undefined)
    writeFileSync(HISTORY, notes.map((note) => `${JSON.stringify(note)}\n`).join(""));
  const wrong = judge(notes, BUSY);
  say(`seen: ${JSON.stringify(summary(notes))}`);
  const held = heldByDisk(notes, BUSY);
  say(
    `names that outlived their alias on a busy disk: ${held.length}${held.length > 0 ? ` (${held.join(", ")} ms)` : ""}`,
  );
  const { deaths = 0 } = summary(notes);
  const judged = judgedDeaths(notes, BUSY);
  say(`ends that a director had to handle, before a new start: ${judged} of ${deaths}`);
  const kinds = new Map<string, number>();
  for (const line of wrong) {
    const kind =
      /which is|leased to nobody|was answered by|has died|was answered as|name became|answers of/.exec(
        line,
      )?.[0] ?? "other";
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  say(`violations: ${wrong.length} ${JSON.stringify([...kinds])}`);
  for (const line of wrong.slice(0, 40)) say(`  ${line}`);
  // a history in which nothing was checked has not passed
  return wrong.length === 0 && judged > deaths / 4;
}

/** The required state at the end: running containers are served, nothing is pending, other programs' things are unchanged. */
async function converged(
  lab: Lab,
  running: ReadonlySet<string>,
  table: Record<string, string>,
): Promise<boolean> {
  const wanted = ["steady0", "steady1", ...running].map((name) => table[name] ?? name);
  const served = [...wanted, "192.168.122.29"].sort().join();
  const began = performance.now();
  await until(
    "running containers are served, and no others",
    async () => (await aliases(lab)).join() === served,
  );
  const servedMs = performance.now() - began;
  // the page shows the last start once Docker has reported it, up to a run later
  const pending = async (): Promise<string> => (await lab.ocdd(["plan"])).stdout;
  const nothing = async (): Promise<boolean> => (await pending()) === "";
  const idle = await until("nothing pending", nothing).catch(() => false);
  const idleMs = performance.now() - began - servedMs;
  for (const name of ["steady0", ...running]) {
    if ((await lab.who(table[name] ?? "")) !== name) throw new Error(`${name} does not answer`);
  }
  const intact = await foreignIntact(lab);
  say(
    `at the end: ${running.size + 2} served, ${idle ? "nothing pending" : await pending()}, foreign things ${intact ? "intact" : "HARMED"}; after ${servedMs.toFixed(0)} and ${idleMs.toFixed(0)} ms (15 000 and 10 000 at most)`,
  );
  return idle && intact && servedMs <= 15_000 && idleMs <= 10_000;
}

async function soakChurn(lab: Lab): Promise<boolean> {
  const recorder = await record(lab);
  const watch = lab.startOcdd(["watch"], USUAL);
  const server = await lab.serve();
  const { names, table } = await crowd(lab, false);
  await recorder.ask(table, { question: 20, connection: 100 });
  const memory: { minute: number; watch: number; serve: number }[] = [];
  const began = performance.now();
  const minute = (): number => (performance.now() - began) / 60_000;
  const churning = churn(lab.dockerSocket, names, PACE, SEED);
  let told = 0;
  while (minute() < MINUTES) {
    await sleep(5_000);
    memory.push({ minute: minute(), watch: rss(watch.pid), serve: rss(server.pid) });
    if (minute() - told >= 1) {
      told = Math.floor(minute());
      const { watch: a, serve: b } = memory.at(-1) as { watch: number; serve: number };
      say(`${told} min: ${churning.events()} events, RSS watch ${a} kB, serve ${b} kB, load ${load()}`);
    }
  }
  const running = await churning.stop();
  const good = await converged(lab, running, table);
  const notes = await recorder.stop();
  const window = (of: "watch" | "serve", from: number, to: number): number =>
    median(memory.filter((m) => m.minute >= from && m.minute < to).map((m) => m[of]));
  for (const who of ["watch", "serve"] as const) {
    const early = window(who, WARM, WARM + 3);
    const late = window(who, MINUTES - 3, MINUTES + 1);
    say(
      `RSS of ${who}: ${early} kB (minutes ${WARM} to ${WARM + 3}), ${late} kB (last 3), ${(((late - early) / early) * 100).toFixed(1)} % (wanted < 5)`,
    );
  }
  const gone = deathsToRuleGone(notes);
  say(
    `rule gone after die: median ${median(gone).toFixed(0)} ms, 99 % ${percentile(gone, 99).toFixed(0)} ms, worst ${Math.max(...gone).toFixed(0)} ms of ${gone.length}`,
  );
  say(
    `${churning.events()} events in ${MINUTES} minutes; watch said:\n${watch
      .output()
      .split("\n")
      .filter((l) => !/changes:/.test(l))
      .slice(0, 12)
      .join("\n")}`,
  );
  const right = verdict(notes);
  await watch.stop();
  await server.stop();
  return good && right;
}

/**
 * A killed director handles no end, so Docker's addresses are fixed here: none is assigned to another container. Most are
 * killed in their first run; one `watch` in eight runs longer, so that runs which an event has started are killed as well.
 */
async function soakKill(lab: Lab): Promise<boolean> {
  const recorder = await record(lab);
  const server = await lab.serve();
  const { names, table } = await crowd(lab, true);
  await recorder.ask(table, { question: 20, connection: 100 });
  const roll = dice(SEED + 1);
  let good = true;
  let killed = 0;
  let events = 0;
  const directors: Note[] = [];
  const noted = (did: "start" | "end", watches = false): void =>
    void directors.push({ kind: "director", at: clock(), did, watches });
  while (killed < KILLS) {
    const churning = churn(lab.dockerSocket, names, PACE, SEED + killed);
    for (let n = 0; n < 100 && killed < KILLS; n++) {
      const command = roll(4) === 0 ? "apply" : "watch";
      noted("start", command === "watch");
      const victim: Daemon = lab.startOcdd([command], USUAL);
      // one in eight while it starts, the others during their run: the lock file has its process id from then on
      if (roll(8) > 0)
        await until("it works", () => !victim.running() || holder(lab) === victim.pid, { pause: 3 });
      await sleep(roll(8) === 0 ? roll(2_500) : roll(400));
      noted("end");
      signal(victim.pid, "SIGKILL");
      await victim.stop("SIGKILL");
      killed += 1;
    }
    const running = await churning.stop();
    events += churning.events();
    // more than half may be missing at once: that is observed a second time
    noted("start");
    const { code, stderr } = await lab.ocdd();
    noted("end");
    if (code !== 0) say(`the run after ${killed} kills left with ${code}: ${stderr}`);
    good = code === 0 && (await converged(lab, running, table)) && good;
    for (const name of names) if (!running.has(name)) await lab.docker("start", name);
    noted("start");
    await lab.ocdd();
    noted("end");
    say(`${killed} kills, ${events} events, load ${load()}`);
  }
  const notes = [...(await recorder.stop()), ...directors];
  const right = verdict(notes);
  await server.stop();
  return good && right;
}

const mode = process.argv[2] ?? "";
if (mode !== "churn" && mode !== "kill") throw new Error("soak.ts churn|kill");
await using lab = await raiseLab({ name: `soak-${mode}`, dns: false });
const initialized = await lab.ocdd(["initialize"]);
if (initialized.code !== 0) throw new Error(initialized.stderr);
for (const argv of FOREIGN) await lab.run("host", argv);
say(`${mode}; the host is ${HOST_ADDRESS}, load ${load()}`);
process.exitCode = (await (mode === "churn" ? soakChurn(lab) : soakKill(lab))) ? 0 : 1;
say(process.exitCode === 0 ? "passed" : "FAILED");
