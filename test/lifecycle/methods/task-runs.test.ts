/** What is due, carried out with the real runner: what is stored, and what says nothing of a service. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { HostError } from "../../../src/core/errors.ts";
import type { Repeated } from "../../../src/core/methods/cadence.ts";
import type { Task } from "../../../src/core/methods/tasks.ts";
import type { Container } from "../../../src/core/model.ts";
import { pathsOf } from "../../../src/core/paths.ts";
import { methodLock, readResults } from "../../../src/host/disk/method-results.ts";
import { methodRunner } from "../../../src/lifecycle/methods/run.ts";
import { type TaskRuns, taskRuns } from "../../../src/lifecycle/methods/task-runs.ts";
import { id, ip } from "../../core/make.ts";
import { type FakeMethods, fakeMethods, labelled } from "./stage.ts";

const LABELS = { "ocdd.validate": "validate", "ocdd.monitor": "monitor", "ocdd.validate.timeout": "300d" };
const NEVER = new AbortController().signal;

const task = (method: Repeated): Task => ({
  key: method,
  container: id("web"),
  service: "web",
  address: ip("172.17.0.2"),
  run: { method, interval: 60 },
});

interface Bench {
  readonly docker: FakeMethods;
  readonly runs: TaskRuns;
  readonly directory: string;
  readonly results: () => ReturnType<typeof readResults>;
  container: Container;
}

function bench(t: Test): Bench {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-task-runs-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const paths = pathsOf({ storageDir: directory, indexFile: `${directory}/www/index.html` });
  const docker = fakeMethods(() => [made.container]);
  const runner = methodRunner({ docker, paths, now: Date.now, exists: () => true });
  const made: Bench = {
    docker,
    directory: paths.methods,
    runs: taskRuns({ docker, runner, now: Date.now }),
    results: () => readResults(paths.results),
    container: labelled("web", LABELS),
  };
  return made;
}

t.test("a result is stored with what has run it, and reported", async (t) => {
  const { docker, runs, results } = bench(t);
  docker.answer = () => [2, "one\nCRITICAL: \u001b[31mdisk full\n"];
  const done = await runs.run(task("monitor"), NEVER);
  t.match(done, {
    reports: [{ method: "monitor", ok: false, state: "CRITICAL", words: "is CRITICAL: one" }],
  });
  const stored = (await results()).get(id("web"))?.get("monitor");
  t.match(stored, { ok: false, status: 2, by: "interval", reason: "one" });
});

t.test(
  "a run that was interrupted, or whose container has ended, is neither stored nor reported",
  async (t) => {
    const made = bench(t);
    const { docker, runs, results } = made;
    docker.answer = () => null;
    const over = new AbortController();
    const interrupted = runs.run(task("validate"), over.signal);
    await begun(docker, 1);
    over.abort();
    t.same(await interrupted, { reports: [] });
    const cut = runs.run(task("validate"), NEVER);
    await begun(docker, 2);
    made.container = { ...made.container, state: "exited" };
    for (const run of docker.running) run.end(137);
    t.same(await cut, { reports: [] });
    t.equal((await results()).size, 0);
  },
);

t.test(
  "Docker that does not answer is no failure of a service; a program that is missing is one",
  async (t) => {
    const made = bench(t);
    await made.runs.run(task("validate"), NEVER);
    const refused = new HostError("refused", "exec: validate: not found");
    made.docker.execute = () => Promise.reject(refused);
    t.match(await made.runs.run(task("validate"), NEVER), { reports: [{ ok: false, words: /not found/ }] });
    made.docker.container = () => Promise.reject(new HostError("docker", "it does not answer"));
    t.same(await made.runs.run(task("validate"), NEVER), { reports: [] });
    t.match(
      (await made.results()).get(id("web"))?.get("validate"),
      { reason: /not found/ },
      "the one before stays",
    );
  },
);

t.test("a run of another process is waited for, and not when watch ends", async (t) => {
  const made = bench(t);
  const release = await methodLock(made.directory, id("web"), "validate", 0);
  const over = new AbortController();
  const waiting = made.runs.run(task("validate"), over.signal);
  over.abort();
  t.same(await waiting, { reports: [] });
  t.equal(made.docker.begun.length, 0);
  await release();
});

t.test("a container that has been removed meanwhile: no report", async (t) => {
  const made = bench(t);
  made.docker.container = async () => undefined;
  t.same(await made.runs.run(task("validate"), NEVER), { reports: [] });
});

/** So many commands have been begun. */
async function begun(docker: FakeMethods, count: number): Promise<void> {
  while (docker.begun.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
}
