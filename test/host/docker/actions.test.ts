import fc from "fast-check";
import t, { type Test } from "tap";
import { idOf } from "../../../bench/docker-double.ts";
import { HostError } from "../../../src/core/errors.ts";
import { connectActions } from "../../../src/host/docker/actions.ts";
import { reasonOf } from "../../../src/host/docker/error.ts";
import type { RunningCommand } from "../../../src/host/kernel/processes.ts";
import { frame } from "./frame.ts";
import { type Answer, type Script, says, scriptedEngine } from "./script.ts";

const WEB = idOf("web");
const RUN = idOf("run");

const hangs: Answer = () => undefined;

/** `deadline` in milliseconds: short only where it must pass, since the machine may be busy. */
async function scripted(t: Test, script: Script, deadline = 10_000) {
  const { socket, asked, bodies } = await scriptedEngine(t, script);
  const ended: RunningCommand[] = [];
  const actions = connectActions({ socket, version: null, deadline }, async (command) => {
    ended.push(command);
    return true;
  });
  return { actions, asked, bodies, script, ended };
}

async function refusal(work: Promise<unknown>): Promise<HostError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof HostError) return error;
    throw error;
  }
  throw new Error("it was taken for an answer");
}

/** What engine 20.10 says about a container, with these fields. */
const described = (over: Readonly<Record<string, unknown>> = {}): Answer => says(200, { ...ITEM, ...over });

const ITEM = {
  Id: WEB,
  Name: "/shop_web_1",
  State: {
    Status: "running",
    Running: true,
    Paused: false,
    Restarting: false,
    ExitCode: 0,
    Error: "",
    StartedAt: "2024-03-01T10:00:00.500000000Z",
    FinishedAt: "0001-01-01T00:00:00Z",
    Health: { Status: "starting", FailingStreak: 0, Log: [] },
  },
  HostConfig: { RestartPolicy: { Name: "unless-stopped", MaximumRetryCount: 0 } },
  Config: {
    ExposedPorts: { "8080/tcp": {}, "53/udp": {}, "443/tcp": {}, "x/tcp": {}, "0/tcp": {}, "1/icmp": {} },
    Healthcheck: { Test: ["CMD-SHELL", "curl -f localhost || exit 1"], Interval: 30_000_000_000 },
    Labels: {
      "com.docker.compose.depends_on": "db:service_healthy:false,cache:service_started:true,old,odd:x:false",
    },
    StopTimeout: 1,
  },
  NetworkSettings: {
    Networks: {
      shop: { NetworkID: idOf("shop"), IPAddress: "172.18.0.2" },
      back: { NetworkID: idOf("back"), IPAddress: "" },
    },
  },
};

t.test("inspect: a container as Docker describes it, or undefined where there is none", async (t) => {
  const { actions } = await scripted(t, { [`GET /containers/${WEB}/json`]: described() });
  t.strictSame(await actions.inspect(WEB), {
    id: WEB,
    name: "shop_web_1",
    state: "running",
    running: true,
    paused: false,
    exitCode: 0,
    error: "",
    startedAt: 1_709_287_200.5,
    addresses: new Map([[idOf("shop"), "172.18.0.2"]]),
    ports: [
      { protocol: "udp", port: 53 },
      { protocol: "tcp", port: 443 },
      { protocol: "tcp", port: 8080 },
    ],
    healthcheck: ["/bin/sh", "-c", "curl -f localhost || exit 1"],
    healthStatus: "starting",
    restartPolicy: "unless-stopped",
    dependsOn: [
      { service: "db", condition: "service_healthy" },
      { service: "cache", condition: "service_started" },
      { service: "old", condition: "service_started" },
      { service: "odd", condition: "service_started" },
    ],
  });
  t.equal(await actions.inspect(idOf("gone")), undefined);
});

t.test("inspect: the command of a HEALTHCHECK, in each form", async (t) => {
  const path = `GET /containers/${WEB}/json`;
  const { actions, script } = await scripted(t, {});
  const rows: [unknown, readonly string[] | null][] = [
    [{ Healthcheck: { Test: ["CMD", "/check", "-v"] } }, ["/check", "-v"]],
    [{ Healthcheck: { Test: ["CMD-SHELL", "a b"] }, Shell: ["/bin/ash", "-ec"] }, ["/bin/ash", "-ec", "a b"]],
    [{ Healthcheck: { Test: ["NONE"] } }, null],
    [{ Healthcheck: { Test: [] } }, null],
    [{ Healthcheck: { Test: ["CMD"] } }, null],
    [{ Healthcheck: { Test: ["CMD", 1] } }, null],
    [{ Healthcheck: { Test: ["CMD", "x".repeat(70_000)] } }, null],
    [{ Healthcheck: null }, null],
    [{}, null],
  ];
  for (const [Config, want] of rows) {
    script[path] = described({ Config });
    t.strictSame((await actions.inspect(WEB))?.healthcheck, want, JSON.stringify(Config).slice(0, 80));
  }
});

t.test("inspect: any JSON in the answer gives bounded fields, or an error", async (t) => {
  const path = `GET /containers/${WEB}/json`;
  const { actions, script } = await scripted(t, {});
  const odd = fc.jsonValue({ maxDepth: 4, stringUnit: "binary" });
  const word = fc.constantFrom(...Object.keys(ITEM), "Status", "Test", "ExposedPorts", "80/tcp", "Networks");
  const deep = fc.dictionary(word, fc.oneof(odd, fc.dictionary(word, odd)));
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        odd,
        deep,
        deep.map((more) => ({ ...more, Id: WEB })),
      ),
      async (answer) => {
        script[path] = says(200, answer);
        const isIt = (answer as { Id?: unknown } | null)?.Id === WEB;
        if (!isIt) return (await refusal(actions.inspect(WEB))).fault === "docker";
        const one = await actions.inspect(WEB);
        if (one === undefined) return false;
        const texts = [one.name, one.state, one.error];
        return (
          texts.every((shown) => shown.length <= 301 && !/\p{Cc}/u.test(shown)) &&
          typeof one.running === "boolean" &&
          Number.isInteger(one.exitCode) &&
          one.ports.every(({ port }) => port >= 1 && port <= 65_535) &&
          (one.healthcheck ?? [""]).every((argument) => typeof argument === "string") &&
          one.dependsOn.length <= 32
        );
      },
    ),
    { numRuns: 300 },
  );
});

t.test("start and stop: done, or nothing to do (304)", async (t) => {
  for (const status of [204, 304]) {
    const { actions, asked } = await scripted(t, {
      [`GET /containers/${WEB}/json`]: described(),
      [`POST /containers/${WEB}/start`]: says(status),
      [`POST /containers/${WEB}/stop`]: says(status),
    });
    await actions.start(WEB);
    await actions.stop(WEB);
    t.match(asked, [/POST .*start$/, /GET .*json$/, /POST .*stop$/]);
  }
});

t.test("an engine that does not answer in time: asked once more, then an error", async (t) => {
  const start = `POST /containers/${WEB}/start`;
  const second = await scripted(t, { [start]: [hangs, says(304)] }, 300);
  await second.actions.start(WEB);
  t.strictSame(second.asked, [start, start]);
  const never = await scripted(t, { [start]: hangs, [`GET /containers/${WEB}/json`]: hangs }, 300);
  const error = await refusal(never.actions.start(WEB));
  t.match(error, { fault: "docker", message: /did not answer POST \/containers\/\w+\/start within 0\.3 s$/ });
  t.notMatch(error.remedy, /nothing has been changed/);
  t.match(await refusal(never.actions.inspect(WEB)), { message: /GET .*json within 0\.3 s$/ });
  t.equal(never.asked.length, 4, "two tries each");
});

t.test("stop: the deadline is above the container's own stop timeout", async (t) => {
  const [inspect, stop] = [`GET /containers/${WEB}/json`, `POST /containers/${WEB}/stop`];
  const { actions, script } = await scripted(t, { [inspect]: described(), [stop]: hangs }, 200);
  t.match(await refusal(actions.stop(WEB)), { message: /stop within 1\.2 s$/ });
  script[inspect] = described({ Config: { StopTimeout: 0 } });
  t.match(await refusal(actions.stop(WEB)), { message: /stop within 0\.2 s$/ });
});

t.test("a refusal: Docker's own message, cleaned and bounded, and no second try", async (t) => {
  const start = `POST /containers/${WEB}/start`;
  const { actions, asked, script } = await scripted(t, {
    [start]: says(500, { message: `driver failed\u001b[31m\nat ${"x".repeat(5000)}` }),
  });
  const error = await refusal(actions.start(WEB));
  t.match(error, { fault: "docker", message: /start \(status 500\): driver failed\ufffd\[31m\ufffdat x+…$/ });
  t.ok(error.message.length < 600);
  t.match(
    reasonOf(error),
    /^driver failed\ufffd\[31m\ufffdat x+…$/,
    "and alone, as the reason of a failed start",
  );
  t.equal(reasonOf(new Error("it ended with status 1")), "it ended with status 1");
  t.equal(asked.length, 1);
  script[start] = says(404, { message: `No such container: ${WEB}` });
  t.match(await refusal(actions.start(WEB)), { message: /\(status 404\): No such container/ });
  script[start] = (response) => {
    response.writeHead(500);
    const more = (): void => void (response.write("z".repeat(100_000)) ? more() : 0);
    response.on("drain", more);
    more();
  };
  t.match(await refusal(actions.start(WEB)), { message: /\(status 500\): z+…$/ }, "a body without end");
  script[start] = (response) => response.socket?.destroy();
  t.match(
    await refusal(actions.start(WEB)),
    { fault: "docker", message: /no valid answer to POST/ },
    "broken off",
  );
  script[start] = says(200);
  t.match(await refusal(actions.start(WEB)), { message: /\(status 200\)/ }, "another status");
});

t.test(
  "pause and unpause: a refusal counts as done where the container's state is the one asked for",
  async (t) => {
    const [inspect, pause, unpause] = ["GET json", "POST pause", "POST unpause"].map((one) =>
      one.replace(" ", ` /containers/${WEB}/`),
    ) as [string, string, string];
    const state = (Running: boolean, Paused: boolean): Answer => described({ State: { Running, Paused } });
    const { actions, script } = await scripted(t, { [pause]: says(204), [unpause]: says(204) });
    await actions.pause(WEB);
    await actions.unpause(WEB);
    for (const status of [409, 500]) {
      const no = says(status, { message: "Container is already paused, or is not" });
      Object.assign(script, { [pause]: no, [unpause]: no, [inspect]: state(true, true) });
      await actions.pause(WEB);
      t.match(await refusal(actions.unpause(WEB)), { message: new RegExp(`status ${status}`) });
      script[inspect] = state(true, false);
      await actions.unpause(WEB);
      t.match(await refusal(actions.pause(WEB)), { message: new RegExp(`status ${status}`) });
      script[inspect] = says(404, { message: "no such container" });
      t.match(await refusal(actions.pause(WEB)), { message: new RegExp(`status ${status}`) });
    }
  },
);

const EXEC = [`POST /containers/${WEB}/exec`, `POST /exec/${RUN}/start`, `GET /exec/${RUN}/json`] as const;
const [MAKE, START, RESULT] = EXEC;
const made = says(201, { Id: RUN });
const printed: Answer = (response) => {
  response.writeHead(200, { "Content-Type": "application/vnd.docker.raw-stream" });
  for (let n = 0; n < 1_000; n++) response.write(frame(1, "output".repeat(100)));
  response.end();
};

t.test("exec: the exit status of the command; its output is discarded", async (t) => {
  const { actions, asked, bodies, script } = await scripted(t, {
    [MAKE]: made,
    [START]: printed,
    [RESULT]: says(200, { ID: RUN, Running: false, ExitCode: 0 }),
  });
  t.equal(await actions.exec(WEB, ["/check", "a b"], 5_000), 0);
  t.strictSame(asked, [...EXEC]);
  t.strictSame(JSON.parse(bodies[0] ?? ""), {
    Cmd: ["/check", "a b"],
    AttachStdout: true,
    AttachStderr: true,
  });
  t.strictSame(JSON.parse(bodies[1] ?? ""), { Detach: false, Tty: false });
  const rows: [Answer, number | undefined][] = [
    [says(200, { Running: false, ExitCode: 126 }), 126],
    [says(404, { message: "no such exec" }), undefined],
  ];
  for (const [answer, want] of rows) {
    script[RESULT] = answer;
    t.equal(await actions.exec(WEB, ["/check"], 5_000), want);
  }
});

t.test("exec: an error where the container is gone, stopped or paused, and for anything else", async (t) => {
  const { actions, script } = await scripted(t, { [MAKE]: made, [START]: printed });
  script[MAKE] = says(404, { message: "No such container" });
  t.match(await refusal(actions.exec(WEB, ["/check"], 5_000)), { message: /container has been removed$/ });
  script[MAKE] = says(409, { message: "is paused" });
  t.match(await refusal(actions.exec(WEB, ["/check"], 5_000)), { message: /is paused$/ });
  Object.assign(script, { [MAKE]: made, [START]: says(409, { message: "is not running" }) });
  t.match(await refusal(actions.exec(WEB, ["/check"], 5_000)), { message: /is not running$/ });
  script[MAKE] = says(500, { message: "oh" });
  t.match(await refusal(actions.exec(WEB, ["/check"], 5_000)), { message: /exec \(status 500\): oh$/ });
  script[MAKE] = says(201, { Id: "../../images" });
  t.match(await refusal(actions.exec(WEB, ["/check"], 5_000)), { message: /its answer holds no id/ });
});

t.test(
  "exec: a command that does not end in time, or is interrupted, is ended, not started again",
  async (t) => {
    const runs = says(200, { Running: true, ExitCode: null, Pid: 4711 });
    const { actions, asked, script, ended } = await scripted(t, {
      [MAKE]: made,
      [START]: hangs,
      [RESULT]: runs,
    });
    t.match(await refusal(actions.exec(WEB, ["/check"], 200)), { message: /did not end within 0\.2 s$/ });
    t.strictSame(asked.slice(0, 2), [MAKE, START]);
    t.match(ended, [{ pid: 4711, container: WEB }]);
    const stop = new AbortController();
    const reason = new Error("the visit is over");
    script[START] = () => stop.abort(reason);
    await t.rejects(actions.exec(WEB, ["/check"], 60_000, stop.signal), reason);
    t.equal(ended.length, 2);
    await t.rejects(actions.inspect(WEB, stop.signal), reason);
  },
);

t.test("what is no container id is never part of a path", async (t) => {
  const { actions, asked } = await scripted(t, {});
  for (const id of ["", "web", "../info", `${WEB}/../x`, WEB.toUpperCase()]) {
    for (const work of [
      () => actions.inspect(id),
      () => actions.start(id),
      () => actions.stop(id),
      () => actions.pause(id),
      () => actions.unpause(id),
      () => actions.exec(id, ["x"], 1),
    ])
      t.match(await refusal((async () => work())()), { message: /is no container id$/ });
  }
  t.strictSame(asked, []);
});
