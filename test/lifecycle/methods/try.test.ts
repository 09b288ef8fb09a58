/** A container that exists for as long as something is done with it, with Docker in memory: it is removed in any case. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { HostError } from "../../../src/core/errors.ts";
import { parseTryRecord, renderTryRecord } from "../../../src/core/methods/try-record.ts";
import type { Service } from "../../../src/core/model.ts";
import type { Skipped } from "../../../src/core/services/skipped.ts";
import { readTryRecords, writeTryRecord } from "../../../src/host/disk/try-records.ts";
import type { connectActions } from "../../../src/host/docker/actions.ts";
import { look, thisProcess } from "../../../src/host/kernel/process-owner.ts";
import { type TryMeans, untilInterrupted, type Wanted, withTry } from "../../../src/lifecycle/methods/try.ts";
import { backgroundReaper, reapTries } from "../../../src/lifecycle/methods/try-reaper.ts";
import { id, ip } from "../../core/make.ts";
import { fakeDocker } from "../engine.ts";

const NAME = "try-web-0001";

/** Docker with the containers that it has created, and what was done with them. */
function world(t: Test, over: { becomes?: object } = {}) {
  const parent = mkdtempSync(join(tmpdir(), "ocdd-try-"));
  t.teardown(() => rmSync(parent, { recursive: true }));
  const directory = join(parent, "tries");
  const deeds: string[] = [];
  const said: string[] = [];
  const existing = new Map<string, string>();
  const stop = new AbortController();
  const docker = fakeDocker([{ name: NAME, ...(over.becomes && { becomes: over.becomes }) }]);
  let skipped: Skipped[] = [];
  let next = 0;
  const records = (): string[] => (existsSync(directory) ? readdirSync(directory) : []);
  const means: TryMeans = {
    config: { wakeGrace: 0 },
    docker: { ...docker, stop: async () => {}, pause: async () => {} } as ReturnType<typeof connectActions>,
    creation: {
      async create(name) {
        deeds.push(`create ${name}, recorded ${records().includes(`${name}.json`)}`);
        existing.set(name, id(name));
        return id(name);
      },
      connect: async (_, network) => void deeds.push(`connect ${network}`),
      async remove(which) {
        deeds.push("remove");
        for (const [name, one] of existing) if (one === which) existing.delete(name);
      },
      labelled: async (name) => existing.get(name),
      logs: async () => "last words",
    },
    directory,
    events: { add: (event) => void deeds.push(`logged ${(event as { event: string }).event}`) },
    async converge() {
      deeds.push("run");
      const services = [...existing].map(
        ([name, one]) =>
          ({
            fqdn: `${name}.example.com`,
            address: ip("192.168.122.12"),
            instances: [{ id: one }],
          }) as unknown as Service,
      );
      return { services: skipped.length > 0 ? [] : services, skipped, hostIp: ip("192.168.122.2") };
    },
    nextName: () => `try-web-000${++next}`,
    say: (line) => said.push(line),
    signal: stop.signal,
  };
  return {
    means,
    deeds,
    said,
    records,
    stop,
    existing,
    directory,
    docker,
    skip: (one: Skipped) => (skipped = [one]),
  };
}

const WANTED: Wanted = {
  request: () => ({ body: {}, networks: ["back"] }),
  settings: { health: null, timeout: 60 },
  check: async () => undefined,
  like: "web",
};

const failure = (work: Promise<unknown>): Promise<Error> =>
  work.then(
    () => new Error("it has succeeded"),
    (error: Error) => error,
  );

const WHOLE = [
  `create ${NAME}, recorded true`,
  "logged create",
  "connect back",
  "run",
  "remove",
  "run",
  "logged remove",
];

t.test("recorded, created, in force and ready; then removed, and a run after it", async (t) => {
  const it = world(t);
  const address = await withTry(it.means, WANTED, async ({ id: own, name, service }) => {
    t.same([own, name, service.fqdn], [id(NAME), NAME, `${NAME}.example.com`]);
    t.same(it.records(), [`${NAME}.json`]);
    return service.address;
  });
  t.equal(address, "192.168.122.12");
  t.same(it.deeds, WHOLE);
  t.same(it.records(), []);
});

t.test("what is done with it fails, or it is interrupted: removed", async (t) => {
  for (const error of [new Error("bug"), new HostError("command", "no")]) {
    const it = world(t);
    t.equal(await failure(withTry(it.means, WANTED, () => Promise.reject(error))), error);
    t.same([it.deeds, it.records()], [WHOLE, []]);
  }
  const it = world(t);
  const reason = new Error("it was interrupted");
  const { creation } = it.means;
  const create: typeof creation.create = (...args) => {
    it.stop.abort(reason);
    return creation.create(...args);
  };
  const means = { ...it.means, creation: { ...creation, create } };
  t.equal(await failure(withTry(means, WANTED, async () => t.fail("it is not used"))), reason);
  t.same([it.existing.size, it.records()], [0, []]);
});

t.test("it ends before it is ready: its end, the last lines of its log, removed", async (t) => {
  const it = world(t, { becomes: { running: false, state: "exited", exitCode: 3, error: "no such file" } });
  const error = await failure(withTry(it.means, WANTED, async () => {}));
  t.match(error.message, `${NAME}: its container has ended with status 3: no such file`);
  t.ok(it.said.includes("  last words"));
  t.same([it.existing.size, it.records()], [0, []]);
});

t.test("the range is full, or a label cannot be read: the director's reason, removed", async (t) => {
  const it = world(t);
  it.skip({ container: NAME, code: "range-full", reason: "the address range is full: 3 addresses" });
  const error = await failure(withTry(it.means, WANTED, async () => {}));
  t.match(error, {
    fault: "refused",
    message: `${NAME}: it is not served: the address range is full: 3 addresses`,
  });
  t.same([it.existing.size, it.records()], [0, []]);
});

t.test("a name in use: another one; the records of both are gone", async (t) => {
  const it = world(t);
  const { creation } = it.means;
  let n = 0;
  const create: typeof creation.create = (...args) =>
    ++n < 3 ? Promise.resolve(undefined) : creation.create(...args);
  const docker = fakeDocker([{ name: "try-web-0003" }]) as unknown as TryMeans["docker"];
  await withTry({ ...it.means, docker, creation: { ...creation, create } }, WANTED, async ({ name }) => {
    t.equal(name, "try-web-0003");
    t.same(it.records(), ["try-web-0003.json"]);
  });
  t.same(it.records(), []);
  const never = { ...creation, create: async () => undefined };
  const error = await failure(withTry({ ...it.means, creation: never }, WANTED, async () => {}));
  t.match(error.message, /there is a container of the name try-web-0/);
  t.same(it.records(), []);
});

t.test(
  "Docker does not answer the creation: what it has made all the same is removed, else the record stays",
  async (t) => {
    const late = new HostError("docker", "Docker did not answer");
    for (const isMade of [true, false]) {
      const it = world(t);
      const { creation } = it.means;
      const create: typeof creation.create = async (name) => {
        if (isMade) it.existing.set(name, id(name));
        throw late;
      };
      const error = await failure(
        withTry({ ...it.means, creation: { ...creation, create } }, WANTED, async () => {}),
      );
      t.equal(error, late);
      t.equal(it.existing.size, 0);
      t.same(it.records(), isMade ? [] : [`${NAME}.json`]);
    }
  },
);

t.test("it cannot be removed: said, the record stays, and the result is what it was", async (t) => {
  const it = world(t);
  const remove = async (): Promise<never> => {
    throw new HostError("docker", "Docker did not answer");
  };
  const means = { ...it.means, creation: { ...it.means.creation, remove } };
  t.equal(await withTry(means, WANTED, async () => 7), 7);
  t.match(it.said.at(-1), /could not be removed, the next run of ocdd removes it: Docker did not answer/);
  t.same(it.records(), [`${NAME}.json`]);
});

t.test("removed by hand meanwhile: no error", async (t) => {
  const it = world(t);
  await withTry(it.means, WANTED, async () => it.existing.clear());
  t.same(it.records(), []);
});

t.test(
  "until it is interrupted: ends without an error then, and with one when the container ends before",
  async (t) => {
    const it = world(t, {});
    it.docker.set(NAME, { running: true });
    const waiting = untilInterrupted(id(NAME), it.means);
    it.stop.abort(new Error("it was interrupted"));
    await waiting;
    const other = world(t);
    t.match((await failure(untilInterrupted(id(NAME), other.means))).message, /has ended with status 0/);
    t.match((await failure(untilInterrupted(id("none"), other.means))).message, /has been removed/);
  },
);

/** A process that has ended, and whose number is free. */
async function endedProcess() {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const record = {
    ...(await thisProcess()),
    pid: child.pid ?? 0,
    started: (await look(child.pid ?? 0)).started ?? "",
  };
  child.kill("SIGKILL");
  await once(child, "exit");
  return record;
}

const reaper = (it: ReturnType<typeof world>) => ({
  directory: it.directory,
  docker: () => it.means.creation,
  events: it.means.events,
});

t.test("the reaper: what belongs to a process that has ended, by record and label", async (t) => {
  const it = world(t);
  await writeTryRecord(it.directory, { name: NAME, ...(await endedProcess()) });
  await writeTryRecord(it.directory, { name: "try-live-0001", ...(await thisProcess()) });
  for (const name of [NAME, "try-live-0001", "try-none-0001"]) it.existing.set(name, id(name));
  t.same(await reapTries(reaper(it)), [`${NAME} is removed: its ocdd try has ended without removing it`]);
  t.same(
    [...it.existing.keys()],
    ["try-live-0001", "try-none-0001"],
    "one that lives, and one without a record, stay",
  );
  t.same(it.records(), ["try-live-0001.json"]);
  t.same(it.deeds, ["remove", "logged remove"]);
});

t.test(
  "the reaper: a record without its container stays while Docker may still be creating it",
  async (t) => {
    const it = world(t);
    const ended = await endedProcess();
    await writeTryRecord(it.directory, { name: NAME, ...ended });
    t.same(await reapTries(reaper(it)), []);
    t.same(it.records(), [`${NAME}.json`]);
    it.existing.set(NAME, id(NAME));
    await reapTries(reaper(it));
    t.same([it.existing.size, it.records()], [0, []], "it was created after all");
    await writeTryRecord(it.directory, { name: NAME, ...ended, bootId: "another" });
    t.same(await reapTries(reaper(it)), []);
    t.same(it.records(), [], "of an earlier boot");
  },
);

t.test("the reaper: asks Docker nothing without a record of an ended process", async (t) => {
  const it = world(t);
  const docker = (): never => t.fail("Docker is asked") as never;
  t.same(await reapTries({ ...reaper(it), docker }), []);
  mkdirSync(it.directory);
  t.same(await reapTries({ ...reaper(it), docker }), []);
  await writeTryRecord(it.directory, { name: NAME, ...(await thisProcess()) });
  t.same(await reapTries({ ...reaper(it), docker }), []);
});

t.test("the reaper of watch: one at a time, and what it has removed is logged", async (t) => {
  const it = world(t);
  await writeTryRecord(it.directory, { name: NAME, ...(await endedProcess()) });
  it.existing.set(NAME, id(NAME));
  const { promise: hanging, resolve: answer } = Promise.withResolvers<void>();
  const said = Promise.withResolvers<string>();
  let asked = 0;
  const labelled: TryMeans["creation"]["labelled"] = async (name) => {
    asked += 1;
    await hanging;
    return it.means.creation.labelled(name, "", "");
  };
  const reap = backgroundReaper(
    { ...reaper(it), docker: () => ({ ...it.means.creation, labelled }) },
    (level, line) => said.resolve(`${level}: ${line}`),
  );
  reap();
  reap();
  answer();
  t.match(await said.promise, `warning: ${NAME} is removed`);
  t.same([asked, it.records()], [1, []]);
});

t.test("the reaper: Docker that does not answer is said, and the next run tries again", async (t) => {
  const it = world(t);
  await writeTryRecord(it.directory, { name: NAME, ...(await endedProcess()) });
  const labelled = async (): Promise<never> => {
    throw new HostError("docker", "Docker did not answer");
  };
  const lines = await reapTries({ ...reaper(it), docker: () => ({ ...it.means.creation, labelled }) });
  t.same(lines, [`${NAME}, which an ended ocdd try has left, cannot be removed: Docker did not answer`]);
  t.same(it.records(), [`${NAME}.json`]);
});

t.test(
  "records: what is none goes when it is old and has the name of one, one of a newer version stays",
  async (t) => {
    const it = world(t);
    mkdirSync(it.directory);
    const now = 1_800_000_000_000;
    const old = new Date(now - 3_600_000);
    const record = { name: NAME, ...(await thisProcess()) };
    const files = {
      [`${NAME}.json`]: renderTryRecord(record),
      "try-new-0001.json": JSON.stringify({ ...record, schemaVersion: 2 }),
      ".try-half-0001.json.ocdd-new": "{",
      "try-half-0001.json.new": "{",
      // not OCDD's
      "notes.json": "{",
      "try-notes.json": "{",
      "try-web-0001.txt": "x",
      ".try-web-0001.json": "x",
      "new.ocdd-new": "x",
      "try-half-0002.json": "{",
      "try-other-0001.json": renderTryRecord(record),
    };
    for (const [file, text] of Object.entries(files)) writeFileSync(join(it.directory, file), text);
    const young = join(it.directory, ".try-young-0001.json.ocdd-new");
    writeFileSync(young, "{");
    utimesSync(young, new Date(now), new Date(now));
    for (const file of Object.keys(files)) utimesSync(join(it.directory, file), old, old);
    t.same(await readTryRecords(it.directory, now), [parseTryRecord(files[`${NAME}.json`] ?? "")]);
    t.same(it.records().sort(), [
      ".try-web-0001.json",
      ".try-young-0001.json.ocdd-new",
      "new.ocdd-new",
      "notes.json",
      "try-new-0001.json",
      "try-notes.json",
      "try-web-0001.json",
      "try-web-0001.txt",
    ]);
  },
);
