/**
 * Runs in the host's network namespace beside `watch` and `serve`: starts and stops a container through Docker's API
 * and times, on one clock, Docker's reply, its die event, the name server's answer and the change of the nat chain.
 *
 *     node bench/watch-observer.ts SOCKET CONTAINER FQDN ROUNDS FRESH   → one JSON line
 *
 * FRESH times it also creates a container like that one, of a new name, and starts it.
 */

import { execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { request } from "node:http";
import { createInterface } from "node:readline";

const [socketPath = "", container = "", fqdn = "", roundsText = "1", freshText = "0"] = process.argv.slice(2);

/** One call of Docker's API; resolves with the reply's body when it has ended. */
function call(method: string, path: string, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const sent = request({ socketPath, path, method, headers }, (reply) => {
      let text = "";
      reply.setEncoding("utf8");
      reply.on("data", (chunk: string) => {
        text += chunk;
      });
      reply.on("end", () => resolve(text));
    });
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

const post = (path: string): Promise<string> => call("POST", path);

/** Times at which the container's death was announced. */
const deaths: number[] = [];
function followEvents(): void {
  const filters = encodeURIComponent(JSON.stringify({ event: ["die"], container: [container] }));
  request({ socketPath, path: `/events?filters=${filters}` }, (reply) => {
    reply.on("data", () => deaths.push(performance.now()));
  }).end();
}

/** Times at which the kernel's rules changed: iptables is a front of nftables here. */
const commits: number[] = [];
function followRules(): () => void {
  const monitor = spawn("nft", ["monitor", "rules"], { stdio: ["ignore", "pipe", "ignore"] });
  createInterface({ input: monitor.stdout }).on("line", (line) => {
    if (line.includes("OCDD")) commits.push(performance.now());
  });
  return () => monitor.kill();
}

/** A DNS query for the name's address (RFC 1035 §4), and whether an answer to it holds one. */
function query(name: string): Buffer {
  const labels = name.split(".").flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  const header = Buffer.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}
const socket = createSocket("udp4");
let answers = false;
let changed: number[] = [];
socket.on("message", (message) => {
  const now = message.readUInt16BE(6) > 0;
  if (now !== answers) changed.push(performance.now());
  answers = now;
});
let asked = query(fqdn);
const asking = setInterval(() => socket.send(asked, 53, "127.0.0.1"), 2);

const rules = (): boolean =>
  execFileSync("iptables-save", ["-t", "nat"], { encoding: "utf8" }).includes(`OCDD-${fqdn.split(".")[0]} `);

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

followEvents();
const stopFollowing = followRules();
await until(() => answers, "a first answer");
const starts: { reply: number; named: number }[] = [];
const stops: { ruleGone: number; nameGone: number }[] = [];
for (let round = 0; round < Number(roundsText); round++) {
  deaths.length = 0;
  commits.length = 0;
  changed = [];
  await post(`/containers/${container}/stop?t=5`);
  await until(() => !answers && deaths.length > 0 && commits.length > 0, "the end of the name");
  const died = deaths[0] as number;
  if (rules()) throw new Error("the rule is still there");
  stops.push({ ruleGone: (commits[0] as number) - died, nameGone: (changed[0] as number) - died });
  await new Promise((resolve) => setTimeout(resolve, 150));
  changed = [];
  const began = performance.now();
  let reply = 0;
  const started = post(`/containers/${container}/start`).then(() => {
    reply = performance.now() - began;
  });
  await until(() => answers, "the name");
  const named = (changed[0] as number) - began;
  await started;
  starts.push({ reply, named });
  await new Promise((resolve) => setTimeout(resolve, 150));
}

/** Starts of containers that have no lease yet. */
const fresh: { reply: number; named: number }[] = [];
const like = JSON.parse(await call("GET", `/containers/${container}/json`)) as {
  Config: { Image: string; Cmd: string[] | null; Env: string[] | null; Entrypoint: string[] | null };
};
for (let round = 0; round < Number(freshText); round++) {
  const name = `fresh${round}`;
  const { Image, Cmd, Env, Entrypoint } = like.Config;
  await call("POST", `/containers/create?name=${name}`, {
    Image,
    Cmd,
    Entrypoint,
    Env: (Env ?? []).map((item) => item.replace(container, name)),
  });
  answers = false;
  asked = query(fqdn.replace(/^[^.]*/, name));
  await new Promise((resolve) => setTimeout(resolve, 50));
  changed = [];
  const began = performance.now();
  let reply = 0;
  const started = post(`/containers/${name}/start`).then(() => {
    reply = performance.now() - began;
  });
  await until(() => answers, "the new name");
  fresh.push({ named: (changed[0] as number) - began, reply: 0 });
  await started;
  (fresh.at(-1) as { reply: number }).reply = reply;
  await call("DELETE", `/containers/${name}?force=true`);
  await new Promise((resolve) => setTimeout(resolve, 150));
}
clearInterval(asking);
socket.close();
stopFollowing();
process.stdout.write(`${JSON.stringify({ starts, stops, fresh })}\n`);
process.exit(0);
