/** From the visit of a service that sleeps to its first octet, beside a start by hand of an equal container. */
import { callDocker } from "../test/lab/docker-api.ts";
import type { Lab } from "../test/lab/handle.ts";
import { clock } from "./clock.ts";
import { load, median, percentile, table } from "./report.ts";
import { aliasesOf, CONF, create, start, stop, untilWaits, type Visitors, visitors } from "./wake-lab.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 100);
const KINDS = ["tcp", "udp", "http"] as const;
type Kind = (typeof KINDS)[number];
/** Milliseconds between two questions to the container that is started by hand. */
const AGAIN_MS = 2;
const PATIENCE_MS = 20_000;

/** Milliseconds. */
interface Round {
  readonly visit: number;
  /** Docker's start, and from its reply to the container's first answer. */
  readonly start: number;
  readonly answer: number;
}

/** From Docker's call to the first answer at the container's own address. */
async function byHand(lab: Lab, host: Visitors, kind: Kind): Promise<Omit<Round, "visit">> {
  const began = clock();
  await start(lab, "hand");
  const started = clock();
  const inspected = await callDocker(lab.dockerSocket, "GET", "/containers/hand/json");
  const address = /"IPAddress":"([\d.]+)"/.exec(inspected)?.[1] ?? "";
  const { at, ms, error } = await host.visit({ kind, address, patience: PATIENCE_MS, again: AGAIN_MS });
  if (error !== null) throw new Error(`started by hand: ${error}`);
  return { start: started - began, answer: at + ms - started };
}

async function visited(client: Visitors, kind: Kind, address: string): Promise<number> {
  const { ms, answers, error } = await client.visit({ kind, address, patience: PATIENCE_MS });
  if (error !== null || answers.join() !== "sleeper") throw new Error(`visit: ${error ?? answers.join()}`);
  return ms;
}

export async function measureDelay(lab: Lab): Promise<void> {
  await create(lab, "hand", {});
  await create(lab, "sleeper");
  const watch = lab.startOcdd(["watch"], CONF);
  const address = (await aliasesOf(lab, ["sleeper"])).get("sleeper") ?? "";
  await untilWaits(lab, address);
  const [host, client] = [visitors(lab, "host"), visitors(lab, "client")];
  const rows: string[][] = [];
  for (const kind of KINDS) {
    const rounds: Round[] = [];
    for (let n = 0; n < ROUNDS + 3; n++) {
      const visit = await visited(client, kind, address).catch((error: Error) => {
        throw new Error(`${error.message}\n${watch.output().split("\n").slice(-30).join("\n")}`);
      });
      const round = { visit, ...(await byHand(lab, host, kind)) };
      await Promise.all([stop(lab, "hand"), stop(lab, "sleeper")]);
      await untilWaits(lab, address);
      if (n >= 3) rounds.push(round); // the first are slower: programs are read from the disk
    }
    const more = rounds.map(({ visit, start: docker, answer }) => visit - docker - answer);
    const of = (values: readonly number[]): string =>
      `${median(values).toFixed(0)} (${percentile(values, 99).toFixed(0)})`;
    rows.push([
      kind,
      of(rounds.map((one) => one.start)),
      of(rounds.map((one) => one.answer)),
      of(rounds.map((one) => one.start + one.answer)),
      of(rounds.map((one) => one.visit)),
      of(more),
      load(),
    ]);
  }
  table(
    [
      "protocol",
      "docker start",
      "its first answer",
      "both",
      "visit → first octet",
      "more than by hand",
      "load",
    ],
    rows,
  );
  await host.close();
  await client.close();
  await watch.stop();
}
