/**
 * Visits services and tells what came of each visit; run in the place from which they are to come. Reads a line of JSON
 * (Visit) a visit from stdin, several at once, and writes a line of JSON (Visited) when one has ended.
 */
import { createSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { clock } from "./clock.ts";

export interface Visit {
  readonly id: number;
  /** `tcp`, `udp`: a line, answered by a line; `stream`: `tcp` with a line every 50 ms. */
  readonly kind: "tcp" | "udp" | "http" | "stream";
  readonly address: string;
  /** The client's own address, where it is not its first. */
  readonly from?: string;
  /** Milliseconds. */
  readonly patience: number;
  /** A visit that fails is made again after so many milliseconds; a datagram without an answer as well. */
  readonly again?: number;
  /** How long a stream lasts, milliseconds. */
  readonly lasts?: number;
}

export interface Visited {
  readonly id: number;
  /** When it began, on `clock`, and milliseconds until its first answer, or until it failed. */
  readonly at: number;
  readonly ms: number;
  /** The different answers. */
  readonly answers: readonly string[];
  readonly error: string | null;
}

/** Where the benchmarks' containers listen. */
export const PORTS: Readonly<Record<Visit["kind"], number>> = {
  http: 80,
  tcp: 7000,
  stream: 7000,
  udp: 9999,
};

const LINE_MS = 50;

interface Seen {
  firstAt: number | undefined;
  readonly answers: Set<string>;
}

function opened({ address, from, kind, patience }: Visit): Socket {
  const own = from === undefined ? {} : { localAddress: from };
  const socket = connect({ host: address, port: PORTS[kind], noDelay: true, ...own });
  socket.setEncoding("utf8").setTimeout(patience, () => socket.destroy(new Error("no answer")));
  return socket;
}

/** A request; made again when it is sent to the same place again, as a client that waits for a start may be. */
async function http(visit: Visit, seen: Seen): Promise<void> {
  for (;;) {
    const socket = opened(visit);
    socket.write(`GET / HTTP/1.0\r\nHost: ${visit.address}\r\n\r\n`);
    let firstAt: number | undefined;
    let text = "";
    for await (const chunk of socket) {
      firstAt ??= clock();
      text += chunk;
    }
    const [head = "", body] = text.split("\r\n\r\n");
    if (body === undefined) throw new Error(`ended after ${text.length} octets`);
    const status = head.split(" ")[1];
    if (status === "307") continue;
    if (status !== "200") throw new Error(`status ${status}`);
    seen.firstAt = firstAt;
    seen.answers.add(body.trim());
    return;
  }
}

/** A line, or lines for some time: each must be answered before the next is sent. */
async function lines(visit: Visit, seen: Seen): Promise<void> {
  const socket = opened(visit);
  const end = clock() + (visit.lasts ?? 0);
  socket.write("who\n");
  for await (const chunk of socket) {
    seen.firstAt ??= clock();
    for (const line of String(chunk).trim().split("\n")) seen.answers.add(line);
    if (clock() >= end) return;
    await sleep(LINE_MS);
    socket.write("who\n");
  }
  throw new Error("the service has ended the connection");
}

async function datagram({ address, patience, again }: Visit, seen: Seen): Promise<void> {
  // connected: a refusal is told
  const socket = createSocket("udp4");
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no answer")), patience);
      socket.on("error", (error) => {
        if (again !== undefined) return;
        clearTimeout(late);
        reject(error);
      });
      socket.on("message", (answer) => {
        clearTimeout(late);
        seen.firstAt ??= clock();
        seen.answers.add(String(answer).trim());
        resolve();
      });
      const ask = (): void => socket.send("who\n");
      socket.connect(PORTS.udp, address, ask);
      if (again !== undefined) timer = setInterval(ask, again);
    });
  } finally {
    clearInterval(timer);
    socket.close();
  }
}

const WAYS = { http, tcp: lines, stream: lines, udp: datagram };

async function make(visit: Visit): Promise<Visited> {
  const at = clock();
  for (;;) {
    const seen: Seen = { firstAt: undefined, answers: new Set() };
    let error: string | null = null;
    try {
      await WAYS[visit.kind](visit, seen);
    } catch (reason) {
      error = reason instanceof Error ? reason.message : String(reason);
      if (visit.again !== undefined && clock() - at < visit.patience) {
        await sleep(visit.again);
        continue;
      }
    }
    return { id: visit.id, at, ms: (seen.firstAt ?? clock()) - at, answers: [...seen.answers], error };
  }
}

if (import.meta.main)
  createInterface({ input: process.stdin }).on("line", (line) => {
    void make(JSON.parse(line) as Visit).then((visited) =>
      process.stdout.write(`${JSON.stringify(visited)}\n`),
    );
  });
