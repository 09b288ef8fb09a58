/**
 * Runs in the host's network namespace beside `watch` and `serve`: starts and stops a container through Docker's API
 * and times, on one clock, Docker's reply, its die event, the name server's answer, and the kernel's notifications of the
 * alias and of its rule.
 *
 *     node bench/watch-observer.ts SOCKET CONTAINER FQDN ROUNDS FRESH   → one JSON line
 *
 * FRESH times it also creates a container like that one, with a new name, and starts it.
 */

import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { setTimeout as sleep } from "node:timers/promises";
import { makeQuery, readMessage } from "../test/dns/message.ts";
import { callDocker, followEvents } from "../test/lab/docker-api.ts";
import { followAliases, followRules } from "../test/lab/kernel.ts";
import { HOST_DEVICE } from "../test/lab/network.ts";

/** Milliseconds from the call that starts a container. */
export interface Start {
  /** Until Docker's reply. */
  readonly reply: number;
  /** Until its name answers. */
  readonly named: number;
  /** Until alias and rule both exist. */
  readonly forwarded: number;
}

/** Milliseconds from Docker's die event. */
export interface Stop {
  readonly ruleGone: number;
  readonly nameGone: number;
}

export interface Observed {
  readonly starts: readonly Start[];
  readonly fresh: readonly Start[];
  readonly stops: readonly Stop[];
}

const [socketPath = "", container = "", fqdn = "", rounds = "1", freshOnes = "0"] = process.argv.slice(2);

/** Times at which the container's end was announced. */
const deaths: number[] = [];
/** Times at which OCDD's rules changed, and each alias got its rule or was added to the device. */
const commits: number[] = [];
const ruled = new Map<string, number>();
const added = new Map<string, number>();
/** Times at which the answer changed, and the address of the last. */
const changed: number[] = [];
let answer: string | undefined;

function forget(): void {
  for (const times of [deaths, commits, changed]) times.length = 0;
  for (const times of [ruled, added]) times.clear();
}

followEvents(socketPath, { event: ["die"], container: [container] }, () => deaths.push(performance.now()));
const stops = [
  followRules((forwards, ago) => {
    const now = performance.now() - ago;
    commits.push(now);
    for (const [alias] of forwards) if (!ruled.has(alias)) ruled.set(alias, now);
  }),
  followAliases(HOST_DEVICE, (alias, there) => {
    if (there) added.set(alias, performance.now());
  }),
];

const socket = createSocket("udp4");
socket.on("message", (message) => {
  const rdata = readMessage(message).records.find(({ section }) => section === "answer")?.rdata;
  const now = rdata?.join(".");
  if (now !== answer) changed.push(performance.now());
  answer = now;
});
let asked = makeQuery(fqdn, "A");
const asking = setInterval(() => socket.send(asked, 53, "127.0.0.1"), 2);

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen`);
    await sleep(1);
  }
}

/** Long enough for the work that the step before has caused. */
const settle = (): Promise<void> => sleep(150);

async function timeStop(): Promise<Stop> {
  forget();
  await callDocker(socketPath, "POST", `/containers/${container}/stop?t=5`);
  await until(
    () => answer === undefined && deaths.length > 0 && commits.length > 0,
    "the end of name and rule",
  );
  const saved = execFileSync("iptables-save", ["-t", "nat"], { encoding: "utf8" });
  if (saved.includes(`OCDD-${container} `)) throw new Error("the rule is still there");
  const died = deaths[0] as number;
  return { ruleGone: (commits[0] as number) - died, nameGone: (changed[0] as number) - died };
}

async function timeStart(name: string): Promise<Start> {
  forget();
  const began = performance.now();
  const since = (moment: number | undefined): number => (moment as number) - began;
  let replied = 0;
  const started = callDocker(socketPath, "POST", `/containers/${name}/start`).then(() => {
    replied = performance.now();
  });
  await until(() => answer !== undefined, "the name");
  const alias = answer as string;
  await until(() => ruled.has(alias) && added.has(alias), "alias and rule");
  await started;
  return {
    reply: since(replied),
    named: since(changed[0]),
    forwarded: Math.max(since(ruled.get(alias)), since(added.get(alias))),
  };
}

await until(() => answer !== undefined, "a first answer");
const observed = { starts: [] as Start[], fresh: [] as Start[], stops: [] as Stop[] };
for (let round = 0; round < Number(rounds); round++) {
  observed.stops.push(await timeStop());
  await settle();
  observed.starts.push(await timeStart(container));
  await settle();
}

/** Starts of containers that have no lease yet. */
const like = JSON.parse(await callDocker(socketPath, "GET", `/containers/${container}/json`)) as {
  Config: { Image: string; Cmd: string[] | null; Env: string[] | null; Entrypoint: string[] | null };
};
for (let round = 0; round < Number(freshOnes); round++) {
  const name = `fresh${round}`;
  const { Image, Cmd, Env, Entrypoint } = like.Config;
  await callDocker(socketPath, "POST", `/containers/create?name=${name}`, {
    Image,
    Cmd,
    Entrypoint,
    Env: (Env ?? []).map((item) => item.replace(container, name)),
  });
  asked = makeQuery(fqdn.replace(/^[^.]*/, name), "A");
  await until(() => answer === undefined, "no answer yet");
  await sleep(50); // an answer about the one before may be in flight
  observed.fresh.push(await timeStart(name));
  await callDocker(socketPath, "DELETE", `/containers/${name}?force=true`);
  await settle();
}
clearInterval(asking);
socket.close();
for (const stop of stops) stop();
process.stdout.write(`${JSON.stringify(observed satisfies Observed)}\n`);
process.exit(0);
