/**
 * After a restart: how long after the container's own address the alias answers. `npm run bench:restart-alias` prints a
 * table; real engines, a container killed and started ROUNDS (15) times among CROWD (5) others. ENGINES (debian,sid);
 * FIREWALL: the configuration's key.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { addresses, aliasOf } from "../test/lab/director.ts";
import { callDocker } from "../test/lab/docker-api.ts";
import type { Lab } from "../test/lab/handle.ts";
import { raiseLab } from "../test/lab/lab.ts";
import { until } from "../test/lab/process.ts";
import type { Turn } from "./answer-eye.ts";
import { clock } from "./clock.ts";
import { load, median, percentile, say, table } from "./report.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 15);
const CROWD = Number(process.env.CROWD ?? 5);
const ENGINES = (process.env.ENGINES ?? "debian,sid").split(",");
const { FIREWALL } = process.env;
const EYE = `${import.meta.dirname}/answer-eye.ts`;
/** An address that no other container takes while its own is stopped. */
const OWN = "172.30.0.77";
/** The hardware address that older engines derive from the address. */
const OWN_MAC = "02:42:ac:1e:00:4d";

const BRIDGE = "fixed0";
const BRIDGE_NAME = `com.docker.network.bridge.name=${BRIDGE}`;

/** Milliseconds from the call of `start` to each first answer. */
interface Restart {
  readonly own: number;
  readonly alias: number;
}

/** The changes of an address between answering and silent, as a place sees them. */
function watchAnswers(
  lab: Lab,
  place: "host" | "client",
  address: string,
): { turns(): Turn[]; stop(): Promise<void> } {
  const daemon = lab.spawn(place, [process.execPath, EYE, address], { label: "answers" });
  return {
    turns: () =>
      daemon
        .output()
        .split("\n")
        .filter((line) => line.startsWith("{") && line.endsWith("}"))
        .map((line) => JSON.parse(line) as Turn),
    stop: async () => void (await daemon.stop()),
  };
}

async function measure(lab: Lab): Promise<Restart[]> {
  await lab.docker("network", "create", "--subnet", "172.30.0.0/24", "-o", BRIDGE_NAME, "fixed");
  await lab.startContainers(
    ...Array.from({ length: CROWD }, (_, i) => ({ name: `c${i}`, network: "fixed" })),
  );
  await lab.startContainer({
    name: "probe",
    network: "fixed",
    args: ["--ip", OWN, ...((await lab.dockerMajor()) < 25 ? [] : ["--mac-address", OWN_MAC])],
  });
  // a neighbour entry that is requested while the container is stopped would fail and be tried again once a second
  const neighbour = ["ip", "neigh", "replace", OWN, "lladdr", OWN_MAC, "dev", BRIDGE, "nud", "permanent"];
  await lab.run("host", neighbour);
  const conf = { conf: { SYNC_INTERVAL: "60", ...(FIREWALL === undefined ? {} : { FIREWALL }) } };
  const done = await lab.ocdd([], conf);
  if (done.code !== 0) throw new Error(done.stderr);
  const alias = aliasOf(await addresses(lab, conf), "probe");
  const watch = lab.startOcdd(["watch"], conf);
  const eyes = { own: watchAnswers(lab, "host", OWN), alias: watchAnswers(lab, "client", alias) };
  const now = (of: keyof typeof eyes): boolean | undefined => eyes[of].turns().at(-1)?.answers;
  await until("both answer", () => now("own") && now("alias"));
  await sleep(3_000);
  const restarts: Restart[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await callDocker(lab.dockerSocket, "POST", "/containers/probe/kill");
    await until("both are silent", () => now("own") === false && now("alias") === false);
    await sleep(1_000);
    const began = clock();
    await callDocker(lab.dockerSocket, "POST", "/containers/probe/start");
    await until("both answer again", () => now("own") && now("alias"));
    await sleep(1_000);
    const first = (of: keyof typeof eyes): number =>
      (eyes[of].turns().find(({ answers, at }) => answers && at > began)?.at ?? Number.NaN) - began;
    restarts.push({ own: first("own"), alias: first("alias") });
  }
  await eyes.own.stop();
  await eyes.alias.stop();
  await watch.stop();
  return restarts;
}

const rows: string[][] = [];
for (const engine of ENGINES) {
  if (engine !== "debian" && engine !== "sid") throw new Error(`ENGINES: ${engine}: debian or sid`);
  await using lab = await raiseLab({ name: `bench-restart-${engine}`, engine, dns: false });
  const initialized = await lab.ocdd(["initialize"], FIREWALL === undefined ? {} : { conf: { FIREWALL } });
  if (initialized.code !== 0) throw new Error(initialized.stderr);
  const version = await lab.docker("version", "--format", "{{.Server.Version}}");
  const restarts = await measure(lab);
  const behind = restarts.map(({ own, alias }) => alias - own);
  const ms = (values: readonly number[], p: number): string => percentile(values, p).toFixed(0);
  rows.push([
    version,
    median(restarts.map(({ own }) => own)).toFixed(0),
    median(restarts.map(({ alias }) => alias)).toFixed(0),
    `${ms(behind, 50)} (wanted <= 20)`,
    ms(behind, 90),
    Math.max(...behind).toFixed(0),
    load(),
  ]);
  say(rows.at(-1)?.join(" · ") ?? "");
}
say(`\n${ROUNDS} restarts among ${CROWD + 1} containers, milliseconds\n`);
table(
  ["engine", "start → own address", "start → alias", "alias behind: median", "90 %", "worst", "load"],
  rows,
);
