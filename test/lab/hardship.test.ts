/**
 * Faults that `watch` can meet: during each the last good state stays active and the cause is logged once; after it the
 * host is as before. Two services are queried all the time, by name and by connection.
 * OCDD_STOPPED=60 has `watch` stopped (SIGSTOP) for a minute instead of 2 seconds.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { addresses, aliases, labFor, succeed } from "./director.ts";
import { dockerProxy } from "./docker-proxy.ts";
import { freeze } from "./engine.ts";
import { judge } from "./history.ts";
import { asBusy, type Bounds } from "./note.ts";
import { storage } from "./ocdd.ts";
import { run, sleep, until } from "./process.ts";
import { record } from "./recorder.ts";

t.setTimeout(1_200_000);

/** Seconds for which `watch` is stopped. */
const STOPPED = Number(process.env.OCDD_STOPPED ?? 2);

const BUSY: Bounds = {
  notice: 300,
  serverSwitch: 500,
  // a fault blocks the director for seconds here; with a full disk a name stays until there is room
  afterDeath: 30_000 + STOPPED * 1_000,
  misled: 0,
  untouched: ["one", "two"],
};

t.test("hardship", async (t) => {
  const lab = await labFor(t, { name: "hardship", daemon: { "live-restore": true } });
  const place = storage(lab);
  await run(["mkdir", "-p", place]);
  await run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]);
  t.teardown(() => run(["umount", "-l", place], { check: false }));
  const proxy = await dockerProxy(join(lab.dir, "proxy.sock"), lab.dockerSocket);
  t.teardown(() => proxy.close());
  const options = { conf: { DOCKER_SOCKET: proxy.socket, SYNC_INTERVAL: "5" } };
  succeed(await lab.ocdd(["initialize"], options), "initialize");
  const recorder = await record(lab);
  const server = await lab.serve(options);
  let watch = lab.startOcdd(["watch"], options);
  const names = ["one", "two", "three", "four", "five", "six"];
  await lab.startContainers(...names);
  await until("all are served", async () => (await aliases(lab)).length === names.length);
  await until("nothing is left to do", async () => (await lab.ocdd(["plan"], options)).stdout === "");
  const table = await addresses(lab, options);
  await recorder.ask({ one: table.one ?? "", two: table.two ?? "" }, { question: 20, connection: 50 });
  const all = Object.values(table).sort().join();

  /** Lines that `watch` has logged about something. */
  const said = (what: RegExp): string[] =>
    watch
      .output()
      .split("\n")
      .filter((line) => what.test(line));
  /** It is logged, no line twice; several files may be concerned. */
  const onceEach = (t: Test, what: RegExp): void => {
    const lines = said(what);
    t.ok(lines.length > 0 && lines.length < 4, lines.join("\n"));
    t.equal(new Set(lines).size, lines.length, "each line once");
  };
  const whole = async (): Promise<void> => {
    await until("all is as it was", async () => (await aliases(lab)).join() === all);
    await until("nothing pending", async () => (await lab.ocdd(["plan"], options)).stdout === "");
    if (!watch.running()) throw new Error(watch.output());
  };

  await t.test("Docker hangs, then goes on: services stay, one log line", async (t) => {
    const pid = Number(readFileSync(join(lab.dir, "dockerd.pid"), "utf8"));
    freeze(pid, true);
    await until("it is said", () => said(/docker\.sock|proxy\.sock|Docker/).length > 0);
    await sleep(6_000); // another interval, in which it must not be logged again
    freeze(pid, false);
    t.equal(said(/docker\.sock|proxy\.sock|Docker/).length, 1, watch.output());
    await whole();
  });

  await t.test("Docker lists no containers for a while: services stay", async () => {
    proxy.forgetful = true;
    await proxy.storm(1, 0.01);
    await sleep(1_500);
    proxy.forgetful = false;
    await whole();
  });

  await t.test("1 000 events a second: a container that starts meanwhile is served", async () => {
    await lab.docker("stop", "three");
    const storm = proxy.storm(5_000, 5);
    await lab.docker("start", "three");
    await until("three is served", async () => (await lab.who(table.three ?? "")) === "three");
    await storm;
    await whole();
  });

  await t.test("a container that restarts all the time: other services are unaffected", async (t) => {
    const looping = {
      name: "loop",
      args: ["--restart", "always"],
      command: ["sh", "-c", "sleep 0.1; exit 1"],
    };
    await lab.docker("run", "-d", "--name", looping.name, ...looping.args, "lab/web:1", ...looping.command);
    const before = said(/./).length;
    await sleep(5_000);
    t.ok(said(/warning|error/).length < 8, said(/warning|error/).join("\n"));
    t.comment(`${said(/./).length - before} lines in 5 s`);
    await lab.removeContainers("loop");
    await whole();
  });

  await t.test("a full disk: ended containers are removed, others stay, one log line", async (t) => {
    await run(["dd", "if=/dev/zero", `of=${place}/full`, "bs=4k"], { check: false });
    await lab.startContainers("newcomer"); // a container that needs a lease
    await lab.docker("stop", "four");
    await until("four is taken down", async () => !(await aliases(lab)).includes(table.four ?? ""));
    await sleep(6_000);
    onceEach(t, /No space|no space/);
    await lab.removeContainers("newcomer");
    await run(["rm", `${place}/full`]);
    await lab.docker("start", "four");
    await whole();
  });

  await t.test(
    "a read-only state directory: ended containers are removed, others stay, one log line",
    async (t) => {
      await run(["mount", "-o", "remount,ro", place]);
      await lab.docker("stop", "four");
      await until("four is taken down", async () => !(await aliases(lab)).includes(table.four ?? ""));
      await until("it is said", () => said(/read-only/).length > 0);
      await sleep(6_000);
      onceEach(t, /read-only/);
      await run(["mount", "-o", "remount,rw", place]);
      await lab.docker("start", "four");
      await whole();
    },
  );

  await t.test("leases damaged: torn, one bit flipped, both files: addresses are kept", async (t) => {
    const file = join(place, "leases.json");
    const good = readFileSync(file);
    const flipped = Buffer.from(good);
    flipped[200] = (flipped[200] ?? 0) ^ 1;
    for (const bad of [good.subarray(0, good.length / 2), flipped]) {
      writeFileSync(file, bad);
      await whole();
      t.same(await addresses(lab, options), table);
    }
    writeFileSync(file, flipped);
    writeFileSync(`${file}.previous`, "");
    await whole();
    t.same(await addresses(lab, options), table, "rebuilt from what is in force");
  });

  await t.test("watch stopped for a while, then killed: names and connections go on", async () => {
    freeze(watch.pid, true);
    await lab.docker("stop", "five");
    await sleep(STOPPED * 1_000);
    freeze(watch.pid, false);
    await until("five is taken down", async () => !(await aliases(lab)).includes(table.five ?? ""));
    await watch.stop("SIGKILL");
    await lab.docker("start", "five");
    await sleep(1_000);
    watch = lab.startOcdd(["watch"], options);
    await whole();
  });

  await t.test("the clock a year ahead for one run, a year behind for another: leases stay", async (t) => {
    await watch.stop();
    for (const year of [31_536_000_000, -31_536_000_000]) {
      const clock = `const now=Date.now;Date.now=()=>now()+(${year})`;
      const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(clock)}` };
      succeed(await lab.ocdd([], { ...options, env }), "a run");
      t.equal((await aliases(lab)).join(), all);
    }
    watch = lab.startOcdd(["watch"], options);
    await whole();
    t.same(await addresses(lab, options), table);
  });

  const notes = await recorder.stop();
  const wrong = judge(notes, asBusy(BUSY, notes));
  t.same(wrong, [], "nobody who was not touched has noticed any of it");
  await watch.stop();
  await server.stop();
});
