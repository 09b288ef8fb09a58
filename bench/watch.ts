/**
 * Measures `ocdd watch`: how soon a start and an end are active, bursts, and processor time while idle.
 * `npm run bench:watch` prints the table of docs/benchmarks.md. Real engine, 50 containers, one machine.
 */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { raiseLab } from "../test/lab/lab.ts";
import type { Observed, Start } from "./watch-observer.ts";

const CROWD = Number(process.env.CROWD ?? 50);
const ROUNDS = Number(process.env.ROUNDS ?? 200);
const FRESH = Number(process.env.FRESH ?? 200);
const OBSERVER = fileURLToPath(new URL("watch-observer.ts", import.meta.url));
const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const percentile = (values: readonly number[], p: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor((values.length * p) / 100))] ??
  Number.NaN;
const ms = (value: number): string => `${value.toFixed(0)} ms`;

/** Seconds of processor time that a process has used. */
function cpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14])) / TICKS;
}

await using lab = await raiseLab({ name: "bench-watch", dns: false });
const range = { IP_RANGE: "192.168.122.10-192.168.122.199,10.77.0.0/23" };
const conf = { conf: { ...range, SYNC_INTERVAL: "60" } };
await lab.ocdd(["initialize"], conf);
say(`${CROWD} containers start`);
await lab.startContainers(...Array.from({ length: CROWD }, (_, i) => `c${i}`), "probe");
const watch = lab.startOcdd(["watch"], conf);
const server = await lab.serve(conf);
/** The process of the product itself: the one started enters the namespace and becomes it. */
const pid = watch.pid;
await new Promise((resolve) => setTimeout(resolve, 6_000));

const before = cpu(pid);
await new Promise((resolve) => setTimeout(resolve, Number(process.env.IDLE ?? 60) * 1000));
say(
  `idle, ${CROWD} containers: ${(((cpu(pid) - before) / Number(process.env.IDLE ?? 60)) * 100).toFixed(2)} % of a core (wanted < 0.5)`,
);

const argv = [
  process.execPath,
  OBSERVER,
  lab.dockerSocket,
  "probe",
  "probe.toolbox.example.com",
  String(ROUNDS),
  String(FRESH),
];
const { stdout } = await lab.run("host", argv, { timeout: 1_200_000 });
const { starts, stops, fresh } = JSON.parse(stdout) as Observed;
/** How soon name, alias and rule of a service are active, compared with Docker's reply to the start. */
function tellStarts(what: string, all: readonly Start[]): void {
  const lead = all.map(({ reply, named, forwarded }) => Math.max(named, forwarded) - reply);
  const early = lead.filter((value) => value <= 0).length;
  const middle = (of: keyof Start): string =>
    ms(
      percentile(
        all.map((start) => start[of]),
        50,
      ),
    );
  say(
    `${what}, ${all.length} times: name answers and alias forwards before Docker's reply in ${((early / lead.length) * 100).toFixed(1)} % (wanted >= 95); reply median ${middle("reply")}, alias and rule median ${middle("forwarded")}, name median ${middle("named")}; latest ${ms(Math.max(...lead))} after the reply (wanted <= 100)`,
  );
}
tellStarts("docker start, known lease", starts);
if (fresh.length > 0) tellStarts("docker start, new container and lease", fresh);
const gone = stops.map((s) => s.ruleGone);
say(
  `die, ${ROUNDS} times: rule gone median ${ms(percentile(gone, 50))}, 99 % ${ms(percentile(gone, 99))} (wanted <= 40), worst ${ms(Math.max(...gone))}`,
);

const names = Array.from({ length: Number(process.env.BURST ?? 200) }, (_, i) => `burst${i}`);
for (let i = 0; i < names.length; i += 10)
  await lab.startContainers(...names.slice(i, i + 10).map((name) => ({ name })));
const last = performance.now();
const wanted = CROWD + 1 + names.length;
const active = (): number =>
  (readFileSync(`${lab.dir}/storage/leases.json`, "utf8").match(/"releasedAt": null/g) ?? []).length;
let rules = 0;
while (rules < wanted && performance.now() - last < 30_000) {
  const saved = (await lab.run("host", ["iptables-save", "-t", "nat"])).stdout;
  rules = (saved.match(/-j DNAT/g) ?? []).length;
}
say(
  `burst of ${names.length} starts: all ${rules} rules (${active()} leases) in force ${((performance.now() - last) / 1000).toFixed(2)} s after the last (wanted <= 2)`,
);
await server.stop();
await watch.stop();
