/** Ending a command's processes: real ones that the test has started, and tables of processes in which a number means another one. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import t, { type Test } from "tap";
import { endProcesses, type Processes, THIS_HOST, ticksNow } from "../../../src/host/kernel/processes.ts";
import { id } from "../../core/make.ts";

const WEB = id("web");
const SHORT_MS = 100;

/** Processes with a mark in their environment, which all that they start have as well. */
function marked(mark: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      // of one that has ended the environment is empty
      return readFileSync(`/proc/${name}/environ`, "latin1").includes(mark) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Runs a script in a session of its own, as Docker runs a command, until it has printed a line and has so many processes. */
async function command(t: Test, script: string, number: number) {
  const mark = randomUUID();
  const since = ticksNow();
  const child: ChildProcess = spawn("sh", ["-c", script], {
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
    env: { PATH: process.env.PATH, MARK: mark },
  });
  t.teardown(() => {
    for (const pid of marked(mark)) process.kill(pid, "SIGKILL");
  });
  await new Promise((resolve) => child.stdout?.once("data", resolve));
  while (marked(mark).length !== number) await sleep(20);
  const strangers: number[] = [];
  // they are in the test's own cgroup, and any other process is spared
  const host: Processes = {
    ...THIS_HOST,
    now: (pid) => ({ ...THIS_HOST.now(pid), cgroup: `0::/docker/${WEB}\n` }),
    signal(pid, name) {
      if (marked(mark).includes(pid)) THIS_HOST.signal(pid, name);
      else if (isThere(pid)) strangers.push(pid);
    },
  };
  const pid = child.pid ?? 0;
  return {
    pid,
    since,
    mark,
    strangers,
    end: () => endProcesses({ pid, container: WEB, since }, SHORT_MS, host),
  };
}

function isThere(pid: number): boolean {
  try {
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

const SCRIPTS: readonly [string, string, number][] = [
  ["one process", "echo ready; exec sleep 1000", 1],
  [
    "one that ignores SIGTERM, with a child that does",
    "trap '' TERM; echo ready; while :; do sleep 1000; done",
    2,
  ],
  ["grandchildren whose parent has ended", "(sleep 1000 & sleep 1000 &); echo ready; exec sleep 1000", 3],
  ["a child in a session of its own", "setsid sh -c 'echo ready; exec sleep 1000' & wait", 2],
  ["children of a child in a session of its own", "setsid sh -c 'sleep 1000 & echo ready; wait' & wait", 3],
  [
    "a process that starts others when it is to end",
    "trap 'sleep 1000 & sleep 1000' TERM; echo ready; sleep 1000 & wait",
    2,
  ],
  ["a stopped process", "sleep 1000 & kill -STOP $!; echo ready; wait", 2],
  ["many", "for n in $(seq 150); do sleep 1000 & done; echo ready; wait", 151],
];

for (const [what, script, number] of SCRIPTS)
  t.test(`real processes: ${what}: none is left, and no other gets a signal`, async (t) => {
    const one = await command(t, script, number);
    t.equal(await one.end(), true);
    t.strictSame(marked(one.mark), []);
    t.strictSame(one.strangers, []);
  });

t.test(
  "real processes: another command beside it goes on; a daemon with a session and a parent of its own stays",
  async (t) => {
    const other = await command(t, "echo ready; sleep 1000", 2);
    const one = await command(
      t,
      "r=$(setsid sh -c 'echo; exec sleep 1000 >/dev/null' &); echo ready; sleep 1000",
      3,
    );
    t.equal(await one.end(), true);
    t.equal(marked(one.mark).length, 1, "the daemon");
    t.equal(marked(other.mark).length, 2);
  },
);

t.test("real processes: those of this machine are in no container's cgroup, so none is ended", async (t) => {
  const { pid, since, mark } = await command(t, "echo ready; exec sleep 1000", 1);
  t.equal(await endProcesses({ pid, container: WEB, since }, SHORT_MS), false);
  t.equal(marked(mark).length, 1);
});

/** A process of a table. */
interface Row {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly started: number;
  readonly cgroup?: string;
  readonly name?: string;
  /** Is not ended by a signal. */
  readonly stays?: boolean;
}

const IN = `12:pids:/docker/${WEB}\n0::/system.slice/docker-${WEB}.scope\n`;

/** A host with these processes; `after` changes the table when a signal has been sent. */
function hostOf(rows: readonly Row[], after: (rows: Row[]) => Row[] = (same) => same) {
  let table = [...rows];
  const sent: string[] = [];
  const stat = (pid: number): string => {
    const row = table.find((one) => one.pid === pid);
    if (row === undefined) throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
    const { name = "check", parent, session, started } = row;
    return `${pid} (${name}) S ${parent} ${pid} ${session} 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 ${started} 1000 200\n`;
  };
  const host: Processes = {
    list: async () => table.map(({ pid }) => pid),
    stat: async (pid) => stat(pid),
    now: (pid) => ({ stat: stat(pid), cgroup: table.find((one) => one.pid === pid)?.cgroup ?? IN }),
    signal(pid, name) {
      sent.push(`${name} ${pid}`);
      table = after(table.filter((one) => one.pid !== pid || one.stays === true));
    },
  };
  const end = (pid: number, since = 1000): Promise<boolean> =>
    endProcesses({ pid, container: WEB, since }, 0, host);
  return { host, sent, end };
}

/** A host with a container and a command in it: 100 is the container's first process, 200 the command's. */
const HOST: readonly Row[] = [
  { pid: 1, parent: 0, session: 1, started: 1, cgroup: "0::/init.scope\n" },
  { pid: 2, parent: 0, session: 0, started: 1, cgroup: "0::/\n" },
  { pid: 50, parent: 1, session: 50, started: 5, cgroup: "0::/system.slice/docker.service\n" },
  { pid: 60, parent: 1, session: 50, started: 900, cgroup: "0::/system.slice/containerd.service\n" },
  { pid: 100, parent: 60, session: 100, started: 900 },
  { pid: 101, parent: 100, session: 100, started: 1001 },
  { pid: 200, parent: 60, session: 200, started: 1001, name: "a) R 1 1 1 (" },
  { pid: 201, parent: 200, session: 200, started: 1001 },
];
const COMMAND = ["SIGTERM 200", "SIGTERM 201"];

t.test(
  "a table: the command's processes get the signal, the container's others and the host's do not",
  async (t) => {
    const { sent, end } = hostOf(HOST);
    t.equal(await end(200), true);
    t.strictSame(sent.sort(), COMMAND);
  },
);

t.test("a number that cannot be a command's: nothing is looked at, no signal is sent", async (t) => {
  for (const pid of [0, 1, -1, -200, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
    const { sent, end } = hostOf([...HOST, { ...(HOST[6] as Row), pid, session: pid }]);
    t.equal(await end(pid), false, `${pid}`);
    t.strictSame(sent, []);
  }
  const { host, sent } = hostOf(HOST);
  for (const container of ["", "docker", "/", WEB.slice(1)])
    t.equal(
      await endProcesses({ pid: 200, container, since: 0 }, 0, host),
      false,
      "nor a container's without an id",
    );
  t.strictSame(sent, []);
});

t.test(
  "Docker in another PID namespace, or on another machine: the number is another process's, and is left",
  async (t) => {
    for (const cgroup of [
      "0::/user.slice\n",
      "0::/\n",
      "",
      `0::/docker/${id("other")}\n`,
      `0::/docker/${WEB.slice(1)}\n`,
    ]) {
      const { sent, end } = hostOf(HOST.map((row) => (row.pid === 200 ? { ...row, cgroup } : row)));
      t.equal(await end(200), false, cgroup);
      t.strictSame(sent, []);
    }
    const { sent, end } = hostOf(HOST);
    t.equal(await end(999), false, "there is no such process, or it may not be seen");
    t.strictSame(sent, []);
  },
);

t.test(
  "a runtime that gives the PID of the container's first process or virtual machine: it is older, and is left",
  async (t) => {
    const { sent, end } = hostOf(HOST);
    t.equal(await end(100), false);
    t.strictSame(sent, []);
  },
);

t.test("a descendant in another cgroup: is left, and said to go on", async (t) => {
  const { sent, end } = hostOf([
    ...HOST,
    { pid: 300, parent: 201, session: 300, started: 1002, cgroup: "0::/\n" },
  ]);
  t.equal(await end(200), false);
  t.notOk(sent.some((one) => one.endsWith(" 300")));
  t.ok(COMMAND.every((one) => sent.includes(one)));
});

t.test("a process that is not ended by SIGKILL: said to go on", async (t) => {
  const { sent, end } = hostOf(HOST.map((row) => (row.pid === 201 ? { ...row, stays: true } : row)));
  t.equal(await end(200), false);
  t.ok(sent.includes("SIGKILL 201"));
  t.notOk(sent.includes("SIGKILL 200"), "it has ended already");
});

t.test(
  "a number given to another process of the container after the first signal: it and its own are left",
  async (t) => {
    const others: readonly Row[] = [
      { pid: 200, parent: 100, session: 200, started: 5000 },
      { pid: 400, parent: 200, session: 200, started: 5001 },
    ];
    // what keeps the search going, since it is not ended at once
    const slow = { pid: 202, parent: 200, session: 202, started: 1003, stays: true };
    const { sent, end } = hostOf([...HOST, slow], (rows) => {
      const reused = rows.some(({ pid }) => pid === 200) ? [] : others;
      return [...rows.map((row) => (row.pid === 202 ? { ...row, parent: 100 } : row)), ...reused];
    });
    t.equal(await end(200), false);
    t.ok(sent.includes("SIGKILL 202"));
    t.notOk(
      sent.some((one) => /KILL (200|400)$|TERM 400/.test(one)),
      sent.join(),
    );
  },
);

t.test("a number given to another process between the look and the signal: no signal", async (t) => {
  const { host, sent } = hostOf(HOST);
  let looks = 0;
  const late: Processes = {
    ...host,
    now(pid) {
      looks += 1;
      const now = host.now(pid);
      return looks === 1 ? now : { ...now, stat: now.stat.replace(/ 1001 1000/, " 9999 1000") };
    },
  };
  await endProcesses({ pid: 200, container: WEB, since: 1000 }, 0, late);
  t.strictSame(sent, []);
});

t.test("processes that cannot be read: not taken for ended", async (t) => {
  for (const code of ["EMFILE", "EACCES", "EIO"]) {
    const { host } = hostOf(HOST);
    const fails: Processes = {
      ...host,
      stat: () => Promise.reject(Object.assign(new Error(code), { code })),
    };
    t.equal(await endProcesses({ pid: 200, container: WEB, since: 1000 }, 0, fails), false, code);
  }
  const { host } = hostOf(HOST);
  const odd: Processes = { ...host, stat: async () => "" };
  t.equal(await endProcesses({ pid: 200, container: WEB, since: 1000 }, 0, odd), false);
});

t.test(
  "any table: only processes of the container that the command can have started get a signal",
  async () => {
    const pid = fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8);
    const row = fc.record({
      pid,
      parent: fc.nat(8),
      session: fc.nat(8),
      started: fc.integer({ min: 995, max: 1005 }),
      cgroup: fc.constantFrom(IN, IN, "0::/\n"),
    });
    const table = fc.uniqueArray(row, { selector: (one) => one.pid, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(table, pid, async (rows, first) => {
        const { sent, end } = hostOf(rows);
        const of = (number: number): Row | undefined => rows.find((one) => one.pid === number);
        const gone = await end(first);
        const hit = [...new Set(sent.map((one) => Number(one.split(" ")[1])))];
        const begun = of(first)?.started ?? 0;
        const isHeir = (number: number, depth = 0): boolean =>
          number === first ||
          of(number)?.session === first ||
          (depth < 9 && isHeir(of(number)?.parent ?? 0, depth + 1));
        const isRight = hit.every((one) => {
          const { cgroup, started = 0 } = of(one) ?? {};
          return one > 1 && cgroup === IN && started >= begun && started >= 1000 && isHeir(one);
        });
        return isRight && (!gone || hit.includes(first));
      }),
      { numRuns: 150 },
    );
  },
);
