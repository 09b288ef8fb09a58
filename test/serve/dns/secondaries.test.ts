import { type ChildProcess, execFile, fork } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import t, { type Test } from "tap";
import type { DnsCounters } from "../../../src/serve/dns/counters.ts";
import { makeQuery } from "../../dns/message.ts";
import { askUdp, freePorts, type Peer, type PeerOptions, startBind, startKnot, startNsd } from "../peers.ts";

const run = promisify(execFile);
/** Each takes a second (Knot). */
const CHANGES = Number(process.env.TRANSFER_CHANGES ?? 20);
/** Milliseconds within which a secondary that is notified follows: without NOTIFY it asks once an hour, or after ten minutes when it failed (SOA refresh and retry). */
const NOTIFIED_MS = 300_000;
const KEY = {
  name: "ocdd-transfer",
  secret: Buffer.from("a secret of thirty-two octets ok").toString("base64"),
};

function zoneText(serial: number): string {
  const services = Array.from(
    { length: 30 },
    (_, i) => `s${i}.toolbox.example.com. 60 IN A 10.9.${(serial + i) % 7}.${i + 1}\n`,
  );
  return `$TTL 60
@ IN SOA ns1 hostmaster ${serial} 3600 600 86400 60
@ IN NS ns1
ns1 IN A 127.0.0.1
changed IN TXT "serial ${serial}"
x${serial % 5} IN A 10.8.0.${serial % 200}
${services.join("")}`;
}

/** Serial at a port, undefined for none. */
async function serialAt(port: number): Promise<number | undefined> {
  const rdata = (await askUdp(port, makeQuery("toolbox.example.com.", "SOA"), 300))?.records[0]?.rdata;
  return rdata && Buffer.from(rdata).readUInt32BE(rdata.length - 20);
}

async function follows(port: number, serial: number, within: number): Promise<number> {
  const start = performance.now();
  while ((await serialAt(port)) !== serial) {
    if (performance.now() - start > within) return Number.POSITIVE_INFINITY;
    await sleep(4);
  }
  return performance.now() - start;
}

async function dump(port: number, file: string, key: boolean): Promise<string> {
  const { stdout } = await run("dig", [
    ...(key ? ["-y", `hmac-sha256:${KEY.name}:${KEY.secret}`] : []),
    "@127.0.0.1",
    "-p",
    String(port),
    "+onesoa",
    "+noall",
    "+answer",
    "toolbox.example.com",
    "AXFR",
  ]);
  writeFileSync(file, stdout);
  return file;
}

/** Waits for the first message of a child in which `pick` finds something. Throws when it ends before. */
function messageOf<Message, Said>(
  child: ChildProcess,
  pick: (message: Message) => Said | undefined,
): Promise<Said> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error("the server has ended"));
    const hear = (message: unknown): void => {
      const said = pick(message as Message);
      if (said === undefined) return;
      child.off("message", hear).off("exit", gone);
      resolve(said);
    };
    child.on("message", hear).once("exit", gone);
  });
}

async function scene(t: Test, signed: boolean): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-dns-"));
  const file = join(dir, "zone");
  const keyFile = join(dir, "keys");
  writeFileSync(keyFile, `key "${KEY.name}" { algorithm hmac-sha256; secret "${KEY.secret}"; };\n`);
  chmodSync(keyFile, 0o600);
  let serial = 1;
  const replace = () => {
    writeFileSync(`${file}.new`, zoneText(serial));
    renameSync(`${file}.new`, file);
  };
  replace();
  const [port, ...ports] = (await freePorts(4)) as [number, number, number, number];
  const logs: string[] = [];
  const serve = async (): Promise<ChildProcess> => {
    const options = {
      zone: "toolbox.example.com",
      zoneFile: file,
      listen: ["127.0.0.1"],
      port,
      allowTransfer: signed ? [`key:${KEY.name}`] : ["127.0.0.0/8"],
      tsigKeyFile: keyFile,
      notify: ports.map((each) => `127.0.0.1@${each}${signed ? ` key:${KEY.name}` : ""}`),
    };
    const child = fork(join(import.meta.dirname, "../serve-child.ts"), [JSON.stringify(options)]);
    child.on("message", ({ log }: { log?: string }) => log !== undefined && logs.push(log));
    await messageOf(child, ({ serving }: { serving?: boolean }) => serving);
    return child;
  };
  const killed = async (child: ChildProcess): Promise<void> => {
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };
  const eventsOf = (child: ChildProcess): Promise<DnsCounters["events"]> => {
    const events = messageOf(child, (said: { events?: DnsCounters["events"] }) => said.events);
    child.send("counters");
    return events;
  };
  let server = await serve();
  const starters: [string, (options: PeerOptions) => Promise<Peer>][] = [
    ["bind", startBind],
    ["nsd", startNsd],
    ["knot", startKnot],
  ];
  const options = (i: number): PeerOptions => ({
    dir: join(dir, starters[i]?.[0] as string),
    port: ports[i] as number,
    zone: "toolbox.example.com",
    primary: port,
    ...(signed ? { key: KEY } : {}),
  });
  const peers = await Promise.all(starters.map(([, start], i) => start(options(i))));
  t.teardown(async () => {
    await killed(server);
    await Promise.all(peers.map((peer) => peer.stop()));
    rmSync(dir, { recursive: true, force: true });
  });
  for (const [i, [name]] of starters.entries())
    t.ok((await follows(ports[i] as number, 1, NOTIFIED_MS)) < NOTIFIED_MS, `${name} has the zone`);

  const slowest = [0, 0, 0];
  for (let change = 0; change < CHANGES; change++) {
    const began = performance.now();
    serial++;
    replace();
    const times = await Promise.all(ports.map((each) => follows(each, serial, NOTIFIED_MS)));
    // Knot refreshes a zone once a second at most, even if notified more often.
    await sleep(Math.max(0, began + 1100 - performance.now()));
    times.forEach((time, i) => {
      slowest[i] = Math.max(slowest[i] as number, time);
    });
  }
  for (const [i, [name]] of starters.entries())
    t.ok(
      (slowest[i] as number) < NOTIFIED_MS,
      `${name}: ${CHANGES} changes, the slowest after ${(slowest[i] as number).toFixed(0)} ms`,
    );
  const { incremental, transfers } = await eventsOf(server);
  t.ok(incremental >= 3 * CHANGES && transfers <= 6, `${incremental} IXFR, ${transfers} AXFR`);

  // Either side is killed, the zone keeps changing, and all are equal again.
  await peers[0]?.stop("SIGKILL");
  await peers[2]?.stop("SIGKILL");
  await killed(server);
  serial++;
  replace();
  server = await serve();
  peers[0] = await startBind(options(0));
  peers[2] = await startKnot(options(2));
  for (const [i, [name]] of starters.entries())
    t.ok((await follows(ports[i] as number, serial, NOTIFIED_MS)) < NOTIFIED_MS, `${name} after a kill`);
  const ours = await dump(port, join(dir, "ours"), signed);
  for (const [i, [name]] of starters.entries()) {
    const theirs = await dump(ports[i] as number, join(dir, `theirs-${name}`), false);
    const { stdout } = await run("ldns-compare-zones", [ours, theirs]).catch(
      (error: { stdout: string }) => error,
    );
    t.match(stdout, /\+0\s+-0\s+~0/, `${name}'s zone equals ours`);
  }
  t.strictSame(
    logs.filter((line) => /^error|without the signature/.test(line)),
    [],
  );
}

t.jobs = 2;
t.test("BIND, NSD and Knot follow as secondaries", { timeout: 1_200_000, buffered: true }, (t) =>
  scene(t, false),
);
t.test("BIND, NSD and Knot follow as secondaries, with TSIG", { timeout: 1_200_000, buffered: true }, (t) =>
  scene(t, true),
);
