/**
 * The race for one address, a minute each: `npm run soak:race` prints a table and exits with 1 when an answer came
 * from another container than the one of the alias.
 *
 * SECONDS (60) a race; ENGINES (debian,sid), SWAPS (kill,network), DIRECTORS (running,stopped,killed,chaos) choose;
 * FIREWALL is the configuration's key; SEED (7).
 */

import { raiseLab } from "../test/lab/lab.ts";
import { layCourse, lives, RACES, runRace } from "../test/lab/race.ts";
import { load, say, table } from "./report.ts";

const SECONDS = Number(process.env.SECONDS ?? 60);
const SEED = Number(process.env.SEED ?? 7);
const { FIREWALL } = process.env;
const chosen = (key: string, all: string): string[] => (process.env[key] ?? all).split(",");
const swaps = chosen("SWAPS", "kill,network");
const directors = chosen("DIRECTORS", "running,stopped,killed,chaos");
const races = RACES.filter((race) => swaps.includes(race.swap) && directors.includes(race.director));

const rows: (string | number)[][] = [];
let failed = false;
for (const engine of chosen("ENGINES", "debian,sid")) {
  if (engine !== "debian" && engine !== "sid") throw new Error(`ENGINES: ${engine}: debian or sid`);
  await using lab = await raiseLab({ name: `soak-race-${engine}`, engine, dns: false });
  const options = FIREWALL === undefined ? {} : { conf: { FIREWALL } };
  const initialized = await lab.ocdd(["initialize"], options);
  if (initialized.code !== 0) throw new Error(initialized.stderr);
  const version = await lab.docker("version", "--format", "{{.Server.Version}}");
  const course = await layCourse(lab, options);
  for (const race of races) {
    const score = await runRace(course, race, SECONDS, SEED);
    const { right, wrong, none, swaps, turns, converged } = score;
    const good = wrong === 0 && converged && (right > 0 || !lives(race));
    failed ||= !good;
    const end = converged ? "answers" : "SILENT";
    rows.push([version, race.swap, race.director, wrong, right, none, swaps, turns, end, load()]);
    say(`${rows.at(-1)?.join(" · ")}${score.told.length > 0 ? `\n  ${score.told.join("\n  ")}` : ""}`);
  }
}
say("");
const head = ["engine", "swap", "director", "wrong", "right", "none", "swaps", "turns", "at the end", "load"];
table(head, rows);
say(failed ? "FAILED" : "passed");
process.exitCode = failed ? 1 : 0;
