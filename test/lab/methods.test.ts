/** Commands in containers and what containers are, by the functions that commands and `watch` use, on real engines. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { HostError } from "../../src/core/errors.ts";
import { reasonOf } from "../../src/host/docker/error.ts";
import type { ExecRequest, ExecResult } from "../../src/host/docker/exec.ts";
import { connectMethods } from "../../src/host/docker/methods.ts";
import { describe } from "../../src/lifecycle/methods/describe.ts";
import { ENGINES, hasAll, labFor } from "./director.ts";
import { freeze } from "./engine.ts";
import { IMAGE } from "./image.ts";
import { another, BARE, type Bench, benchOf, importBare, processesOf, SLEEPS } from "./method-bench.ts";
import { signal, until } from "./process.ts";

t.setTimeout(1_200_000);

const sh = (script: string): string[] => ["sh", "-c", script];
const ended = (status: number | null): ExecResult => ({ status, ended: null, runsOn: false });

for (const engine of ENGINES) {
  t.test(`commands in containers, engine ${engine}`, async (t) => {
    const lab = await labFor(t, { name: `exec-${engine}`, engine, dns: false });
    await importBare(lab);
    const bench = benchOf(lab);
    await results(t, bench);
    await ends(t, bench);
    await described(t, bench);
    if (!hasAll(engine)) return;
    await faults(t, bench);
    await together(t, bench);
    await hangs(t, bench);
  });
}

async function results(t: Test, { lab, docker, run, start }: Bench): Promise<void> {
  const id = await start("results");
  await t.test("an image without a shell: the command runs, and a shell is not found", async (t) => {
    const bare = await start("bare", [], BARE);
    t.strictSame(await run(bare, ["echo", "a b", "*", "$HOME", ";"]), {
      ...ended(0),
      output: "a b * $HOME ;\n",
    });
    const none = await run(bare, sh("echo x"));
    t.match(
      none,
      { ended: null, output: /exec: "sh": executable file not found in \$PATH/ },
      "the runtime's words",
    );
    t.ok([126, 127].includes(none.status ?? 0), `status ${none.status}`);
    await lab.docker("rm", "-f", "bare");
  });
  await t.test("the exit status is kept; a program that cannot be run says why", async (t) => {
    for (const status of [0, 1, 3, 126, 255])
      t.strictSame(await run(id, sh(`exit ${status}`)), { ...ended(status), output: "" });
    t.match(await run(id, sh("kill -9 $$")), { status: 137, ended: null });
    t.match(await run(id, ["/etc/passwd"]), { status: 126, output: /permission denied/ });
    t.match(await run(id, ["/none"]), { output: /no such file or directory/ });
  });
  await t.test("output: each stream, as it comes", async (t) => {
    const got: string[] = [];
    const script = "echo one; while [ ! -e /go ]; do sleep 0.1; done; echo two >&2; exit 4";
    const onOutput: ExecRequest["onOutput"] = async ({ stream, octets }) => {
      got.push(`${stream} ${octets.toString()}`);
      // it prints the second line only once the first has been seen here
      if (got.length === 1) await lab.docker("exec", "results", "touch", "/go");
    };
    t.strictSame(
      await docker.execute({ container: id, argv: sh(script), timeoutMs: 60_000, onOutput }),
      ended(4),
    );
    t.strictSame(got, ["stdout one\n", "stderr two\n"]);
  });
  await t.test("a command that closes its output: waited for, its status is kept", async (t) => {
    t.match(await run(id, sh("exec >/dev/null 2>&1; sleep 3; exit 5")), ended(5));
  });
  await t.test(
    "a command that leaves a process behind which keeps its output open: its status is kept",
    async (t) => {
      t.match(await run(id, sh("sleep 10000 & exit 6"), { timeoutMs: 5_000 }), ended(6));
    },
  );
  await lab.docker("rm", "-f", "results");
}

async function ends(t: Test, { lab, run, start }: Bench): Promise<void> {
  const late = { status: null, ended: "timeout", runsOn: false };
  const scripts: readonly [string, readonly string[]][] = [
    ["output without end", ["yes"]],
    ["SIGTERM is ignored", sh("trap '' TERM; echo x; while :; do sleep 1; done")],
    ["a child in a session of its own", sh("setsid sleep 10000 & echo x; wait")],
    ["grandchildren whose parent has ended", sh("(sleep 10000 & sleep 10000 &); echo x; sleep 10000")],
    ["many children", sh("for n in $(seq 100); do sleep 10000 & done; echo x; wait")],
  ];
  const kinds: readonly [string, readonly string[]][] = [
    ["a container", []],
    ["one of another user", ["--user", "1000:1000"]],
    ["one in the host's PID namespace", ["--pid", "host"]],
    ["one with an init", ["--init"]],
  ];
  for (const [kind, args] of kinds) {
    const name = `ends-${kinds.findIndex(([other]) => other === kind)}`;
    const id = await start(name, args);
    const before = processesOf(id);
    t.ok(before.length > 0, `${kind}: its processes are found`);
    for (const [what, argv] of scripts)
      await t.test(`${kind}, ${what}: ended when its time is over, and no other process is`, async (t) => {
        t.match(await run(id, argv, { timeoutMs: 1_500 }), late);
        t.strictSame(processesOf(id), before);
      });
    await t.test(`${kind}: ended by a signal`, async (t) => {
      const stop = new AbortController();
      const onOutput = (): void => stop.abort();
      t.match(await run(id, sh("echo x; sleep 10000"), { signal: stop.signal, onOutput }), {
        ...late,
        ended: "signal",
      });
      t.strictSame(processesOf(id), before);
    });
    await lab.docker("rm", "-f", name);
  }
}

async function faults(t: Test, { lab, docker, run, start }: Bench): Promise<void> {
  for (const [what, ...argv] of [
    ["killed", "kill"],
    ["removed", "rm", "-f"],
    ["stopped", "stop", "-t", "1"],
    ["restarted", "restart", "-t", "1"],
  ] as const)
    await t.test(`a container that is ${what} meanwhile: a result`, async (t) => {
      const id = await start(`faults-${what}`);
      const acts: Promise<unknown>[] = [];
      const onOutput = (): void =>
        void (acts.length === 0 && acts.push(lab.docker(...argv, `faults-${what}`)));
      const result = await run(id, sh("echo x; sleep 10000"), { onOutput });
      await Promise.all(acts);
      t.match(result, { ended: null, runsOn: false });
      t.ok(result.status === null || result.status > 0, `status ${result.status}`);
      if (what !== "restarted") {
        const error = await run(id, ["true"]).catch((thrown: unknown) => thrown);
        t.type(error, HostError);
        t.match(reasonOf(error), what === "removed" ? /has been removed/ : /is not running/);
        t.equal((await docker.container(id))?.running, what === "removed" ? undefined : false);
      }
      await lab.docker("rm", "-f", `faults-${what}`).catch(() => undefined);
    });
  await t.test(
    "a paused container: refused with Docker's words; one that is paused meanwhile is left in bounded time",
    async (t) => {
      const id = await start("faults-paused");
      await lab.docker("pause", "faults-paused");
      t.match(reasonOf(await run(id, ["true"]).catch((thrown: unknown) => thrown)), /is paused/);
      await lab.docker("unpause", "faults-paused");
      const before = processesOf(id);
      const acts: Promise<unknown>[] = [];
      const onOutput = (): void =>
        void (acts.length === 0 && acts.push(lab.docker("pause", "faults-paused")));
      const result = await run(id, sh("echo x; sleep 10000"), { onOutput, timeoutMs: 3_000 });
      t.match(result, { status: null, ended: "timeout" });
      await Promise.all(acts);
      await lab.docker("unpause", "faults-paused");
      await until("its processes end once it goes on", () => processesOf(id).length === before.length);
      await lab.docker("rm", "-f", "faults-paused");
    },
  );
}

async function together(t: Test, { lab, run, start }: Bench): Promise<void> {
  const id = await start("together");
  await t.test("two processes at once: the command runs once, both have its result", async (t) => {
    // it goes on for a while after both have begun
    const script = "echo ran >>/count; while [ ! -e /go ]; do sleep 0.1; done; sleep 3; echo done; exit 7";
    const both = [another(lab, id, script), another(lab, id, script)];
    await Promise.all(both.map(({ begun }) => begun));
    await until("it has begun", async () => (await run(id, ["cat", "/count"])).output !== "");
    await lab.docker("exec", "together", "touch", "/go");
    const found = await Promise.all(both.map(({ result }) => result));
    t.match(found, [
      { status: 7, reason: "done" },
      { status: 7, reason: "done" },
    ]);
    t.strictSame(found.map(({ shared }) => shared).sort(), [false, true]);
    t.equal((await run(id, ["cat", "/count"])).output, "ran\n");
  });
  await t.test("1 GB of output: read to its end in bounded memory", async (t) => {
    for (const script of [
      "yes 0123456789 | head -n 97612893",
      "dd if=/dev/zero bs=1M count=1024 2>/dev/null",
    ]) {
      const quiet = await another(lab, id, "true").result;
      const loud = await another(lab, id, script).result;
      t.match(loud, { ok: true, status: 0 });
      const more = (loud.rss - quiet.rss) / 1024;
      t.comment(`${script}: ${more.toFixed(0)} MB more, ${loud.endedAt - loud.startedAt} ms`);
      t.ok(more < 300, `${more.toFixed(0)} MB more than a command without output`);
      t.ok(loud.output.length <= 8_000);
    }
  });
  await lab.docker("rm", "-f", "together");
}

async function hangs(t: Test, { lab, start }: Bench): Promise<void> {
  const id = await start("hangs");
  // the lab's own
  const pid = Number(readFileSync(join(lab.dir, "dockerd.pid"), "utf8"));
  const docker = connectMethods({ socket: lab.dockerSocket, version: null, deadline: 1_000 });
  const request: ExecRequest = {
    container: id,
    argv: sh("echo x; sleep 10000"),
    timeoutMs: 2_000,
    onOutput: () => undefined,
  };
  t.teardown(() => freeze(pid, false));
  await t.test("a Docker that hangs: a clear error, before and during a command", async (t) => {
    const before = processesOf(id);
    freeze(pid, true);
    const late = { fault: "docker", message: /did not answer .* within 1 s/ };
    await t.rejects(docker.container(id), late);
    await t.rejects(docker.execute(request), late);
    await t.rejects(describe(docker, id), late);
    freeze(pid, false);
    await until(
      "Docker answers",
      async () => (await docker.container(id).catch(() => undefined)) !== undefined,
    );
    await t.rejects(docker.execute({ ...request, onOutput: () => freeze(pid, true) }), late);
    freeze(pid, false);
    await until(
      "Docker answers",
      async () => (await docker.container(id).catch(() => undefined)) !== undefined,
    );
    // what could not be ended is told by the error, and is ended here
    const left = processesOf(id).filter((one) => !before.includes(one));
    t.ok(left.length > 0);
    for (const one of left) signal(one, "SIGKILL");
  });
  await lab.docker("rm", "-f", "hangs");
}

async function described(t: Test, { lab, docker }: Bench): Promise<void> {
  const files = join(lab.dir, "files");
  mkdirSync(join(files, "etc/ocdd/metadata/sub.json"), { recursive: true });
  mkdirSync(join(files, "opt"), { recursive: true });
  const put = (name: string, content: string): void =>
    writeFileSync(join(files, name), content, { mode: 0o755 });
  put("etc/ocdd/metadata/20-own.json", '{"project":"own","validate_method":["/by-file","a b"]}');
  put("etc/ocdd/metadata/10-base.json", '{"project":"base","validate_method":"/by-ancestor"}');
  put("etc/ocdd/metadata/30-large.json", `{"project":"${"x".repeat(300_000)}"}`);
  put("etc/ocdd/metadata/note.txt", "no metadata");
  put("etc/ocdd/metadata/sub.json/x.json", '{"project":"inside"}');
  put("opt/container", '#!/bin/sh\n[ "$1" = --metadata ] && echo \'{"project":"by script"}\'\n');
  /** An image with the files of these directories; its environment names a method as well. */
  const image = async (name: string, ...directories: readonly string[]): Promise<string> => {
    const made = await lab.docker("create", IMAGE);
    for (const one of directories) await lab.docker("cp", join(files, one), `${made}:/`);
    const changes = ["ENV VALIDATE_METHOD='/by-env x'", "ENV PATH=/opt:/bin"].flatMap((line) => ["-c", line]);
    await lab.docker("commit", ...changes, made, name);
    await lab.docker("rm", made);
    return name;
  };
  const all = await image("lab/all:1", "etc", "opt");
  const script = await image("lab/script:1", "opt");
  const plain = await image("lab/plain:1");
  const labels = ["--label", "ocdd.validate=/by-label 'a b'"];
  const found = async (...args: readonly string[]) => {
    const id = await lab.docker(...args, ...SLEEPS);
    const one = await describe(docker, id);
    await lab.docker("rm", "-f", id);
    if (one === undefined) throw new Error("it is not found");
    const validate = one.methods.found.get("validate");
    return { ...one, validate: validate && [validate.source, validate.action] };
  };
  await t.test(
    "VALIDATE: by label, file of a stopped container, script, image ENV, in that order",
    async (t) => {
      t.strictSame((await found("create", ...labels, all)).validate, [
        "label ocdd.validate",
        { argv: ["/by-label", "a b"] },
      ]);
      const stopped = await found("create", all);
      t.strictSame(stopped.validate, ["/etc/ocdd/metadata/20-own.json", { argv: ["/by-file", "a b"] }]);
      t.strictSame(
        stopped.ancestry.map(({ project }) => project),
        ["base", "own"],
      );
      t.match(stopped.notes, [/30-large\.json is left out/]);
      t.equal(stopped.notes.length, 1);
      const running = await found("run", "-d", script);
      t.strictSame(running.validate, ["/opt/container", { argv: ["/opt/container", "--validate"] }]);
      t.match(running.ancestry, [{ project: "by script" }]);
      t.strictSame(
        (await found("create", script)).ancestry,
        [],
        "a script of a stopped container is not run",
      );
      t.strictSame((await found("create", plain)).validate, [
        "image ENV VALIDATE_METHOD",
        { argv: ["/by-env", "x"] },
      ]);
      t.match(await found("create", "--label", "ocdd.validate=a | b", all), {
        validate: undefined,
        notes: [/30-large/, /label ocdd\.validate\) cannot be read/],
      });
    },
  );
  await t.test("what Docker knows: names, states, the image", async (t) => {
    const { container, image } = await found("run", "-d", "--name", "known", all);
    t.match(container, { name: "known", running: true, paused: false, image: all });
    t.ok(container.pid !== null && container.pid > 1);
    t.match(image, { tags: [all], digest: null });
    t.equal(await docker.container("known"), undefined);
    t.equal(await describe(docker, "none"), undefined);
  });
}
