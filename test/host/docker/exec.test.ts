import type { ServerResponse } from "node:http";
import t, { type Test } from "tap";
import { idOf } from "../../../bench/docker-double.ts";
import { reasonOf } from "../../../src/host/docker/error.ts";
import { type ExecRequest, type ExecResult, execute } from "../../../src/host/docker/exec.ts";
import { type RunningCommand, ticksNow } from "../../../src/host/kernel/processes.ts";
import { frame } from "./frame.ts";
import { type Answer, type Script, says, scriptedEngine } from "./script.ts";

const WEB = idOf("web");
const RUN = idOf("run");
const MAKE = `POST /containers/${WEB}/exec`;
const START = `POST /exec/${RUN}/start`;
const STATE = `GET /exec/${RUN}/json`;

const hangs: Answer = () => undefined;
const made = says(201, { Id: RUN });
const runs = says(200, { Running: true, ExitCode: null, Pid: 4711 });
const endedWith = (ExitCode: number): Answer => says(200, { Running: false, ExitCode, Pid: 0 });
/** The answer to a start, up to its output. */
const opens = (response: ServerResponse): void => {
  response.writeHead(200, { "Content-Type": "application/vnd.docker.raw-stream" });
  response.flushHeaders();
};
const prints =
  (...parts: readonly Buffer[]): Answer =>
  (response) => {
    opens(response);
    for (const part of parts) response.write(part);
    response.end();
  };
/** Prints a line, and goes on. */
const goesOn: Answer = (response) => {
  opens(response);
  response.write(frame(1, "begun\n"));
};

async function engineOf(t: Test, over: Script, deadline = 10_000) {
  const script: Script = { [MAKE]: made, [START]: prints(), [STATE]: endedWith(0), ...over };
  const { socket, asked, bodies } = await scriptedEngine(t, script);
  const given: RunningCommand[] = [];
  const output: string[] = [];
  /** `ends`: whether the processes can be ended. */
  const run = (request: Partial<ExecRequest> = {}, ends: () => boolean = () => true): Promise<ExecResult> =>
    execute(
      { socket, version: null, deadline },
      async (command) => {
        given.push(command);
        return ends();
      },
      {
        ...{ container: WEB, argv: ["/check", "a b"], timeoutMs: 60_000 },
        onOutput: ({ stream, octets }) => void output.push(`${stream}: ${octets.toString()}`),
        ...request,
      },
    );
  return { run, asked, bodies, given, output };
}

t.test("a command that ends: its status; the request says argv, and no shell", async (t) => {
  for (const status of [0, 1, 126, 137, 255]) {
    const engine = await engineOf(t, {
      [START]: prints(frame(1, "out"), frame(2, "err")),
      [STATE]: endedWith(status),
    });
    t.strictSame(await engine.run(), { status, ended: null, runsOn: false });
    t.strictSame(engine.output, ["stdout: out", "stderr: err"]);
    t.strictSame(engine.asked, [MAKE, START, STATE]);
    t.strictSame(
      engine.bodies.slice(0, 2).map((body) => JSON.parse(body)),
      [
        { Cmd: ["/check", "a b"], AttachStdout: true, AttachStderr: true },
        { Detach: false, Tty: false },
      ],
    );
    t.strictSame(engine.given, [], "nothing is ended");
  }
});

t.test("output: given as it comes, the first line before the second is printed", async (t) => {
  const first = Promise.withResolvers<void>();
  const engine = await engineOf(t, {
    [START]: (response) => {
      opens(response);
      const all = Buffer.concat([frame(1, "one\n"), frame(1, "two\n")]);
      response.write(all.subarray(0, 12));
      void first.promise.then(() => response.end(all.subarray(12)));
    },
  });
  const got: string[] = [];
  const onOutput: ExecRequest["onOutput"] = ({ octets }) => {
    got.push(octets.toString());
    first.resolve();
  };
  t.match(await engine.run({ onOutput }), { status: 0 });
  t.strictSame(got, ["one\n", "two\n"]);
});

t.test(
  "the status: asked for until Docker knows it, also of a command that closes its output and goes on",
  async (t) => {
    const engine = await engineOf(t, { [STATE]: [runs, runs, runs, runs, endedWith(3)] });
    t.strictSame(await engine.run(), { status: 3, ended: null, runsOn: false });
    t.strictSame(engine.given, []);
    const never = await engineOf(t, { [STATE]: runs });
    t.strictSame(await never.run({ timeoutMs: 200 }), { status: null, ended: "timeout", runsOn: false });
    t.match(never.given, [{ pid: 4711 }]);
  },
);

t.test("a command of which Docker knows nothing any more: no status", async (t) => {
  for (const answer of [
    says(404, { message: "No such exec instance" }),
    says(409, { message: "is not running" }),
  ]) {
    const engine = await engineOf(t, { [STATE]: answer });
    t.strictSame(await engine.run(), { status: null, ended: null, runsOn: false });
  }
});

t.test(
  "a timeout: its process on this host is ended, with its container and the time of its start",
  async (t) => {
    const before = ticksNow();
    const engine = await engineOf(t, { [START]: goesOn, [STATE]: runs });
    t.strictSame(await engine.run({ timeoutMs: 100 }), { status: null, ended: "timeout", runsOn: false });
    t.strictSame(engine.output, ["stdout: begun\n"]);
    t.match(engine.given, [{ pid: 4711, container: WEB }]);
    t.ok((engine.given[0]?.since ?? 0) >= before && (engine.given[0]?.since ?? 0) <= ticksNow());
    t.strictSame(await engine.run({ timeoutMs: 100 }, () => false), {
      status: null,
      ended: "timeout",
      runsOn: true,
    });
  },
);

t.test("a timeout: the rest of what it has printed is given", async (t) => {
  let response: ServerResponse | undefined;
  const engine = await engineOf(t, {
    [STATE]: runs,
    [START]: (opened, body) => {
      response = opened;
      goesOn(opened, body);
    },
  });
  const ends = (): boolean => {
    response?.end(frame(2, "ended"));
    return true;
  };
  await engine.run({ timeoutMs: 100 }, ends);
  t.strictSame(engine.output, ["stdout: begun\n", "stderr: ended"]);
});

t.test(
  "a command that has ended by itself, whose output another process keeps open: its status",
  async (t) => {
    const engine = await engineOf(t, { [START]: goesOn, [STATE]: endedWith(4) });
    t.strictSame(await engine.run({ timeoutMs: 100 }), { status: 4, ended: null, runsOn: false });
    t.strictSame(engine.given, []);
  },
);

t.test("a timeout longer than a timer can be: is not over at once", async (t) => {
  const engine = await engineOf(t, { [STATE]: [runs, endedWith(0)] });
  t.match(await engine.run({ timeoutMs: 365 * 86_400_000 }), { status: 0, ended: null });
});

t.test(
  "an engine that hangs: at create, start and state, an error or a result in bounded time",
  async (t) => {
    const create = await engineOf(t, { [MAKE]: hangs }, 200);
    await t.rejects(create.run(), {
      fault: "docker",
      message: /did not answer POST \/containers\/\w+\/exec within 0\.2 s/,
    });
    const start = await engineOf(t, { [START]: hangs, [STATE]: hangs }, 200);
    await t.rejects(start.run({ timeoutMs: 100 }), {
      fault: "docker",
      message: /did not answer GET \/exec\/\w+\/json/,
    });
    const state = await engineOf(t, { [STATE]: hangs }, 200);
    await t.rejects(state.run(), {
      fault: "docker",
      message: /did not answer GET \/exec\/\w+\/json within 0\.2 s/,
    });
    const slow = await engineOf(t, {
      [START]: hangs,
      [STATE]: says(200, { Running: false, ExitCode: null, Pid: 0 }),
    });
    t.strictSame(
      await slow.run({ timeoutMs: 100 }),
      { status: null, ended: "timeout", runsOn: true },
      "a start that is not answered may still be carried out",
    );
    const late = await engineOf(t, {
      [START]: hangs,
      [STATE]: [says(200, { Running: true, ExitCode: null, Pid: 0 }), runs],
    });
    t.match(await late.run({ timeoutMs: 100 }), { ended: "timeout", runsOn: false }, "it was being started");
    t.match(late.given, [{ pid: 4711 }]);
  },
);

t.test("a refusal at create or start: Docker's words, and nothing is ended", async (t) => {
  const words = { message: "container web is paused, unpause the container before exec" };
  for (const [key, status] of [
    [MAKE, 409],
    [MAKE, 500],
    [START, 404],
    [START, 409],
    [START, 500],
  ] as const) {
    const engine = await engineOf(t, { [key]: says(status, words) });
    const error = await engine.run().catch((thrown: unknown) => thrown);
    t.match(error, { fault: "docker", message: new RegExp(`status ${status}`) });
    t.equal(reasonOf(error), words.message);
    t.strictSame(engine.given, []);
  }
  const gone = await engineOf(t, { [MAKE]: says(404, { message: "No such container" }) });
  await t.rejects(gone.run(), { fault: "docker", message: "its container has been removed" });
  const odd = await engineOf(t, { [MAKE]: says(201, { Id: "../../images" }) });
  await t.rejects(odd.run(), { message: /its answer holds no id/ });
  const none = await engineOf(t, {});
  await t.rejects(none.run({ container: "../x" }), { message: /no container id/ });
  t.strictSame(none.asked, []);
});

t.test(
  "a connection that breaks within the output: the command is ended, and the error says so",
  async (t) => {
    const cuts: Answer[] = [
      prints(frame(1, "abc").subarray(0, 5)),
      prints(frame(1, "abc").subarray(0, 9)),
      (response) => {
        opens(response);
        response.write(frame(1, "abc").subarray(0, 9), () => response.socket?.destroy());
      },
    ];
    for (const answer of cuts) {
      const engine = await engineOf(t, { [START]: answer, [STATE]: runs });
      await t.rejects(engine.run(), { fault: "docker", message: /POST \/exec\/\w+\/start: / });
      t.match(engine.given, [{ pid: 4711 }]);
    }
  },
);

t.test("what onOutput throws: ends the command, and is thrown as it is", async (t) => {
  const own = new Error("the pipe is closed");
  const engine = await engineOf(t, { [START]: goesOn, [STATE]: runs });
  const onOutput = (): never => {
    throw own;
  };
  await t.rejects(engine.run({ onOutput }), own);
  t.match(engine.given, [{ pid: 4711 }]);
  const rejected = await engineOf(t, { [START]: goesOn, [STATE]: runs });
  await t.rejects(rejected.run({ onOutput: () => Promise.reject(own) }), own);
});

t.test("a signal: before, at create, and while it runs", async (t) => {
  const interrupted = { status: null, ended: "signal", runsOn: false };
  const before = await engineOf(t, {});
  t.strictSame(await before.run({ signal: AbortSignal.abort() }), interrupted);
  t.notOk(before.asked.includes(START), "it is not started");
  const stop = new AbortController();
  const create = await engineOf(t, { [MAKE]: () => stop.abort() });
  t.strictSame(await create.run({ signal: stop.signal }), interrupted);
  t.strictSame(create.asked, [MAKE]);
  const ctrlC = new AbortController();
  const running = await engineOf(t, { [START]: goesOn, [STATE]: runs });
  t.strictSame(await running.run({ signal: ctrlC.signal, onOutput: () => ctrlC.abort() }), interrupted);
  t.match(running.given, [{ pid: 4711 }]);
});

t.test(
  "an output that is not taken: the timeout ends it all the same, and nothing is given afterwards",
  async (t) => {
    const engine = await engineOf(t, {
      [STATE]: runs,
      [START]: prints(frame(1, "one"), frame(1, "two"), frame(1, "three")),
    });
    const stuck = Promise.withResolvers<void>();
    let given = 0;
    const onOutput = (): Promise<void> => {
      given += 1;
      return stuck.promise;
    };
    t.match(await engine.run({ timeoutMs: 100, onOutput }), { ended: "timeout" });
    stuck.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(given, 1);
  },
);
