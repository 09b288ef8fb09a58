/**
 * The recorder's processes, each in its place of the lab; prints a note (note.ts) a line, all on the machine's
 * monotonic clock, until TERM.
 *
 *     recorder-eye.ts host DOCKER-SOCKET LEASES ZONE-FILE DEVICE
 *     recorder-eye.ts client SERVER ZONE MS-BETWEEN-QUESTIONS MS-BETWEEN-CONNECTIONS CONTAINER=ADDRESS...
 */

import { createSocket } from "node:dgram";
import { readFileSync, statSync, watch } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { newOf } from "../../src/core/paths.ts";
import { callDocker, followEvents } from "./docker-api.ts";
import { followAliases, followRules } from "./kernel.ts";
import type { Note } from "./note.ts";

const now = (): number => Number(process.hrtime.bigint()) / 1e6;
const tell = (note: Note): void => void process.stdout.write(`${JSON.stringify(note)}\n`);
/** Docker's state: running containers by its events, addresses from the network, which has them before the list. */
function followDocker(socketPath: string): void {
  const names = new Map<string, string>();
  const held = new Map<string, string>();
  const drop = (id: string): void => {
    const address = held.get(id);
    held.delete(id);
    if (address !== undefined && ![...held.values()].includes(address))
      tell({ kind: "holds", at: now(), address, container: null });
  };
  const endpoints = async (network: string): Promise<void> => {
    const text = await callDocker(socketPath, "GET", `/networks/${network}`).catch(() => "{}");
    const seen = JSON.parse(text) as {
      Containers?: Record<string, { Name: string; IPv4Address: string }>;
    };
    for (const [id, { Name, IPv4Address }] of Object.entries(seen.Containers ?? {})) {
      names.set(id, Name);
      const address = IPv4Address.replace(/\/.*/, "");
      if (held.get(id) === address || address === "") continue;
      held.set(id, address);
      tell({ kind: "holds", at: now(), address, container: Name });
    }
  };
  const heard = (line: string): void => {
    const { Type, Action, Actor } = JSON.parse(line) as {
      Type: string;
      Action: string;
      Actor: { ID: string; Attributes: Record<string, string> };
    };
    if (Type === "network" && Action === "connect") {
      const name = names.get(Actor.Attributes.container ?? "");
      if (name !== undefined) tell({ kind: "life", at: now(), container: name, alive: true });
      void endpoints(Actor.ID);
    } else if (Type === "network" && Action === "disconnect") drop(Actor.Attributes.container ?? "");
    else if (Type === "container" && Actor.Attributes.name !== undefined) {
      names.set(Actor.ID, Actor.Attributes.name);
      if (Action === "start" || Action === "die")
        tell({ kind: "life", at: now(), container: Actor.Attributes.name, alive: Action === "start" });
    }
  };
  followEvents(socketPath, { type: ["container", "network"] }, heard);
}

function followLeases(file: string): void {
  let before = "";
  const read = (): void => {
    let owners: (readonly [string, string])[];
    try {
      const { leases } = JSON.parse(readFileSync(file, "utf8")) as {
        leases: { address: string; key: string }[];
      };
      owners = leases.map(({ address, key }) => [address, key.replace(/^container:/, "")] as const);
    } catch {
      return; // renamed this very moment: the next notice follows
    }
    const text = JSON.stringify(owners);
    if (text !== before) tell({ kind: "leases", at: now(), owners });
    before = text;
  };
  watch(dirname(file), read);
  setInterval(read, 100);
  read();
}

/** The zone file's addresses, from the moment of its rename: the kernel's own time, however late this process is notified. */
function followZone(file: string): void {
  let before = 0;
  let begun = 0;
  const ago = (ms: number): number => now() - (Date.now() - ms);
  const read = (): void => {
    try {
      const { ino, birthtimeMs } = statSync(newOf(file));
      if (ino !== begun) tell({ kind: "begun", at: ago(birthtimeMs) });
      begun = ino;
    } catch {
      // usually it has its final name already
    }
    try {
      const { ino, ctimeMs, birthtimeMs } = statSync(file);
      if (ino === before) return;
      before = ino;
      const text = readFileSync(file, "latin1");
      const addresses = [...text.matchAll(/\bA\s+(\d+\.\d+\.\d+\.\d+)/g)].map(([, address = ""]) => address);
      tell({ kind: "zone", at: ago(ctimeMs), begun: ago(birthtimeMs), addresses: [...new Set(addresses)] });
    } catch {
      // renamed this very moment: the next notice follows
    }
  };
  watch(dirname(file), read);
  setInterval(read, 100);
}

/** Each successful run writes its time beside the page, also when it has changed nothing. */
function followRuns(www: string): void {
  let last = Number.NEGATIVE_INFINITY;
  watch(www, (_, file) => {
    // each is notified twice, as the file is emptied and filled; two runs never end so close to each other
    if (file !== "last-run" || now() - last < 50) return;
    last = now();
    tell({ kind: "director", at: last, did: "run" });
  });
}

/** Milliseconds after which an answer is lost: far more than a busy machine lets a question wait. */
const LOST_MS = 10_000;

type Named = Extract<Note, { kind: "named" }>;

/** What a name server answers for the containers' names, in runs of equal answers. */
function askNames(server: string, zone: string, pause: number, containers: readonly string[]): () => void {
  const runs = new Map<string, { -readonly [K in keyof Named]: Named[K] }>();
  const asked = new Map<number, { readonly container: string; readonly at: number }>();
  const note = (container: string, value: string | null, span: readonly [number, number]): void => {
    const run = runs.get(container);
    if (run !== undefined && run.value === value) {
      run.last = span;
      run.count += 1;
      return;
    }
    if (run !== undefined) tell(run);
    runs.set(container, { kind: "named", at: span[1], container, value, first: span, last: span, count: 1 });
  };
  const socket = createSocket("udp4");
  socket.on("message", (message) => {
    const id = message.readUInt16BE(0);
    const question = asked.get(id);
    if (question === undefined) return;
    asked.delete(id);
    const count = message.readUInt16BE(6);
    // the address ends an answer that holds nothing else; our names have one
    const rest = message.subarray(12 + question.container.length + 2 + zone.length + 1 + 4);
    const value = count > 0 ? rest.subarray(12, 16).join(".") : null;
    note(question.container, value, [question.at, now()]);
  });
  let id = 0;
  const labels = (name: string): Buffer =>
    Buffer.from(
      `${name
        .split(".")
        .map((l) => String.fromCharCode(l.length) + l)
        .join("")}\0\0\x01\0\x01`,
      "latin1",
    );
  const questions = containers.map((container) => [container, labels(`${container}.${zone}`)] as const);
  setInterval(() => {
    const old = now() - LOST_MS;
    for (const [number, { container, at }] of asked) {
      if (at > old) break;
      asked.delete(number);
      note(container, "silence", [at, now()]);
    }
    for (const [container, question] of questions) {
      id = (id + 1) & 0xffff;
      asked.set(id, { container, at: now() });
      const head = Buffer.from([id >> 8, id & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
      socket.send(Buffer.concat([head, question]), 53, server, () => {});
    }
  }, pause);
  return () => runs.forEach((run) => void tell(run));
}

/** Times kept of each kind of answer; all are counted. */
const KEPT = 200;

/** Connections to one alias that may wait for their answer at the same time. */
const WAITING = 4;

/** Which container answers a new connection to each alias. */
function askAliases(pause: number, aliases: readonly (readonly [string, string])[]): () => void {
  const heard = new Map<string, { container: string; who: string | null; count: number; times: number[] }>();
  const waiting = new Map<string, number>();
  const ask = (container: string, host: string): void => {
    // a server that is late has a queue of a few connections, and drops what comes on top
    const before = waiting.get(host) ?? 0;
    if (before >= WAITING) return;
    waiting.set(host, before + 1);
    const at = now();
    let text = "";
    let done = false;
    const note = (who: string | null): void => {
      if (done) return;
      done = true;
      waiting.set(host, (waiting.get(host) ?? 1) - 1);
      socket.destroy();
      const key = `${container} ${who}`;
      const entry = heard.get(key) ?? { container, who, count: 0, times: [] };
      heard.set(key, entry);
      entry.count += 1;
      if (entry.times.length < KEPT) entry.times.push(at);
    };
    const socket = connect({ host, port: 80 });
    socket.setTimeout(LOST_MS, () => note(null));
    socket.on("connect", () => socket.write("GET / HTTP/1.0\r\n\r\n"));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => note(null));
    socket.on("close", () => {
      const [head = "", body = ""] = text.split("\r\n\r\n");
      const whole = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? -1) === body.length;
      note(whole ? body.trim() : null);
    });
  };
  setInterval(() => {
    for (const [container, address] of aliases) ask(container, address);
  }, pause);
  return () => heard.forEach((entry) => void tell({ kind: "replies", at: now(), ...entry }));
}

/** How late a timer of this process was at most. */
function timeItself(): () => void {
  let due = now() + TICK_MS;
  let ms = 0;
  setInterval(() => {
    ms = Math.max(ms, now() - due);
    due = now() + TICK_MS;
  }, TICK_MS);
  return () => tell({ kind: "late", at: now(), ms });
}

const TICK_MS = 20;

const [mode, ...rest] = process.argv.slice(2);
const endings: (() => void)[] = [timeItself()];
if (mode === "host") {
  const [socket = "", leases = "", zoneFile = "", device = ""] = rest;
  endings.push(
    followRules((forwards, ago) => tell({ kind: "rules", at: now() - ago, forwards })),
    followAliases(device, (address, there) => tell({ kind: "alias", at: now(), address, there })),
  );
  followDocker(socket);
  followLeases(leases);
  followZone(zoneFile);
  followRuns(join(dirname(leases), "www"));
  setTimeout(() => console.log("ready"), 500); // both monitors have subscribed by then
} else {
  const [server = "", zone = "", question = "10", connection = "40", ...pairs] = rest;
  const aliases = pairs.map((pair) => pair.split("=") as [string, string]);
  endings.push(
    askNames(
      server,
      zone,
      Number(question),
      aliases.map(([container]) => container),
    ),
    askAliases(Number(connection), aliases),
  );
  console.log("ready");
}
process.once("SIGTERM", () => {
  for (const end of endings) end();
  // what was printed is on its way to a file: there at once
  setTimeout(() => process.exit(0), 50);
});
