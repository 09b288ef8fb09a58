/** Socket activation: a restart loses no query. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { activatedSockets } from "../../src/serve/socket-activation.ts";
import { makeQuery } from "../dns/message.ts";
import { activated, restarted } from "./activate.ts";
import { askUdp, freePorts } from "./peers.ts";
import { makePlace, type Place } from "./place.ts";

const ROOT = join(import.meta.dirname, "../..");
const ZONE = "toolbox.example.com";
const SECRET = Buffer.from("a secret of thirty-two octets ok").toString("base64");

t.setTimeout(1_200_000);

/** A place of the test's own. */
async function place(t: Test, keys: Readonly<Record<string, string>> = {}): Promise<Place> {
  const text = `@ 60 IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ 60 IN NS ns1\nns1 60 IN A 127.0.0.1\n`;
  const made = await makePlace(ZONE, text, keys);
  t.teardown(() => rmSync(made.dir, { recursive: true }));
  return made;
}

interface Running {
  readonly child: ChildProcess;
  readonly said: () => string;
}

function start(t: Test, argv: readonly [string, ...string[]]): Running {
  const child = spawn(argv[0], argv.slice(1), { stdio: ["ignore", "pipe", "pipe"], detached: true });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (said += chunk));
  // the group: the process that would start it again is killed too
  t.teardown(() => {
    try {
      process.kill(-(child.pid as number), "SIGKILL");
    } catch {
      // it has ended
    }
  });
  return { child, said: () => said };
}

const SERVE = [process.execPath, join(ROOT, "src/cli/main.ts")];
const soa = makeQuery(`${ZONE}.`, "SOA");

async function answers(port: number): Promise<boolean> {
  for (let n = 0; n < 50; n++) if ((await askUdp(port, soa, 200))?.rcode === 0) return true;
  return false;
}

async function page(port: number): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}/`)).status;
}

/** Serial over TCP, on a connection of its own. */
async function overTcp(port: number): Promise<number> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.write(Buffer.concat([Buffer.from([0, soa.length]), Buffer.from(soa)]));
  const [answer] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return (answer[5] as number) & 15;
}

/** Once more when the connection was reset, as clients must (RFC 7766 §6.2.4): a server that ends waits 100 ms only. */
const again = <T>(ask: () => Promise<T>): Promise<T> => ask().catch(ask);

t.test("names and page are served on the sockets that systemd passes", async (t) => {
  const { dns, web, conf } = await place(t);
  const [other] = (await freePorts(1)) as [number];
  const endpoints = { udp: [`127.0.0.1:${dns}`], tcp: [dns, web, other].map((p) => `127.0.0.1:${p}`) };
  const { said } = start(t, activated(endpoints, {}, [...SERVE, "--config", conf, "serve"]));
  t.ok(await answers(dns), said());
  t.equal(await overTcp(dns), 0, "TCP");
  t.equal(await page(web), 200, "the page");
  t.notMatch(said(), /taken|cannot be bound/, "nothing had to be bound");
  t.match(
    said(),
    new RegExp(`127\\.0\\.0\\.1:${other}/tcp was passed by systemd but the configuration does not list it`),
  );
});

t.test("with an invalid configuration queries wait and are answered once it is valid", async (t) => {
  const { dns, conf } = await place(t);
  const good = readFileSync(conf, "utf8");
  writeFileSync(conf, `${good}NONSENSE=1\n`);
  const endpoints = { udp: [`127.0.0.1:${dns}`], tcp: [`127.0.0.1:${dns}`] };
  const { child, said } = start(t, activated(endpoints, {}, [...SERVE, "--config", conf, "serve"]));
  const answered = answers(dns);
  for (let n = 0; n < 300 && !said().includes("until the configuration is valid"); n++) await sleep(50);
  t.match(said(), /NONSENSE: unknown key[\s\S]*nothing is served until the configuration is valid/);
  t.equal(child.exitCode, null);
  writeFileSync(conf, good);
  t.ok((await answered) || (await answers(dns)), said());
});

t.test("the portable engine takes them as well", async (t) => {
  const { dir, dns } = await place(t);
  const options = {
    zone: ZONE,
    zoneFile: join(dir, `dns/${ZONE}.zone`),
    listen: ["127.0.0.1"],
    port: dns,
    allowTransfer: [],
    engine: "portable",
  };
  const endpoints = { udp: [`127.0.0.1:${dns}`], tcp: [`127.0.0.1:${dns}`] };
  const child = [process.execPath, join(import.meta.dirname, "serve-child.ts"), JSON.stringify(options)];
  const { said } = start(t, activated(endpoints, {}, child));
  t.ok(await answers(dns), said());
  t.equal(await overTcp(dns), 0, "TCP");
});

t.test("a restart loses no query", async (t) => {
  const { dns, web, conf } = await place(t);
  const endpoints = { udp: [`127.0.0.1:${dns}`], tcp: [`127.0.0.1:${dns}`, `127.0.0.1:${web}`] };
  const serve = [...SERVE, "--config", conf, "serve"];
  const { child, said } = start(t, activated(endpoints, {}, restarted(serve)));
  t.ok(await answers(dns), said());
  const server = (): number =>
    Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").split(" ")[0]);
  const before = server();
  const asked: Promise<number | undefined>[] = [];
  const began = performance.now();
  let stopped = 0;
  while (performance.now() - began < 4_000) {
    asked.push(askUdp(dns, soa, 8_000).then((answer) => answer?.rcode));
    if (stopped < 2 && performance.now() - began > 500 + 2_000 * stopped) {
      process.kill(server(), "SIGTERM");
      stopped += 1;
      asked.push(
        again(() => overTcp(dns)),
        again(() => page(web)).then((status) => (status === 200 ? 0 : status)),
      );
    }
    // few enough for a socket's default buffer, however long a busy machine takes to start a server
    await sleep(20);
  }
  const got = await Promise.all(asked);
  t.not(server(), before, "it has been another since");
  t.ok(got.length > 50, `${got.length} asked`);
  t.equal(got.filter((rcode) => rcode !== 0).length, 0, "all answered");
});

t.test("sockets that are meant for another process: left alone", async (t) => {
  for (const environment of [
    {},
    { LISTEN_PID: "1", LISTEN_FDS: "3" },
    { LISTEN_PID: String(process.pid), LISTEN_FDS: "0" },
    { LISTEN_PID: String(process.pid), LISTEN_FDS: "many" },
    // no sockets, or not bound: they are left alone
    { LISTEN_PID: String(process.pid), LISTEN_FDS: "2" },
  ]) {
    const sockets = await activatedSockets(environment, process.pid);
    t.equal(sockets.of("udp", "127.0.0.1", 53), undefined);
    t.same(sockets.unused(), []);
  }
});

t.test("TSIG keys are taken from where systemd puts them", async (t) => {
  const elsewhere = { DNS_TSIG_KEY_FILE: "/nowhere/tsig", DNS_ALLOW_TRANSFER: "key:transfer" };
  const { dir, dns, web, conf } = await place(t, elsewhere);
  const key = `key "transfer" { algorithm hmac-sha256; secret "${SECRET}"; };\n`;
  // an access list shows as the group's permission
  writeFileSync(join(dir, "tsig"), key, { mode: 0o440 });
  const endpoints = { udp: [`127.0.0.1:${dns}`], tcp: [`127.0.0.1:${dns}`, `127.0.0.1:${web}`] };
  const serve = [...SERVE, "--config", conf, "serve"];
  const { said } = start(t, activated(endpoints, { CREDENTIALS_DIRECTORY: dir }, serve));
  t.ok(await answers(dns), said());
  const dig = (...args: string[]): string =>
    execFileSync("dig", ["@127.0.0.1", "-p", String(dns), ZONE, "AXFR", ...args], { encoding: "utf8" });
  t.match(dig("-y", `hmac-sha256:transfer:${SECRET}`), /IN\tNS\t/, "with the key");
  t.notMatch(dig(), /IN\tNS\t/, "and not without");
  t.notMatch(said(), /no key is used/);
});
