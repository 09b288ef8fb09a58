/** Services that sleep, with others: what they need, their instances, restart policies, Docker's own restarts, a reboot. */
import t, { type Test } from "tap";
import { type ContainerOptions, dockerRun } from "./container.ts";
import { aliases, ENGINES, hasAll, initializedLab } from "./director.ts";
import type { Lab } from "./handle.ts";
import { type Daemon, until } from "./process.ts";
import {
  addressOf,
  asleep,
  holds,
  inspected,
  leads,
  listed,
  queues,
  REFUSED,
  reaches,
  startedAt,
  stateOf,
  visit,
  WAKE,
} from "./sleeper.ts";

t.setTimeout(1_200_000);

/** Listens a second after its start. */
const SLOW = ["sh", "-c", "sleep 1; touch /tmp/ok; exec /serve"];
const SECOND_MS = 1_000;

for (const engine of ENGINES) {
  t.test(`sleep and wake together, engine ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `together-${engine}`, engine, dns: false });
    const watch = lab.startOcdd(["watch"]);
    t.teardown(() => watch.stop());
    await migrations(t, lab, watch);
    await crashes(t, lab, watch);
    await pauses(t, lab);
    await policies(t, lab, watch);
    await docker(t, lab);
    if (hasAll(engine)) {
      await needs(t, lab);
      await instances(t, lab);
    }
    await reboot(t, lab, watch);
  });
}

/** A container of compose's project; its name is project-service-1. */
const member = (project: string, service: string, more: ContainerOptions = {}): ContainerOptions => ({
  name: `${project}-${service}-1`,
  compose: { project, service },
  ...more,
});

async function needs(t: Test, lab: Lab): Promise<void> {
  await t.test("ocdd.wake.with: started first and ready, awake as long as it is needed", async (t) => {
    const short = { ...WAKE, "ocdd.idle": "1s" };
    await lab.startContainers(
      { name: "db", labels: short, command: SLOW },
      { name: "web", labels: { ...WAKE, "ocdd.wake.with": "db" } },
    );
    const address = await addressOf(lab, "web");
    await leads(lab, address);
    await lab.docker("stop", "web");
    await reaches(lab, "db", "exited");
    await holds(lab, address);
    t.equal(await visit(lab, address), "web");
    t.ok((await startedAt(lab, "web")) >= (await startedAt(lab, "db")) + SECOND_MS, "db was ready first");
    await lab.startContainer({ name: "later", labels: short });
    await reaches(lab, "later", "exited");
    t.equal(await stateOf(lab, "db"), "running", "it is needed");
    await lab.docker("stop", "web");
    await reaches(lab, "db", "exited");
    await lab.removeContainers("web", "db", "later");
  });

  await t.test("a circle of needs: started once each", async (t) => {
    const labels = (other: string) => ({ ...WAKE, "ocdd.wake.with": other, "ocdd.idle": "2s" });
    await lab.startContainers({ name: "hen", labels: labels("egg") }, { name: "egg", labels: labels("hen") });
    const address = await addressOf(lab, "hen");
    await reaches(lab, "hen", "exited");
    await reaches(lab, "egg", "exited");
    await holds(lab, address);
    const before = await startedAt(lab, "egg");
    t.equal(await visit(lab, address), "hen");
    t.ok((await startedAt(lab, "egg")) > before, "the other one was started too");
    await lab.removeContainers("hen", "egg");
  });
}

const DEPENDS = "com.docker.compose.depends_on";

/** As `docker-compose create` leaves it: not started. */
const create = (lab: Lab, options: ContainerOptions): Promise<string> => {
  const [, , ...args] = dockerRun(options);
  return lab.docker("create", ...args);
};

async function migrations(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test("depends_on: started, healthy, completed; without labels of their own", async (t) => {
    const conditions =
      "migrate:service_completed_successfully:false,db:service_healthy:false,cache:service_started:false";
    const healthy = ["--health-cmd", "test -e /tmp/ok", "--health-interval", "30s"];
    const migrate = (command: string) => member("shop", "migrate", { command: ["sh", "-c", command] });
    await create(lab, member("shop", "db", { args: healthy, command: SLOW }));
    await create(lab, member("shop", "cache"));
    await create(lab, migrate("sleep 1"));
    await create(lab, member("shop", "app", { labels: { ...WAKE, [DEPENDS]: conditions } }));
    const address = await addressOf(lab, "shop-app-1");
    await holds(lab, address);
    t.equal(await visit(lab, address), "shop-app-1");
    t.strictSame(await Promise.all(["db", "cache", "migrate"].map((one) => stateOf(lab, `shop-${one}-1`))), [
      "running",
      "running",
      "exited",
    ]);
    const began = await startedAt(lab, "shop-app-1");
    t.ok(began >= (await startedAt(lab, "shop-db-1")) + SECOND_MS, "db was healthy first");
    t.ok(began >= (await startedAt(lab, "shop-migrate-1")) + SECOND_MS, "the migration had ended first");
    await lab.docker("rm", "-f", "shop-migrate-1");
    await create(lab, migrate("exit 1"));
    await asleep(lab, "shop-app-1", address);
    const words = /shop-migrate-1, which it needs: it ended with status 1/;
    t.match(await visit(lab, address), /Failed to connect|which it needs/);
    await until("the log says why", () => words.test(watch.output()));
    t.equal(await stateOf(lab, "shop-app-1"), "exited");
    t.equal(await stateOf(lab, "shop-db-1"), "running", "what has no label of OCDD's is never stopped");
    await lab.removeContainers("shop-app-1", "shop-db-1", "shop-cache-1", "shop-migrate-1");
  });
}

async function instances(t: Test, lab: Lab): Promise<void> {
  const start = async (project: string, labels: Record<string, string>, count: number): Promise<string[]> => {
    const names = Array.from({ length: count }, (_, i) => `${project}-page-${i + 1}`);
    for (const [i, name] of names.entries())
      await lab.startContainer({ name, labels, compose: { project, service: "page", number: i + 1 } });
    return names;
  };
  await t.test("a visit to one of three instances wakes all; they are stopped together", async (t) => {
    const names = await start("many", { ...WAKE, "ocdd.idle": "3s" }, 3);
    const addresses: string[] = [];
    for (const name of names) addresses.push(await addressOf(lab, name));
    for (const name of names) await reaches(lab, name, "exited");
    for (const address of addresses) await holds(lab, address);
    await until("the shared name has all addresses", async () => {
      const { stdout } = await lab.ocdd(["zone"]);
      return addresses.every((one) =>
        new RegExp(`^page\\.toolbox\\.\\S+\\t\\d+\\tIN\\tA\\t${one}\\s`, "m").test(stdout),
      );
    });
    t.equal(await visit(lab, addresses[1] ?? ""), "many-page-2");
    for (const name of names) await reaches(lab, name, "running");
    await lab.removeContainers(...names);
  });
  await t.test("ocdd.wake.scale=1: only the one that is visited", async (t) => {
    const names = await start("few", { ...WAKE, "ocdd.wake.scale": "1" }, 2);
    const addresses: string[] = [];
    for (const name of names) addresses.push(await addressOf(lab, name));
    await lab.docker("stop", ...names);
    for (const address of addresses) await holds(lab, address);
    t.equal(await visit(lab, addresses[0] ?? ""), "few-page-1");
    t.equal(await stateOf(lab, "few-page-2"), "exited");
    await lab.removeContainers(...names);
  });
}

async function crashes(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test("started again by Docker: its visitors wait until one run is ready", async (t) => {
    const command = 'echo >>/tmp/runs; [ "$(wc -l </tmp/runs)" -ge 6 ] && exec /serve; exit 1';
    await lab.startContainer({
      name: "loop",
      labels: WAKE,
      args: ["--restart", "on-failure"],
      command: ["sh", "-c", command],
    });
    const address = await addressOf(lab, "loop");
    t.equal(await visit(lab, address), "loop", watch.output().slice(-3_000));
    t.equal(await inspected(lab, "loop", ".RestartCount"), "5");
    await lab.removeContainers("loop");
  });
}

async function pauses(t: Test, lab: Lab): Promise<void> {
  await t.test("ocdd.idle.action=pause: the same run goes on with the next visit", async (t) => {
    const labels = { ...WAKE, "ocdd.idle": "2s", "ocdd.idle.action": "pause" };
    await lab.startContainer({ name: "still", labels });
    const address = await addressOf(lab, "still");
    await reaches(lab, "still", "paused");
    const began = await startedAt(lab, "still");
    await holds(lab, address);
    t.equal(await visit(lab, address), "still");
    t.equal(await stateOf(lab, "still"), "running");
    t.equal(await startedAt(lab, "still"), began);
    await lab.removeContainers("still");
  });
}

const ALWAYS = "its restart policy is always: Docker starts it again when Docker itself starts";

async function policies(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test("restart policies: what a restart of Docker does with services that sleep", async (t) => {
    const labels = { ...WAKE, "ocdd.idle": "2s" };
    for (const policy of ["always", "unless-stopped"])
      await lab.startContainer({ name: policy, labels, args: ["--restart", policy] });
    const address = await addressOf(lab, "unless-stopped");
    await reaches(lab, "always", "exited");
    await reaches(lab, "unless-stopped", "exited");
    await holds(lab, address);
    await until("the log says so", () => watch.output().includes(ALWAYS));
    const before = await aliases(lab);
    const began = await startedAt(lab, "always");
    await lab.restartDockerd();
    await until("Docker starts it", async () => (await startedAt(lab, "always")) !== began);
    await reaches(lab, "always", "exited");
    t.not(await startedAt(lab, "always"), began, "Docker started it, and it was put to sleep again");
    t.equal(await stateOf(lab, "unless-stopped"), "exited");
    t.strictSame(await aliases(lab), before);
    t.equal(await visit(lab, address), "unless-stopped");
    await lab.removeContainers("always", "unless-stopped");
  });
}

async function docker(t: Test, lab: Lab): Promise<void> {
  await t.test("Docker is killed: visits wait for it, as long as they may", async (t) => {
    await lab.startContainers(
      { name: "patient", labels: WAKE },
      { name: "hasty", labels: { ...WAKE, "ocdd.wake.timeout": "2s" } },
    );
    const [address, hasty] = [await addressOf(lab, "patient"), await addressOf(lab, "hasty")];
    await asleep(lab, "patient", address);
    await asleep(lab, "hasty", hasty);
    const before = await aliases(lab);
    await lab.stopDockerd("SIGKILL");
    t.match(await visit(lab, hasty, "client", 81), REFUSED);
    t.strictSame(await aliases(lab), before, "the addresses stay");
    await holds(lab, address);
    const waits = visit(lab, address);
    await lab.startDockerd();
    t.equal(await waits, "patient");
    await until("it is tried again", async () => (await visit(lab, hasty)) === "hasty");
    await lab.removeContainers("hasty");
  });
}

async function reboot(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test(
    "the machine is started again: asleep, with name and address, and woken by a visit",
    async (t) => {
      const address = await addressOf(lab, "patient");
      await asleep(lab, "patient", address);
      await watch.stop();
      await lab.stopDockerd();
      await lab.run("host", ["nft", "flush", "ruleset"]);
      for (const one of await aliases(lab))
        await lab.run("host", ["ip", "addr", "del", `${one}/32`, "dev", "ens3"]);
      await lab.startDockerd();
      const again = lab.startOcdd(["watch"]);
      t.teardown(() => again.stop());
      await queues(lab);
      await holds(lab, address);
      t.match(await listed(lab, "patient"), { name: "patient", address, state: "asleep" });
      t.equal(await visit(lab, address), "patient");
      t.match(await listed(lab, "patient"), { state: "running" });
    },
  );
}
