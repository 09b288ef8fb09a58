/** A stopped container keeps its name and address, and the first visit starts it: on real engines, from everywhere. */
import t, { type Test } from "tap";
import { ENGINES, hasAll, initializedLab } from "./director.ts";
import type { Lab } from "./handle.ts";
import { IMAGE } from "./image.ts";
import { type Daemon, until } from "./process.ts";
import {
  addressOf,
  asleep,
  holds,
  inForce,
  leads,
  listed,
  PATIENT,
  REFUSED,
  stateOf,
  visit,
  WAKE,
} from "./sleeper.ts";

t.setTimeout(1_200_000);

/** One datagram and its answer. */
async function datagram(lab: Lab, address: string): Promise<string> {
  const program = `
    const socket = require("node:dgram").createSocket("udp4");
    socket.on("message", (answer) => { process.stdout.write(answer); socket.close(); });
    socket.send("who\\n", 9999, ${JSON.stringify(address)});
    setTimeout(() => process.exit(), ${PATIENT}_000).unref();
`;
  return (await lab.run("client", [process.execPath, "-e", program], { check: false })).stdout.trim();
}

for (const engine of ENGINES) {
  t.test(`sleep and wake, engine ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `sleep-${engine}`, engine, dns: false });
    const watch = lab.startOcdd(["watch"]);
    t.teardown(() => watch.stop());
    await byHand(t, lab);
    await everyProtocol(t, lab);
    await failures(t, lab);
    if (!hasAll(engine)) return;
    await idle(t, lab);
    await restarts(t, lab, watch);
  });
}

t.test(
  "sleep and wake, redirected by nftables: packets wait in iptables, and are led on by nftables",
  async (t) => {
    const lab = await initializedLab(t, { name: "sleep-nft", engine: "debian", dns: false });
    const nft = { env: { OCDD_FIREWALL: "nft" } };
    const watch = lab.startOcdd(["watch"], nft);
    t.teardown(() => watch.stop());
    await lab.startContainer({
      name: "web",
      labels: { ...WAKE, "ocdd.ports": "80,9999/udp" },
      env: { UDP: "1" },
    });
    const address = await addressOf(lab, "web");
    await until("it is served", async () => (await lab.who(address)) === "web");
    for (const where of ["client", "host"] as const) {
      await asleep(lab, "web", address);
      t.equal(await visit(lab, address, where), "web", `from the ${where}`);
    }
    await asleep(lab, "web", address);
    t.equal(await datagram(lab, address), "web");
    t.equal((await lab.ocdd(["plan"], nft)).stdout, "", "a run by hand changes nothing");
    const broken = await created(lab, "broken", "/no/such/program");
    t.match(await visit(lab, broken, "client", NO_PAGE), REFUSED);
    await saysWhy(lab, "broken", broken);
  },
);

async function byHand(t: Test, lab: Lab): Promise<void> {
  await t.test(
    "stopped by hand: name, address and page stay; a visit from anywhere starts it (N-4)",
    async (t) => {
      const near = await lab.startContainer({ name: "near" });
      await lab.docker("network", "create", "other");
      const far = await lab.startContainer({ name: "far", network: "other" });
      await lab.startContainer({ name: "web", labels: WAKE });
      const address = await addressOf(lab, "web");
      await leads(lab, address);
      for (const [from, where] of [
        ["the LAN", "client"],
        ["the host itself", "host"],
        ["a container of the same network", near],
        ["a container of another network", far],
      ] as const) {
        await asleep(lab, "web", address);
        t.match(await listed(lab, "web"), { address, state: "asleep" });
        t.equal(await stateOf(lab, "web"), "exited");
        t.equal(await visit(lab, address, where), "web", `from ${from}`);
        t.equal(await stateOf(lab, "web"), "running");
      }
      await asleep(lab, "web", address);
      const zone = await lab.ocdd(["zone"]);
      t.match(zone.stdout, new RegExp(`^web\\.\\S+\\t\\d+\\tIN\\tA\\t${address}`, "m"), "its record stays");
      t.equal(await lab.ocdd(["plan"]).then(({ stdout }) => stdout), "", "a run by hand changes nothing");
      const { code, stdout } = await lab.ocdd(["wake", "web"]);
      t.equal(code, 0);
      t.match(stdout, /^web is ready \(\d+\.\d s\)$/m);
      await leads(lab, address);
    },
  );
}

async function everyProtocol(t: Test, lab: Lab): Promise<void> {
  await t.test("UDP and ping wait as TCP does; the client's address is its own", async (t) => {
    await lab.startContainer({
      name: "any",
      labels: { ...WAKE, "ocdd.wake.ports": "80,9999/udp" },
      env: { UDP: "1" },
    });
    const address = await addressOf(lab, "any");
    await leads(lab, address);
    await asleep(lab, "any", address);
    t.equal(await datagram(lab, address), "any");
    await asleep(lab, "any", address);
    const answer = await visit(lab, address, "client", 80, "/cgi-bin/ip");
    const seen = /[\d.]{7,}/.exec(answer)?.[0] ?? "none";
    t.match((await lab.run("client", ["ip", "-4", "-o", "addr"])).stdout, ` ${seen}/`);
    await asleep(lab, "any", address);
    t.match(await visit(lab, address, "client", 443), REFUSED, "a port that wakes nothing is refused");
    t.equal(await stateOf(lab, "any"), "exited");
    await lab.startContainer({ name: "ping", labels: WAKE });
    const pinged = await addressOf(lab, "ping");
    await leads(lab, pinged);
    await asleep(lab, "ping", pinged);
    const ping = await lab.run("client", ["ping", "-c", "1", "-W", String(PATIENT), pinged], {
      check: false,
    });
    t.equal(ping.code, 0, ping.stdout);
    t.equal(await stateOf(lab, "ping"), "running");
  });

  await t.test("a client that may not connect wakes nothing", async (t) => {
    await lab.startContainer({ name: "closed", labels: { ...WAKE, "ocdd.allow": "10.99.0.0/16" } });
    await lab.startContainer({ name: "picky", labels: { ...WAKE, "ocdd.wake.from": "10.99.0.0/16" } });
    for (const name of ["closed", "picky"]) {
      const address = await addressOf(lab, name);
      await leads(lab, address);
      await asleep(lab, name, address);
      t.match(await visit(lab, address), REFUSED, name);
      t.equal(await stateOf(lab, name), "exited", name);
    }
  });

  await t.test("paused by hand: the first visit lets it go on", async (t) => {
    await lab.startContainer({ name: "still", labels: WAKE });
    const address = await addressOf(lab, "still");
    await leads(lab, address);
    await lab.docker("pause", "still");
    await holds(lab, address);
    t.equal(await visit(lab, address), "still");
    t.equal(await stateOf(lab, "still"), "running");
  });
}

/** A port at which the page never answers, however long a start takes. */
const NO_PAGE = 81;

/** Created, and not started: the alias at which first packets wait, at both ports. */
async function created(lab: Lab, name: string, ...command: readonly string[]): Promise<string> {
  const labels = { ...WAKE, "ocdd.wake.ports": `80,${NO_PAGE}` };
  const args = Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]);
  await lab.docker("create", "--name", name, ...args, IMAGE, ...command);
  const address = await addressOf(lab, name);
  await holds(lab, address);
  return address;
}

/** Its state is "failed", and the page has Docker's words, until it is tried again: for five seconds at first. */
async function saysWhy(lab: Lab, name: string, address: string): Promise<void> {
  await until("it has failed", async () => (await listed(lab, name))?.state === "failed");
  await until("the page says why", async () => /\/no\/such\/program/.test(await visit(lab, address)));
}

async function failures(t: Test, lab: Lab): Promise<void> {
  await t.test(
    "a start that fails is refused at once, with Docker's words; and tried again later",
    async (t) => {
      const address = await created(lab, "broken", "/no/such/program");
      t.match(await visit(lab, address, "client", NO_PAGE), REFUSED);
      await saysWhy(lab, "broken", address);
      await lab.removeContainers("broken");
    },
  );

  await t.test("a program that ends while it starts: refused, and said", async (t) => {
    const address = await created(lab, "short", "sh", "-c", "sleep 0.5; exit 3");
    t.match(await visit(lab, address), /status 3|Failed to connect/);
    await lab.removeContainers("short");
  });
}

async function idle(t: Test, lab: Lab): Promise<void> {
  await t.test("not used for its time: stopped; a connection, however silent, keeps it awake", async (t) => {
    await lab.startContainer({ name: "lazy", labels: { ...WAKE, "ocdd.idle": "2s" } });
    const address = await addressOf(lab, "lazy");
    await inForce(lab, address);
    await until("it is stopped", async () => (await stateOf(lab, "lazy")) === "exited");
    t.equal(await visit(lab, address), "lazy");
    // an open connection without a packet
    const held = lab.spawn("client", ["socat", "-u", `TCP:${address}:80`, "STDOUT"], { label: "silent" });
    await until("it is connected", async () => {
      const { stdout } = await lab.run("client", ["ss", "-Htn", "state", "established", "dst", address]);
      return stdout.includes(address);
    });
    const other = await lab.startContainer({ name: "other-lazy", labels: { ...WAKE, "ocdd.idle": "2s" } });
    // it began to be unused later than the connection was opened, and is stopped: so the first has been looked at
    await until("another one is stopped", async () => (await stateOf(lab, other.name)) === "exited");
    t.equal(await stateOf(lab, "lazy"), "running");
    await held.stop();
    await until("it is stopped", async () => (await stateOf(lab, "lazy")) === "exited");
  });

  await t.test("what ocdd.idle.ignore names is no use, and wakes nothing", async (t) => {
    const { stdout } = await lab.run("client", ["ip", "-4", "-o", "addr", "show", "scope", "global"]);
    const client = /inet ([\d.]+)/.exec(stdout)?.[1] ?? "";
    const labels = { ...WAKE, "ocdd.idle": "2s", "ocdd.idle.ignore": `${client}/32` };
    await lab.startContainer({ name: "scraped", labels });
    const address = await addressOf(lab, "scraped");
    await inForce(lab, address);
    const scraper = lab.spawn("client", scrape(address), { label: "scrape" });
    await until("it is stopped", async () => (await stateOf(lab, "scraped")) === "exited");
    await holds(lab, address);
    t.match(await visit(lab, address), REFUSED);
    await scraper.stop();
    t.equal(await visit(lab, address, "it"), "scraped", "another machine starts it");
  });

  await t.test("a connection of the host's own is no use", async () => {
    await lab.startContainer({ name: "checked", labels: { ...WAKE, "ocdd.idle": "2s" } });
    const address = await addressOf(lab, "checked");
    await inForce(lab, address);
    const checker = lab.spawn("host", scrape(address), { label: "check" });
    await until("it is stopped", async () => (await stateOf(lab, "checked")) === "exited");
    await checker.stop();
  });
}

const scrape = (address: string): string[] => [
  "sh",
  "-c",
  `while :; do curl -s --max-time 1 http://${address}/ >/dev/null; sleep 0.2; done`,
];

async function restarts(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test("without watch: refused, and what runs is untouched; with it again: started", async (t) => {
    const address = await addressOf(lab, "web");
    if ((await stateOf(lab, "web")) !== "running") await visit(lab, address);
    const running = await addressOf(lab, "near");
    await asleep(lab, "web", address);
    await watch.stop();
    t.match(await visit(lab, address), REFUSED, "as soon as it has ended");
    t.equal((await lab.ocdd()).code, 0);
    t.match(await visit(lab, address), REFUSED, "and after a run by hand");
    t.equal(await stateOf(lab, "web"), "exited");
    t.equal(await visit(lab, running), "near");
    const again = lab.startOcdd(["watch"]);
    t.teardown(() => again.stop());
    await until("packets wait", async () => {
      const { stdout } = await lab.run("host", ["iptables-save", "-t", "nat"]);
      return stdout.includes("-j NFQUEUE");
    });
    t.equal(await visit(lab, address), "web");
  });
}
