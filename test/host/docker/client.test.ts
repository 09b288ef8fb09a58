/** The real client against an engine that is there, is not, hangs, breaks off, or says nonsense. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import t, { type Test } from "tap";
import {
  apiContainer,
  apiNetwork,
  crowd,
  type DockerAnswers,
  idOf,
  startDockerDouble,
} from "../../../bench/docker-double.ts";
import { HostError } from "../../../src/core/errors.ts";
import { connectDocker, DOCKER_DEADLINE } from "../../../src/host/docker/client.ts";

function place(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-docker-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return join(directory, "docker.sock");
}

const WEB = apiContainer({ name: "web", address: "172.17.0.2", created: 1_700_000_000 });
const BRIDGE = apiNetwork("bridge", "172.17.0.0/16");

/** `deadline` in milliseconds: short only where it must pass, since the machine may be busy. */
async function double(t: Test, answers: Partial<DockerAnswers> = {}, deadline = 10_000) {
  const socket = place(t);
  const engine = await startDockerDouble(socket, { containers: [WEB], networks: [BRIDGE], ...answers });
  t.teardown(() => engine.close());
  const docker = connectDocker({ socket, version: null, filters: null, deadline });
  return { ...engine, docker };
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

t.test("what an engine of 20.10 lists", async (t) => {
  const { docker, asked } = await double(t);
  const view = await docker.look();
  t.match(view.containers, [
    {
      id: idOf("web"),
      name: "web",
      image: "nginx:1.25",
      created: 1_700_000_000,
      state: "running",
      health: "none",
      networkMode: "default",
      attachments: [{ network: "bridge", address: "172.17.0.2", priority: 0 }],
      ports: [
        { protocol: "tcp", port: 8080 },
        { protocol: "tcp", port: 50000 },
      ],
    },
  ]);
  t.match(view.networks, [
    {
      name: "bridge",
      bridge: "docker0",
      driver: "bridge",
      internal: false,
      subnets: [{ first: "172.17.0.0", last: "172.17.255.255" }],
    },
  ]);
  t.ok(
    asked.every((path) => !path.startsWith("/v")),
    "the version is the engine's own",
  );
  t.equal((await docker.about()).get("ServerVersion"), "20.10.24");
});

t.test("a version and filters in DOCKER_API_URL are honoured", async (t) => {
  const { socket, asked } = await double(t);
  const docker = connectDocker({ socket, version: "v1.41", filters: '{"label":["a=b"]}' });
  await docker.look();
  const list = asked.find((path) => path.includes("/containers/json")) ?? "";
  t.match(list, /^\/v1\.41\/containers\/json\?/);
  t.equal(new URL(list, "http://x").searchParams.get("filters"), '{"label":["a=b"]}');
});

t.test("4 000 containers", async (t) => {
  const { socket } = await double(t, { containers: crowd(4000) });
  const { containers } = await connectDocker({ socket, version: null, filters: null }).look();
  t.equal(containers.length, 4000);
  t.equal(new Set(containers.map((c) => c.attachments[0]?.address)).size, 4000);
});

t.test("no engine there", async (t) => {
  const socket = place(t);
  const docker = connectDocker({ socket, version: null, filters: null, deadline: 300 });
  t.match(await refusal(docker.look()), {
    fault: "docker",
    message: /does not exist/,
    remedy: /start Docker/,
  });
  writeFileSync(socket, "");
  t.match(await refusal(docker.look()), { fault: "docker", message: /is no socket|refuses connections/ });
});

t.test("a socket that nobody listens on", async (t) => {
  const socket = place(t);
  // a listener that dies without unlinking, as a killed engine does
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${socket}.live`, resolve));
  const { linkSync } = await import("node:fs");
  linkSync(`${socket}.live`, socket);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  t.match(await refusal(connectDocker({ socket, version: null, filters: null }).look()), {
    fault: "docker",
    message: /refuses connections/,
  });
});

const HANGS: [string, NonNullable<DockerAnswers["instead"]>][] = [
  ["before its answer", () => true],
  [
    "after the headers",
    (_path, response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      response.flushHeaders();
      return true;
    },
  ],
  [
    "in the middle of the body",
    (_path, response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      response.write("[{");
      return true;
    },
  ],
];

for (const [where, instead] of HANGS) {
  t.test(`an engine that hangs ${where} is given up at the deadline`, async (t) => {
    const { docker } = await double(t, { instead }, 300);
    const started = performance.now();
    const error = await refusal(docker.look());
    t.match(error, {
      fault: "docker",
      message: /did not answer within 0\.3 s/,
      remedy: /journalctl -u docker; nothing has been changed/,
    });
    t.ok(performance.now() - started < 2_000);
    t.match(await refusal(docker.about()), { fault: "docker", message: /did not answer within/ });
  });
}

t.test("the deadline is ten seconds unless told otherwise", async (t) => {
  t.equal(DOCKER_DEADLINE, 10_000);
});

const json =
  (body: string, status = 200): NonNullable<DockerAnswers["instead"]> =>
  (_path, response) => {
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(body);
    return true;
  };

t.test("an answer that is no list is a failure, never an empty host", async (t) => {
  const rows: [string, NonNullable<DockerAnswers["instead"]>][] = [
    ["no JSON", json("<html>")],
    ["half a list", json('[{"Id":')],
    ["nothing", json("")],
    ["null", json("null")],
    ["a number", json("0")],
    ["an object", json("{}")],
    ["a string", json('"[]"')],
    ["status 500", json('{"message":"no space left"}', 500)],
    ["status 400", json('{"message":"client version 9.9 is too new"}', 400)],
    ["status 204", json("", 204)],
    [
      "broken off in the body",
      (_path, response) => {
        response.writeHead(200, { "Content-Type": "application/json", "Content-Length": "1000" });
        response.write("[]");
        response.socket?.destroySoon();
        return true;
      },
    ],
    [
      "broken off in a chunk",
      (_path, response) => {
        response.writeHead(200, { "Content-Type": "application/json" });
        response.write("[]");
        response.socket?.destroySoon();
        return true;
      },
    ],
    [
      "broken off at once",
      (_path, response) => {
        response.socket?.destroy();
        return true;
      },
    ],
    [
      "no HTTP",
      (_path, response) => {
        response.socket?.end("SSH-2.0-OpenSSH\r\n");
        return true;
      },
    ],
  ];
  for (const [what, instead] of rows) {
    const { docker } = await double(t, { instead });
    const error = await refusal(docker.look());
    t.equal(error.fault, "docker", what);
    t.match(error.message, /did not answer/, what);
  }
  for (const part of ["containers", "networks"] as const) {
    const { docker } = await double(t, { [part]: { not: "a list" } });
    t.match(
      await refusal(docker.look()),
      { fault: "docker", message: /did not answer as Docker does/ },
      part,
    );
  }
});

t.test("an answer in many small chunks", async (t) => {
  const body = JSON.stringify([WEB]);
  const { docker } = await double(t, {
    instead: (path, response) => {
      if (!path.includes("/containers/")) return false;
      response.writeHead(200, { "Content-Type": "application/json" });
      for (let at = 0; at < body.length; at += 7) response.write(body.slice(at, at + 7));
      response.end();
      return true;
    },
  });
  t.equal((await docker.look()).containers[0]?.name, "web");
});

t.test("whatever one field holds, the others are read and nothing is thrown", async (t) => {
  const odd = fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.string(),
    fc.constant([]),
    fc.constant({}),
    fc.constant([null, 1, "x", {}]),
    fc.constant({ a: null, b: [], c: { IPAddress: 1 } }),
  );
  const keys = [...Object.keys(WEB).filter((key) => key !== "Id"), "Health"];
  const answers: Partial<DockerAnswers> = {};
  const { docker, answers: live } = await double(t, answers);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...keys),
      odd,
      fc.constantFrom(...Object.keys(BRIDGE)),
      odd,
      async (key, value, netKey, netValue) => {
        live.containers = [
          { ...WEB, [key]: value },
          apiContainer({ name: "other", address: "172.17.0.3", created: 1 }),
        ];
        live.networks = [{ ...BRIDGE, [netKey]: netValue }, BRIDGE];
        const { containers, networks } = await docker.look();
        const [web, other] = containers;
        return (
          containers.length === 2 &&
          networks.length === 2 &&
          web?.id === idOf("web") &&
          other?.name === "other" &&
          typeof web.name === "string" &&
          typeof web.state === "string" &&
          Number.isFinite(web.created) &&
          web.labels instanceof Map &&
          web.attachments.every((a) => a.address === undefined || /^[\d.]+$/.test(a.address))
        );
      },
    ),
    { numRuns: 150 },
  );
});

t.test("an id that is no id goes nowhere near an API path", async (t) => {
  const { docker } = await double(t, { containers: [{ ...WEB, Id: "../../info" }, { ...WEB, Id: 7 }, WEB] });
  t.equal((await docker.look()).containers.length, 1);
});

t.test("names, health and ports as engines spell them", async (t) => {
  const of = async (over: object) => {
    const { docker } = await double(t, { containers: [{ ...WEB, ...over }] });
    return (await docker.look()).containers[0];
  };
  t.equal((await of({ Names: ["/other/alias", "/web"] }))?.name, "web", "a link's name has a second slash");
  t.equal((await of({ Names: [] }))?.name, idOf("web").slice(0, 12));
  t.equal((await of({ Status: "Up 2 minutes (healthy)" }))?.health, "healthy");
  t.equal((await of({ Status: "Up 1 second (health: starting)" }))?.health, "starting");
  t.equal((await of({ Status: "Up 1 second (Paused)" }))?.health, "none");
  t.equal((await of({ Health: { Status: "unhealthy" }, Status: "Up" }))?.health, "unhealthy");
  const published = [
    { IP: "0.0.0.0", PrivatePort: 80, PublicPort: 80, Type: "tcp" },
    { IP: "::", PrivatePort: 80, PublicPort: 80, Type: "tcp" },
    { PrivatePort: 53, Type: "udp" },
    { PrivatePort: 0, Type: "tcp" },
    { PrivatePort: 99999, Type: "tcp" },
    { PrivatePort: 1, Type: "icmp" },
  ];
  t.strictSame((await of({ Ports: published }))?.ports, [
    { protocol: "udp", port: 53 },
    { protocol: "tcp", port: 80 },
  ]);
});

/** A double whose events are followed; `die` returns when a death has been heard. */
async function followed(t: Test) {
  const { promise: stream, resolve: streaming } = Promise.withResolvers<ServerResponse>();
  const instead: DockerAnswers["instead"] = (path, response) => {
    if (!path.includes("/events")) return false;
    response.writeHead(200, { "Content-Type": "application/json" }).flushHeaders();
    streaming(response);
    return true;
  };
  const made = await double(t, { instead });
  const stop = new AbortController();
  let heard = (): void => undefined;
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const follow = (): Promise<void> =>
    made.docker.follow(stop.signal, open, (urgent) => urgent === true && heard());
  const tell = async (
    ...events: readonly (readonly [action: string, id: string, at: number])[]
  ): Promise<void> => {
    const lines = events.map(([Action, ID, at]) =>
      JSON.stringify({ Type: "container", Action, Actor: { ID }, timeNano: at * 1e6 }),
    );
    (await stream).write(`${lines.join("\n")}\n`);
  };
  const die = async (id: string): Promise<void> => {
    const died = new Promise<void>((resolve) => {
      heard = resolve;
    });
    await tell(["die", id, Date.now() + 1]);
    await died;
  };
  const looks = (): number => made.asked.filter((path) => path.includes("/containers/json")).length;
  return { ...made, follow, opened, tell, die, looks, stop: () => stop.abort() };
}

t.test("where containers die all the time, Docker is asked about the living every second", async (t) => {
  const { docker, follow, opened, die, looks, stop } = await followed(t);
  const following = follow();
  await opened;
  await docker.lookCloser();
  const before = looks();
  await sleep(1_100); // however long ago that was
  const started = performance.now();
  const hurried: boolean[] = [];
  for (let n = 0; performance.now() - started < 2_500; n++) {
    await die(idOf(`${n}`));
    hurried.push((await docker.lookCloser()).hurried === true);
    await sleep(20);
  }
  const whole = hurried.filter((one) => !one).length;
  t.equal(hurried[0], true, "the first waits for nobody");
  t.equal(looks() - before, whole);
  t.ok(whole >= 1 && whole <= 2, `${whole} of ${hurried.length} looks`);
  stop();
  await following;
});

t.test(
  "what happened before the events were followed is asked of Docker, however many die then",
  async (t) => {
    const { docker, answers, follow, opened, die, looks, stop } = await followed(t);
    await docker.lookCloser();
    answers.containers = [];
    const following = follow();
    await opened;
    await die(idOf("else"));
    t.ok(docker.deaths.bereaved());
    const before = looks();
    const { containers: last } = await docker.lookCloser(true);
    t.strictSame(
      [last.map(({ name }) => name), looks() - before],
      [["web"], 0],
      "to take down, Docker is not asked",
    );
    await die(idOf("another"));
    const { containers, dead } = await docker.lookCloser();
    t.strictSame([containers, looks() - before], [[], 1]);
    t.strictSame(dead, new Set([idOf("else"), idOf("another")]));
    t.notOk(docker.deaths.bereaved(), "it knows of all deaths");
    await die(idOf("web"));
    t.equal((await docker.lookCloser()).hurried, true);
    stop();
    await following;
  },
);

t.test(
  "who died right before the events were followed is not believed to run, whatever the list says",
  async (t) => {
    const { docker, asked, follow, opened, tell, die, stop } = await followed(t);
    const began = Date.now();
    const following = follow();
    await opened;
    const since = Number(/since=(\d+)/.exec(asked.find((path) => path.includes("/events")) ?? "")?.[1]);
    t.ok(since >= began / 1000 - 3 && since <= Date.now() / 1000 - 1, `since ${since}`);
    await tell(["die", idOf("web"), began - 50]);
    await die(idOf("else"));
    t.strictSame((await docker.lookCloser()).containers, []);
    t.ok((await docker.lookCloser()).dead?.has(idOf("web")));
    stop();
    await following;
  },
);

t.test("who is back since then is believed at once, and his old death is no news", async (t) => {
  const { docker, follow, opened, tell, stop } = await followed(t);
  const began = Date.now();
  const following = follow();
  await opened;
  const look = docker.lookCloser();
  await tell(
    ["die", idOf("web"), began - 900],
    ["start", idOf("web"), began - 400],
    ["die", idOf("else"), began - 50],
  );
  while (!(await docker.lookCloser()).dead?.has(idOf("else")));
  t.strictSame(
    (await look).containers.map(({ name }) => name),
    ["web"],
  );
  t.strictSame(
    (await docker.lookCloser()).containers.map(({ name }) => name),
    ["web"],
  );
  t.notOk(docker.deaths.bereaved());
  stop();
  await following;
});
