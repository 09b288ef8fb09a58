/**
 * The clients of the race for one address (race.ts), on the LAN: for each alias three loops of new TCP connections and
 * one UDP flow that keeps its source port.
 *
 *     race-asker.ts CONTAINER=ALIAS...   → twice a second one line of JSON, all since the start
 */

import { createSocket } from "node:dgram";
import { connect } from "node:net";

/** Answers so far, each by the name in it. */
export interface Asked {
  /** The container that the alias belongs to has answered. */
  readonly right: number;
  /** Another one has. */
  readonly wrong: number;
  /** Nothing has: refused, silent, or broken off. */
  readonly none: number;
  /** How often a correct answer came from another container than the previous correct answer. */
  readonly turns: number;
  /** The first wrong answers, in words. */
  readonly told: readonly string[];
}

const TCP_LOOPS = 3;
const TCP_WAIT_MS = 250;
const TCP_PAUSE_MS = 5;
const UDP_PAUSE_MS = 20;
const TOLD = 10;

const started = performance.now();
const asked = { right: 0, wrong: 0, none: 0, turns: 0, told: [] as string[] };
let last = "";

function note(owner: string, protocol: string, answer: string): void {
  if (answer === "") asked.none += 1;
  else if (answer === owner) {
    asked.right += 1;
    if (last !== owner && last !== "") asked.turns += 1;
    last = owner;
  } else {
    asked.wrong += 1;
    const at = Math.round(performance.now() - started);
    if (asked.told.length < TOLD)
      asked.told.push(`${at} ms: ${protocol} to ${owner}, answer of ${answer.slice(0, 40)}`);
  }
}

function askTcp(owner: string, alias: string): void {
  let text = "";
  let over = false;
  const socket = connect({ host: alias, port: 80 });
  const end = (): void => {
    if (over) return;
    over = true;
    clearTimeout(late);
    socket.destroy();
    const [head = "", body = ""] = text.split("\r\n\r\n");
    const whole = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? -1) === body.length;
    note(owner, "tcp", whole ? body.trim() : "");
    setTimeout(() => askTcp(owner, alias), TCP_PAUSE_MS);
  };
  const late = setTimeout(end, TCP_WAIT_MS);
  socket.on("connect", () => socket.write("GET / HTTP/1.0\r\n\r\n"));
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", end);
  socket.on("close", end);
}

function askUdp(owner: string, alias: string): void {
  // not connected: a refusal by ICMP must not end the flow
  const socket = createSocket("udp4");
  socket.on("message", (message) => note(owner, "udp", message.toString("latin1").trim()));
  socket.bind(0, () => setInterval(() => socket.send("?\n", 9999, alias, () => {}), UDP_PAUSE_MS));
}

for (const pair of process.argv.slice(2)) {
  const [owner = "", alias = ""] = pair.split("=");
  for (let loop = 0; loop < TCP_LOOPS; loop++) askTcp(owner, alias);
  askUdp(owner, alias);
}
setInterval(() => process.stdout.write(`${JSON.stringify(asked satisfies Asked)}\n`), 500);
