/**
 * What `ocdd try` takes beyond the program's own time. `npm run bench:try` prints a table; real engines (ENGINES: debian,sid),
 * ROUNDS (20) calls of each form, without and with `watch`.
 *
 * The program's own time, taken in turn with each call: `docker run` of a container of the same image until it answers, then
 * VALIDATE in it by `docker exec`, or the command.
 */
import type { Lab } from "../test/lab/handle.ts";
import { IMAGE } from "../test/lab/image.ts";
import { until } from "../test/lab/process.ts";
import { load, median, say, table } from "./report.ts";
import { CONF, engines, raise } from "./wake-lab.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 20);
const FORMS = {
  "--validate": ["--validate"],
  "-- curl": ["--", "curl", "-sS", "--max-time", "5", "http://{address}/"],
} as const;
type Form = keyof typeof FORMS;

/** Milliseconds of a call, and until the container was ready and in force. */
async function called(lab: Lab, form: Form): Promise<{ readonly ms: number; readonly readyMs: number }> {
  const { code, stdout, stderr, ms } = await lab.ocdd(["try", "web", "--json", ...FORMS[form]], CONF);
  if (code !== 0) throw new Error(stderr);
  return { ms, readyMs: (JSON.parse(stdout) as { readyMs: number }).readyMs };
}

/** Milliseconds without OCDD; the removal is not counted. */
async function byHand(lab: Lab, form: Form): Promise<number> {
  const began = performance.now();
  const { address } = await lab.startContainer({ name: "by-hand", labels: { "ocdd.enable": "false" } });
  await until("it answers", async () => (await lab.who(address, "host")) !== undefined, { pause: 5 });
  if (form === "--validate") await lab.docker("exec", "by-hand", "true");
  else await lab.who(address, "host");
  const ms = performance.now() - began;
  await lab.removeContainers("by-hand");
  return Math.round(ms);
}

const rows: (string | number)[][] = [];
for (const engine of engines()) {
  const { lab, version } = await raise("bench-try", engine);
  await using _ = lab;
  await lab.startContainer({ name: "web", image: IMAGE, labels: { "ocdd.validate": "true" } });
  await lab.ocdd([], CONF);
  for (const isWatched of [false, true]) {
    const watch = isWatched ? lab.startOcdd(["watch"], CONF) : undefined;
    for (const form of Object.keys(FORMS) as Form[]) {
      const rounds: { call: number; ready: number; own: number }[] = [];
      for (let n = 0; n < ROUNDS; n++) {
        const own = await byHand(lab, form);
        const { ms, readyMs } = await called(lab, form);
        rounds.push({ call: ms, ready: readyMs, own });
      }
      const most = (values: number[]): string => `${Math.round(median(values))} (${Math.max(...values)})`;
      rows.push([
        version,
        isWatched ? "yes" : "no",
        `\`${form}\``,
        most(rounds.map(({ own }) => own)),
        most(rounds.map(({ ready }) => ready)),
        most(rounds.map(({ call }) => call)),
        most(rounds.map(({ call, own }) => call - own)),
        load(),
      ]);
    }
    await watch?.stop();
  }
}
say(`${ROUNDS} rounds each, milliseconds: median (maximum)\n`);
table(
  [
    "engine",
    "`watch`",
    "call",
    "own time",
    "until ready and in force",
    "whole call",
    "above its own time",
    "load",
  ],
  rows,
);
