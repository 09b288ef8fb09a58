import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeQuery, type ReadMessage, readMessage } from "../dns/message.ts";

/** Another name server, to compare with or as a secondary of OCDD's. */
export interface PeerOptions {
  /** A directory of its own. */
  dir: string;
  port: number;
  zone: string;
  /** Its zone file, when it is a primary. */
  file?: string;
  /** Port on 127.0.0.1 of its primary, when it is a secondary. */
  primary?: number;
  /** TSIG key for transfers and NOTIFY. */
  key?: { name: string; secret: string };
  /** A command to start it with, such as taskset. */
  prefix?: string[];
}

export interface Peer {
  name: string;
  port: number;
  pid: number;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Below the ports that the kernel gives to sockets which ask for none: a query of another test would take one meanwhile. */
const PORTS = { first: 10_000, last: 32_000 } as const;

/** Ports that were free a moment ago, for TCP and UDP. */
export async function freePorts(count: number): Promise<number[]> {
  const held: Held[] = [];
  while (held.length < count) {
    const found = await hold(randomInt(PORTS.first, PORTS.last));
    if (found !== undefined) held.push(found);
  }
  await Promise.all(held.map(({ release }) => release()));
  return held.map(({ port }) => port);
}

interface Held {
  readonly port: number;
  readonly release: () => Promise<void>;
}

/** Undefined where another socket has the port. */
async function hold(port: number): Promise<Held | undefined> {
  const server = createServer();
  const socket = createSocket("udp4");
  const release = async (): Promise<void> => {
    await Promise.all([
      new Promise<void>((done) => void server.close(() => done())),
      new Promise<void>((done) => void socket.close(done)),
    ]);
  };
  try {
    server.listen({ host: "127.0.0.1", port });
    await once(server, "listening");
    socket.bind(port, "127.0.0.1");
    await once(socket, "listening");
    return { port, release };
  } catch {
    await release();
    return undefined;
  }
}

/** Ask over UDP; undefined when no answer comes in time. */
export async function askUdp(
  port: number,
  query: Uint8Array,
  timeout = 1000,
): Promise<ReadMessage | undefined> {
  const socket = createSocket("udp4");
  try {
    socket.send(query, port, "127.0.0.1");
    const answer = (await Promise.race([
      once(socket, "message"),
      sleep(timeout, undefined, { ref: false }),
    ])) as [Buffer] | undefined;
    return answer && readMessage(answer[0]);
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

async function start(name: string, options: PeerOptions, argv: string[]): Promise<Peer> {
  const [program, ...rest] = [...(options.prefix ?? []), ...argv] as [string, ...string[]];
  const child: ChildProcess = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk) => (said = (said + chunk).slice(-4000)));
  const exited = once(child, "exit");
  for (let i = 0; ; i++) {
    // A secondary without its zone yet says SERVFAIL or REFUSED: it is up all the same.
    if (await askUdp(options.port, makeQuery(options.zone, "SOA"), 100)) break;
    if (i > 80 || child.exitCode !== null) throw new Error(`${name} did not start: ${said}`);
    await sleep(50);
  }
  return {
    name,
    port: options.port,
    pid: child.pid as number,
    async stop(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited;
    },
  };
}

/** BIND's named. */
export function startBind(options: PeerOptions): Promise<Peer> {
  const { dir, port, zone, key } = options;
  mkdirSync(dir, { recursive: true });
  const keyName = key ? ` key "${key.name}"` : "";
  const role = options.primary
    ? `type secondary; primaries port ${options.primary} { 127.0.0.1${keyName}; }; file "${dir}/secondary"; masterfile-format text; allow-notify { 127.0.0.1; };`
    : `type primary; file "${options.file}"; check-names ignore;`;
  writeFileSync(
    join(dir, "named.conf"),
    `options { directory "${dir}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; minimal-responses yes;
  minimal-any yes; notify no; pid-file none; session-keyfile none; dnssec-validation no; allow-transfer { 127.0.0.0/8; }; };
controls { };
${key ? `key "${key.name}" { algorithm hmac-sha256; secret "${key.secret}"; };` : ""}
zone "${zone}" { ${role} };
`,
  );
  return start("BIND", options, ["named", "-f", "-n", "1", "-c", join(dir, "named.conf")]);
}

/** NSD. */
export function startNsd(options: PeerOptions): Promise<Peer> {
  const { dir, port, zone, key } = options;
  mkdirSync(dir, { recursive: true });
  const keyName = key?.name ?? "NOKEY";
  const role = options.primary
    ? `  zonefile: "${dir}/secondary"\n  request-xfr: 127.0.0.1@${options.primary} ${keyName}\n  allow-notify: 127.0.0.1 ${keyName}`
    : `  zonefile: "${options.file}"`;
  writeFileSync(
    join(dir, "nsd.conf"),
    `server:
  ip-address: 127.0.0.1@${port}
  username: ""
  zonesdir: "${dir}"
  database: ""
  pidfile: "${dir}/nsd.pid"
  xfrdfile: "${dir}/xfrd.state"
  xfrdir: "${dir}"
  zonelistfile: "${dir}/zone.list"
  server-count: 1
  minimal-responses: yes
  xfrd-reload-timeout: 0
  rrl-ratelimit: 0
remote-control:
  control-enable: no
${key ? `key:\n  name: ${key.name}\n  algorithm: hmac-sha256\n  secret: "${key.secret}"` : ""}
zone:
  name: ${zone}
  provide-xfr: 127.0.0.0/8 NOKEY
${role}
`,
  );
  return start("NSD", options, ["nsd", "-d", "-c", join(dir, "nsd.conf")]);
}

/** Knot DNS. */
export function startKnot(options: PeerOptions): Promise<Peer> {
  const { dir, port, zone, key } = options;
  mkdirSync(dir, { recursive: true });
  const keyLine = key ? `\n    key: ${key.name}` : "";
  const role = options.primary
    ? `    master: primary\n    acl: [from-primary, all]`
    : `    file: "${options.file}"\n    acl: all`;
  writeFileSync(
    join(dir, "knot.conf"),
    `server:
    rundir: "${dir}"
    listen: 127.0.0.1@${port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: warning
${key ? `key:\n  - id: ${key.name}\n    algorithm: hmac-sha256\n    secret: ${key.secret}` : ""}
${options.primary ? `remote:\n  - id: primary\n    address: 127.0.0.1@${options.primary}${keyLine}` : ""}
acl:
  - id: all
    address: 127.0.0.0/8
    action: transfer
${options.primary ? `  - id: from-primary\n    address: 127.0.0.1\n    action: notify${keyLine}` : ""}
database:
    storage: "${dir}"
zone:
  - domain: ${zone}
    storage: "${dir}"
    semantic-checks: off
${role}
`,
  );
  return start("Knot", options, ["knotd", "-c", join(dir, "knot.conf")]);
}
