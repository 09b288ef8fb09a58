/**
 * Small services and clients that report lost and wrong answers; run by Node inside a station or a container's network:
 *
 *     flow.ts tcp-server PORT | udp-server PORT | http-server PORT TEXT
 *     flow.ts tcp ADDRESS PORT | udp ADDRESS PORT | poll ADDRESS PORT | dns ADDRESS PORT NAME
 *
 * A client prints `ready` after its first answer, and on TERM one JSON document; see the types.
 */

import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, get } from "node:http";
import { connect, createServer } from "node:net";

/** What a numbered exchange, one message each 10 ms, has seen. Gaps are milliseconds between two answers. */
export interface FlowReport {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly longestGap: number;
  /** Why a TCP stream broke. */
  readonly error?: string;
}

/** Which container answered HTTP when, one request each 20 ms; without an answer (see `PATIENCE`) why there is none. */
export interface PollReport {
  readonly answers: readonly Answer[];
  /** SYNs that this network's clients have sent again meanwhile, of any connection: the first one was lost. */
  readonly repeated?: number;
}

interface Answer {
  readonly at: number;
  readonly who?: string;
  readonly why?: string;
}

const INTERVAL = 10;

/** Milliseconds after which a request counts as lost: far more than a busy machine lets it wait, so that only the network loses. */
const PATIENCE = 10_000;

/** Requests that may wait for their answer at the same time. */
const WAITING = 4;

/** The kernel's count of them, for this network namespace (netstat(8), TCPSynRetrans). */
function repeatedSyns(): number {
  const [names = "", values = ""] = readFileSync("/proc/net/netstat", "utf8").split("\n");
  return Number(values.split(" ")[names.split(" ").indexOf("TCPSynRetrans")]);
}

/** On TERM: end the sending, wait until all is back or lost, print the report. */
function atEnd(timer: NodeJS.Timeout, allBack: () => boolean, report: (lastSent: number) => unknown): void {
  process.once("SIGTERM", () => {
    clearInterval(timer);
    const lastSent = performance.now();
    setInterval(() => {
      if (!allBack() && performance.now() < lastSent + PATIENCE) return;
      console.log(JSON.stringify(report(lastSent)));
      process.exit(0);
    }, INTERVAL);
  });
}

/** Counts numbered messages out and back. */
class Count {
  #sent = 0;
  #seen = new Set<number>();
  #last = 0;
  #longestGap = 0;
  error: string | undefined;

  next(): number {
    this.#sent += 1;
    return this.#sent;
  }

  back(number: number): void {
    const now = performance.now();
    if (this.#seen.size === 0) console.log("ready");
    else this.#longestGap = Math.max(this.#longestGap, now - this.#last);
    this.#last = now;
    this.#seen.add(number);
  }

  get lost(): number {
    return this.#sent - this.#seen.size;
  }

  report(lastSent: number): FlowReport {
    // a flow without further answers has its longest gap at its end
    const longestGap = Math.round(Math.max(this.#longestGap, lastSent - this.#last - 2 * INTERVAL));
    const counted = { sent: this.#sent, received: this.#seen.size, lost: this.lost, longestGap };
    return this.error === undefined ? counted : { ...counted, error: this.error };
  }
}

/** Send on until TERM. */
function drive(count: Count, send: (number: number) => void): void {
  const timer = setInterval(() => send(count.next()), INTERVAL);
  atEnd(
    timer,
    () => count.lost === 0 || count.error !== undefined,
    (lastSent) => count.report(lastSent),
  );
}

function tcp(address: string, port: number): void {
  const count = new Count();
  const socket = connect({ host: address, port, noDelay: true });
  let rest = "";
  socket.on("data", (chunk) => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) count.back(Number(line));
  });
  socket.on("error", (error) => {
    count.error ??= error.message;
  });
  socket.on("close", () => {
    count.error ??= "closed by the other side";
  });
  drive(count, (number) => {
    if (!socket.destroyed) socket.write(`${number}\n`);
  });
}

function udp(address: string, port: number): void {
  const count = new Count();
  const socket = createSocket("udp4");
  socket.on("message", (message) => count.back(Number(message.toString("latin1"))));
  socket.on("error", (error) => {
    count.error ??= error.message; // a reject on the way: the packet counts as lost
  });
  socket.connect(port, address, () => drive(count, (number) => socket.send(String(number), () => {})));
}

function poll(address: string, port: number): void {
  const before = repeatedSyns();
  const answers: Answer[] = [];
  let ready = false;
  let asked = 0;
  const ask = (): void => {
    const at = Date.now();
    const note = (answer: Partial<Answer>): void => {
      answers.push({ at, ...answer });
      if (!ready) console.log("ready");
      ready = true;
    };
    // a connection each: an established one would go on to the old container
    const request = get({ host: address, port, agent: false, timeout: PATIENCE }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => note({ who: text.trim() }));
      response.on("error", ({ message }) => note({ why: message }));
    });
    request.on("timeout", () => request.destroy(new Error("silence")));
    request.on("error", ({ message }) => note({ why: message }));
  };
  const timer = setInterval(() => {
    // a server that is late has a queue of a few connections, and drops what comes on top
    if (asked - answers.length >= WAITING) return;
    asked += 1;
    ask();
  }, 2 * INTERVAL);
  atEnd(
    timer,
    () => answers.length === asked,
    () => ({ answers: answers.sort((a, b) => a.at - b.at), repeated: repeatedSyns() - before }),
  );
}

/** The same report for the first A record of a name, asked each 5 ms; a query that got no answer has no `who`. */
function dns(address: string, port: number, name: string): void {
  const answers: { at: number; who?: string }[] = [];
  const asked = new Map<number, { at: number; who?: string }>();
  let ready = false;
  const socket = createSocket("udp4");
  const labels = name.split(".").map((label) => String.fromCharCode(label.length) + label);
  const question = Buffer.from(`${labels.join("")}\0\0\x01\0\x01`, "latin1");
  const ask = (): void => {
    const id = answers.length & 0xffff;
    const head = Buffer.from([id >> 8, id & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    const answer = { at: Date.now() };
    answers.push(answer);
    asked.set(id, answer);
    socket.send(Buffer.concat([head, question]), port, address, () => {});
  };
  socket.on("message", (message) => {
    const answer = asked.get(message.readUInt16BE(0));
    if (answer === undefined) return;
    // An answer section of A records ends the message or is followed by others; the first begins after the question.
    const at = 12 + question.length;
    const owner = (message[at] ?? 0) >= 0xc0 ? 2 : question.length - 4;
    const data = message.subarray(at + owner + 10, at + owner + 14);
    answer.who = message.readUInt16BE(6) > 0 ? data.join(".") : `rcode ${message.readUInt8(3) & 15}`;
    if (!ready) console.log("ready");
    ready = true;
  });
  atEnd(
    setInterval(ask, INTERVAL / 2),
    () => answers.every(({ who }) => who !== undefined),
    () => ({ answers }),
  );
}

function udpServer(port: number): void {
  const socket = createSocket("udp4", (message, peer) =>
    socket.send(message, peer.port, peer.address, () => {}),
  );
  socket.bind(port, () => console.log("ready"));
}

function tcpServer(port: number): void {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen(port, "0.0.0.0", () => console.log("ready"));
}

function httpServer(port: number, text: string): void {
  const server = createHttpServer((_, response) => response.end(`${text}\n`));
  server.listen(port, "0.0.0.0", () => console.log("ready"));
}

if (import.meta.main) {
  const [mode, first = "", second = "", third = ""] = process.argv.slice(2);
  if (mode === "tcp-server") tcpServer(Number(first));
  else if (mode === "udp-server") udpServer(Number(first));
  else if (mode === "http-server") httpServer(Number(first), second);
  else if (mode === "tcp") tcp(first, Number(second));
  else if (mode === "udp") udp(first, Number(second));
  else if (mode === "poll") poll(first, Number(second));
  else if (mode === "dns") dns(first, Number(second), third);
  else throw new Error(`flow.ts: ${mode}?`);
}
