/**
 * Services that fall asleep and are visited, on a real engine (ENGINES: debian,sid), every visit judged.
 *
 *     node bench/wake-soak.ts cycles   CYCLES (1000) of asleep, visited, asleep; SERVICES (12) side by side, MINUTES (5) at most
 *     node bench/wake-soak.ts kill     KILLS (200) of `watch` by SIGKILL at random moments of a wake, MINUTES (5) at most
 *
 * Further: SEED; HISTORY, a file that keeps every visit and the log of `watch`.
 */
import { writeFileSync } from "node:fs";
import { dice } from "../test/lab/dice.ts";
import type { Lab } from "../test/lab/handle.ts";
import { signal, sleep } from "../test/lab/process.ts";
import { clock } from "./clock.ts";
import { load, median, percentile, say, table } from "./report.ts";
import type { Visit, Visited } from "./visitor.ts";
import {
  aliasesOf,
  CONF,
  create,
  engines,
  raise,
  stop,
  untilWaits,
  type Visitors,
  visitors,
} from "./wake-lab.ts";

const setting = (key: string, otherwise: number): number => Number(process.env[key] ?? otherwise);
const CYCLES = setting("CYCLES", 1_000);
const SERVICES = setting("SERVICES", 12);
const KILLS = setting("KILLS", 200);
const MINUTES = setting("MINUTES", 5);
const SEED = setting("SEED", 7);
const { HISTORY } = process.env;
/** Milliseconds: longer than any wake on a loaded machine, shorter than a client's own limit. */
const PATIENCE_MS = 60_000;

const OUTCOMES = ["answered", "refused", "misdelivered", "cut", "late"] as const;
type Outcome = (typeof OUTCOMES)[number];

interface Judged extends Visited {
  readonly name: string;
  readonly kind: Visit["kind"];
  readonly outcome: Outcome;
}

function outcomeOf({ answers, error }: Visited, name: string): Outcome {
  if (answers.some((answer) => answer !== name)) return "misdelivered";
  if (error === null) return answers.join() === name ? "answered" : "cut";
  if (/REFUSED/.test(error)) return "refused";
  return error === "no answer" ? "late" : "cut";
}

/** Visits a service and notes what came of it. */
function noting(client: Visitors, aliases: ReadonlyMap<string, string>, notes: Judged[]) {
  return async (name: string, kind: Visit["kind"], lasts = 0): Promise<Judged> => {
    const address = aliases.get(name) ?? "";
    const visited = await client.visit({ kind, address, patience: PATIENCE_MS, lasts });
    const judged = { ...visited, name, kind, outcome: outcomeOf(visited, name) };
    notes.push(judged);
    return judged;
  };
}

function tell(what: string, notes: readonly Judged[]): boolean {
  say(`\n${what}\n`);
  const kinds = [...new Set(notes.map(({ kind }) => kind))].sort();
  const rows = kinds.map((kind) => {
    const all = notes.filter((note) => note.kind === kind);
    const ms = all.filter(({ outcome }) => outcome === "answered").map((one) => one.ms);
    return [
      kind,
      all.length,
      ...OUTCOMES.map((outcome) => all.filter((note) => note.outcome === outcome).length),
      `${median(ms).toFixed(0)} / ${percentile(ms, 99).toFixed(0)} / ${Math.max(...ms).toFixed(0)}`,
    ];
  });
  table(["visits", "in all", ...OUTCOMES, "ms to the first octet: median / 99 % / worst"], rows);
  const wrong = notes.filter(({ outcome }) => outcome !== "answered");
  for (const note of wrong.slice(0, 30)) say(JSON.stringify(note));
  return wrong.length === 0;
}

function keep(notes: readonly Judged[], log: string): void {
  if (HISTORY === undefined) return;
  writeFileSync(HISTORY, `${notes.map((note) => JSON.stringify(note)).join("\n")}\n${log}`);
}

const KINDS = ["http", "http", "tcp", "udp", "stream"] as const;
/** Milliseconds between two visits of a service at most: about half of them find it asleep. */
const PAUSE_MS = 3_500;
const STREAM_MS = 3_000;

async function cycles(lab: Lab): Promise<boolean> {
  const names = Array.from({ length: SERVICES }, (_, n) => `cycle${n}x`);
  for (const name of names) await create(lab, name, { "ocdd.wake": "true", "ocdd.idle": "1s" });
  const watch = lab.startOcdd(["watch"], CONF);
  const aliases = await aliasesOf(lab, names);
  for (const name of names) await untilWaits(lab, aliases.get(name) ?? "");
  const client = visitors(lab, "client");
  const notes: Judged[] = [];
  const visit = noting(client, aliases, notes);
  const asleep = (): number => watch.output().match(/is stopped: not used/g)?.length ?? 0;
  let over = false;
  const use = async (name: string, n: number): Promise<void> => {
    const roll = dice(SEED + n);
    while (!over) {
      await sleep(roll(PAUSE_MS));
      const several = roll(3) === 0 ? 2 + roll(4) : 1;
      const all = Array.from({ length: several }, async () => {
        await sleep(several > 1 ? roll(60) : 0);
        const kind = KINDS[roll(KINDS.length)] ?? "http";
        await visit(name, kind, kind === "stream" ? roll(STREAM_MS) : 0);
      });
      await Promise.all(all);
    }
  };
  const began = clock();
  const using = names.map(use);
  const minutes = (): number => (clock() - began) / 60_000;
  let told = 0;
  while (asleep() < CYCLES && minutes() < MINUTES) {
    await sleep(1_000);
    if (minutes() - told < 1) continue;
    told = Math.floor(minutes());
    say(`${told} min: ${asleep()} cycles, ${notes.length} visits, load ${load()}`);
  }
  over = true;
  await Promise.all(using);
  const count = asleep();
  keep(notes, watch.output());
  const kept = watch.output().match(/is not stopped: .*/g) ?? [];
  say(`${kept.length} times not stopped after all: ${[...new Set(kept)].join("; ")}`);
  for (const line of (watch.output().match(/.*(could not|cannot).*/g) ?? []).slice(0, 5)) say(line);
  const good = tell(`${count} cycles in ${minutes().toFixed(1)} minutes, load ${load()}`, notes);
  await client.close();
  await watch.stop();
  return good;
}

/** Sleepers that are woken at the same time. */
const WOKEN = 3;
/** Milliseconds of a wake from which the moment is taken, and until `watch` is started again: systemd waits 2 s. */
const MOMENT_MS = 700;
const RESTART_MS = 2_000;

async function kill(lab: Lab): Promise<boolean> {
  const names = Array.from({ length: WOKEN }, (_, n) => `killed${n}x`);
  for (const name of names) await create(lab, name);
  let watch = lab.startOcdd(["watch"], CONF);
  const aliases = await aliasesOf(lab, names);
  const client = visitors(lab, "client");
  const [during, after]: Judged[][] = [[], []];
  const interrupted = noting(client, aliases, during ?? []);
  const next = noting(client, aliases, after ?? []);
  const roll = dice(SEED);
  const began = clock();
  let kills = 0;
  let log = "";
  for (; kills < KILLS && clock() - began < MINUTES * 60_000; kills++) {
    for (const name of names) await untilWaits(lab, aliases.get(name) ?? "");
    const kind = (["http", "tcp"] as const)[kills % 2] ?? "http";
    const visits = names.map(async (name) => {
      await sleep(roll(200));
      await interrupted(name, kind);
    });
    await sleep(roll(MOMENT_MS));
    signal(watch.pid, "SIGKILL");
    await watch.stop("SIGKILL");
    log += `${watch.output()}killed\n`;
    await sleep(roll(RESTART_MS));
    watch = lab.startOcdd(["watch"], CONF);
    await Promise.all(names.map((name) => next(name, kind)));
    await Promise.all(visits);
    for (const name of names) await stop(lab, name);
  }
  keep([...(during ?? []), ...(after ?? [])], log + watch.output());
  tell(`visits whose wake a kill has interrupted; ${kills} kills`, during ?? []);
  const good = tell(`the next visits; ${kills} kills, load ${load()}`, after ?? []);
  await client.close();
  await watch.stop();
  return good && kills > 0;
}

const MODES = { cycles, kill } as const;
const mode = process.argv[2] ?? "";
if (mode !== "cycles" && mode !== "kill") throw new Error("wake-soak.ts cycles|kill");
let good = true;
for (const engine of engines()) {
  const { lab, version } = await raise(`soak-wake-${mode}`, engine);
  await using _ = lab;
  say(`\n## ${mode}, engine ${version}\n`);
  good = (await MODES[mode](lab)) && good;
}
process.exitCode = good ? 0 : 1;
say(good ? "passed" : "FAILED");
