/** The real client with an engine that answers, is down, hangs, breaks off, or sends invalid answers. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
import { readLabels } from "../../../src/core/services/labels.ts";
import { connectDocker } from "../../../src/host/docker/client.ts";
import { DOCKER_DEADLINE_MS, type EngineOptions } from "../../../src/host/docker/engine.ts";
import {
  type DockerEvent,
  type Json,
  readContainer,
  readEndpoints,
  readNetwork,
} from "../../../src/host/docker/json.ts";
import { LONG } from "../../../src/host/docker/json-string.ts";
import { lookOnce } from "../../../src/host/docker/view.ts";
import { after } from "../../../src/platform/timer.ts";

function place(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-docker-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return join(directory, "docker.sock");
}

const WEB = apiContainer({ name: "web", address: "172.17.0.2", created: 1_700_000_000 });
const BRIDGE = apiNetwork("bridge", "172.17.0.0/16");

/** `deadline` in milliseconds: short only where it must pass, since the machine may be busy. */
async function double(
  t: Test,
  answers: Partial<DockerAnswers> = {},
  deadline = 10_000,
  timer: EngineOptions["timer"] = after,
) {
  const socket = place(t);
  const engine = await startDockerDouble(socket, { containers: [WEB], networks: [BRIDGE], ...answers });
  t.teardown(() => engine.close());
  const docker = connectDocker({ socket, version: null, filters: null, deadline, timer });
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

const never = (): void => {
  throw new Error("it is not to be called");
};

t.test("the list of engine 20.10: read", async (t) => {
  const { docker, asked } = await double(t);
  const view = await lookOnce(docker);
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

t.test(
  "the resources of a container: one answer, not a stream; undefined for a removed container",
  async (t) => {
    const { docker, asked } = await double(t, {
      instead: (path, response) => {
        if (!path.startsWith(`/containers/${idOf("web")}/stats`)) return false;
        response.end('{"memory_stats":{"usage":7}}');
        return true;
      },
    });
    t.strictSame(await docker.stats(idOf("web")), { memory_stats: { usage: 7 } });
    t.equal(new URL(asked.at(-1) ?? "", "http://x").searchParams.get("stream"), "false");
    t.equal(await docker.stats(idOf("gone")), undefined);
  },
);

t.test("a version and filters in DOCKER_API_URL: used", async (t) => {
  const { socket, asked } = await double(t);
  const docker = connectDocker({ socket, version: "v1.41", filters: '{"label":["a=b"]}' });
  await lookOnce(docker);
  const list = asked.find((path) => path.includes("/containers/json")) ?? "";
  t.match(list, /^\/v1\.41\/containers\/json\?/);
  t.equal(new URL(list, "http://x").searchParams.get("filters"), '{"label":["a=b"]}');
});

t.test("4 000 containers", async (t) => {
  const { socket } = await double(t, { containers: crowd(4000) });
  const { containers } = await lookOnce(connectDocker({ socket, version: null, filters: null }));
  t.equal(containers.length, 4000);
  t.equal(new Set(containers.map((c) => c.attachments[0]?.address)).size, 4000);
});

t.test("a missing socket, or a file that is no socket: an error with the remedy", async (t) => {
  const socket = place(t);
  const docker = connectDocker({ socket, version: null, filters: null, deadline: 300 });
  t.match(await refusal(lookOnce(docker)), {
    fault: "docker",
    message: /does not exist/,
    remedy: /start Docker/,
  });
  writeFileSync(socket, "");
  t.match(await refusal(lookOnce(docker)), {
    fault: "docker",
    message: /is not a socket$/,
    remedy: /DOCKER_SOCKET/,
  });
});

t.test("a socket on which no process listens: an error", async (t) => {
  const socket = place(t);
  // a listener that ends without unlinking its socket, as a killed engine does
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${socket}.live`, resolve));
  const { linkSync } = await import("node:fs");
  linkSync(`${socket}.live`, socket);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  t.match(await refusal(lookOnce(connectDocker({ socket, version: null, filters: null }))), {
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
  t.test(`an engine that hangs ${where}: an error at the deadline`, async (t) => {
    const { docker } = await double(t, { instead }, 300);
    t.match(await refusal(lookOnce(docker)), {
      fault: "docker",
      message: /did not answer GET \/(containers\/json|networks) within 0\.3 s/,
      remedy: /^look at Docker's log(: journalctl -u docker)?; nothing has been changed$/,
    });
    const late = { fault: "docker", message: /within 0\.3 s/ };
    t.match(await refusal(docker.about()), late);
    t.match(await refusal(docker.pid(idOf("web"))), late);
    t.match(await refusal(docker.network(idOf("bridge"))), late);
    if (where === "before its answer")
      t.match(await refusal(docker.follow(new AbortController().signal, never, never)), late);
  });
}

t.test("the deadline: ten seconds by default", async (t) => {
  t.equal(DOCKER_DEADLINE_MS, 10_000);
});

const json =
  (body: string, status = 200): NonNullable<DockerAnswers["instead"]> =>
  (_path, response) => {
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(body);
    return true;
  };

t.test("an answer that is no list: an error, never an empty host", async (t) => {
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
    const error = await refusal(lookOnce(docker));
    t.equal(error.fault, "docker", what);
    t.match(error.message, /(refused|gave no valid answer to) GET \/(containers\/json|networks)/, what);
  }
  for (const part of ["containers", "networks"] as const) {
    const { docker } = await double(t, { [part]: { not: "a list" } });
    t.match(
      await refusal(lookOnce(docker)),
      { fault: "docker", message: /no valid answer to GET .*: its answer is not a list of objects/ },
      part,
    );
  }
});

t.test("an error whose body never ends: Docker's first words, bounded", async (t) => {
  const { docker } = await double(t, {
    instead: (_path, response) => {
      response.writeHead(500);
      const more = (): void => void (response.write("no space\n".repeat(10_000)) ? more() : 0);
      response.on("drain", more);
      more();
      return true;
    },
  });
  const { message } = await refusal(lookOnce(docker));
  t.match(message, /refused GET .* \(status 500\): no space/);
  t.ok(message.length < 500);
});

t.test("an answer in many small chunks: read", async (t) => {
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
  t.equal((await lookOnce(docker)).containers[0]?.name, "web");
});

t.test("any value in one field: the others are read, no exception", async (t) => {
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
        const { containers, stopped = [], networks } = await lookOnce(docker);
        // a state that Docker does not use for running containers counts as stopped
        const [web, other] = [...stopped, ...containers];
        return (
          containers.length + stopped.length === 2 &&
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

t.test("a creation time that no calendar has counts as unknown", async (t) => {
  const { docker, answers } = await double(t, {});
  for (const [created, want] of [
    [1_700_000_000, 1_700_000_000],
    [253_402_300_799, 253_402_300_799],
    [1e13, 0],
    [1e300, 0],
    [-1, 0],
  ]) {
    answers.containers = [{ ...WEB, Created: created, Status: "Up 2 minutes" }];
    t.equal((await lookOnce(docker)).containers[0]?.created, want, String(created));
  }
});

t.test("a container with an invalid id: left out", async (t) => {
  const { docker } = await double(t, { containers: [{ ...WEB, Id: "../../info" }, { ...WEB, Id: 7 }, WEB] });
  t.equal((await lookOnce(docker)).containers.length, 1);
});

t.test("names, health and ports: read in the forms of all engines", async (t) => {
  const of = async (over: object) => {
    const { docker } = await double(t, { containers: [{ ...WEB, ...over }] });
    return (await lookOnce(docker)).containers[0];
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

t.test("a refused request: the error has Docker's own message and the remedy", async (t) => {
  const of = async (message: string, status: number): Promise<HostError> => {
    const { docker } = await double(t, { instead: json(JSON.stringify({ message }), status) });
    return refusal(docker.containers());
  };
  const { message, remedy } = await of("no space left on device", 500);
  t.match(message, /refused GET \/containers\/json \(status 500\): no space left on device$/);
  t.match(remedy, /Docker's log/);
  const hostile = (await of(`\u001b[2J\n${"x".repeat(5_000)}`, 500)).message;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the point
  t.notMatch(hostile, /[\u0000-\u001f]/);
  t.ok(hostile.length < 500);
});

t.test("a request for one container: its id is added to the configured filters", async (t) => {
  const { socket, asked } = await double(t);
  const query = async (filters: string | null, id?: string): Promise<URLSearchParams> => {
    const docker = connectDocker({ socket, version: null, filters });
    await docker.containers({ all: true, ...(id === undefined ? {} : { id }) });
    return new URL(asked.at(-1) ?? "", "http://x").searchParams;
  };
  t.equal((await query(null)).get("all"), "true");
  t.equal((await query(null)).has("filters"), false);
  t.equal((await query(null, idOf("web"))).get("filters"), `{"id":["${idOf("web")}"]}`);
  t.equal(
    (await query('{"label":["a=b"]}', idOf("web"))).get("filters"),
    `{"label":["a=b"],"id":["${idOf("web")}"]}`,
  );
});

const text = (octets: number): string => "y".repeat(octets);
const many = <T>(count: number, of: (n: string) => T): Record<string, T> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`x${n}`, of(`x${n}`)]));

t.test(
  "a label of any size: the container is served, and its label read as one that cannot be",
  async (t) => {
    const labels = { x: text(3 << 20), "ocdd.allow": text(1 << 20), "ocdd.name": "here" };
    const { docker } = await double(t, { containers: [apiContainer({ ...SKETCH, labels })] });
    const { containers, notices } = await lookOnce(docker);
    t.strictSame(notices, []);
    t.strictSame(
      [...(containers[0]?.labels ?? [])],
      [
        ["x", LONG],
        ["ocdd.allow", LONG],
        ["ocdd.name", "here"],
      ],
    );
    t.match(
      readLabels(containers[0]?.labels ?? new Map()).refused,
      /^label ocdd.allow cannot be read: "\(longer/,
    );
  },
);

const SKETCH = { name: "big", address: "172.17.0.9", created: 1 };
const BIG = apiContainer({ ...SKETCH, labels: many(9_000, (n) => n) });

t.test(
  "a container with too many labels: not served, with a notice; what else is known of it is read, and the others",
  async (t) => {
    const shares = {
      HostConfig: { NetworkMode: "container:web", Annotations: many(9_000, text.bind(null, 9)) },
    };
    const { docker } = await double(t, {
      containers: [
        WEB,
        { ...BIG, ...shares },
        apiContainer({ name: "z", address: "172.17.0.4", created: 1 }),
      ],
    });
    const { containers, notices } = await lookOnce(docker);
    t.match(containers, [
      { name: "web", partial: undefined },
      { name: "big", partial: true, networkMode: "container:web", labels: new Map() },
      { name: "z", partial: undefined },
    ]);
    t.strictSame(notices, [
      `container ${idOf("big").slice(0, 12)} (big) is not served: Labels is larger than 65536 octets in Docker's list of it: create it again with less`,
    ]);
  },
);

t.test("a network is known by its subnets, whatever else it carries, and however much of it", async (t) => {
  const trick = apiNetwork("trick", "10.9.9.0/24");
  const ipam = { Driver: "default", Options: many(9_000, text.bind(null, 9)) };
  const aux = [{ Subnet: "10.9.9.0/24", AuxiliaryAddresses: many(9_000, () => "10.9.9.9") }];
  const rows: [string, object][] = [
    ["a label", { Labels: { x: text(3 << 20) } }],
    ["labels", { Labels: many(99_000, (n) => n) }],
    ["options", { Options: many(99_000, (n) => n) }],
    ["a name", { Name: text(3 << 20) }],
    ["addresses that Docker is not to hand out", { IPAM: { ...ipam, Config: aux } }],
  ];
  for (const [what, over] of rows) {
    const { docker } = await double(t, { networks: [BRIDGE, { ...trick, ...over }] });
    const { networks, notices } = await lookOnce(docker);
    t.strictSame(networks[1]?.subnets, [{ first: "10.9.9.0", last: "10.9.9.255" }], what);
    t.equal(networks[1]?.partial, undefined, what);
    t.strictSame(notices, []);
  }
});

t.test(
  "a network with too many subnets: counts as one with any, and a notice says how to remove it",
  async (t) => {
    const Config = Array.from({ length: 9_000 }, () => ({ Subnet: "10.9.9.0/24" }));
    const { docker } = await double(t, {
      networks: [BRIDGE, { ...apiNetwork("trick", "10.0.0.0/8"), IPAM: { Config } }],
    });
    const { networks, notices } = await lookOnce(docker);
    t.match(networks, [{ partial: undefined }, { name: "trick", partial: true, subnets: [] }]);
    t.match(notices, [
      new RegExp(
        `^the Docker network ${idOf("trick").slice(0, 12)} \\(trick\\) .*IPAM is larger .*docker network rm`,
      ),
    ]);
  },
);

t.test("a container or network whose own description is larger than 16 MB: read all the same", async (t) => {
  const large = text(17 << 20);
  const id = idOf("web");
  const { docker, answers } = await double(t);
  answers.instead = json(JSON.stringify({ Config: { Env: [large] }, State: { Running: true, Pid: 7 } }));
  t.equal(await docker.pid(id), 7);
  const Containers = { [id]: { Name: large, IPv4Address: "172.17.0.2/16" } };
  answers.instead = json(JSON.stringify({ Id: id, Labels: { x: large }, Containers }));
  t.strictSame(readEndpoints(await docker.network(id)), new Map([[id, "172.17.0.2"]]));
});

t.test("what is read of a container or network: all that is used of it", async (t) => {
  const { docker, answers } = await double(t);
  for (const over of [{}, { Health: { Status: "healthy" }, Status: "Up" }, { State: "exited" }]) {
    answers.containers = crowd(3).map((one) => ({ ...one, ...over }));
    const { items } = await docker.containers();
    const whole = crowd(3).map((one) => ({ ...one, ...over }));
    t.strictSame(
      items.map((one) => readContainer(one, 0)),
      whole.map((one) => readContainer(one, 0)),
    );
  }
  answers.networks = [
    BRIDGE,
    { ...BRIDGE, Driver: "ipvlan", Internal: true, Options: { ipvlan_mode: "l3" } },
  ];
  const { items } = await docker.networks();
  t.strictSame(items.map(readNetwork), (answers.networks as Json[]).map(readNetwork));
});

/**
 * A list of no items that arrives part by part, one a turn of the event loop, up to its end after so many deadlines; a deadline is over
 * after 50 parts.
 */
function slowly(most: number) {
  const due = new Map<() => void, number>();
  let parts = 0;
  let deadlines = 0;
  const timer: typeof after = (_milliseconds, act) => {
    due.set(act, parts + 50);
    return () => void due.delete(act);
  };
  const instead: NonNullable<DockerAnswers["instead"]> = (_path, response) => {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.write("[");
    const more = (): void => {
      parts += 1;
      for (const [act, at] of [...due]) {
        if (at > parts) continue;
        due.delete(act);
        deadlines += 1;
        act();
      }
      if (deadlines >= most) response.end("]");
      else if (!response.destroyed) response.write(" ", () => void setImmediate(more));
    };
    more();
    return true;
  };
  return { instead, timer, deadlines: () => deadlines };
}

t.test("a list that takes longer than the deadline, and arrives all the time: read", async (t) => {
  const { instead, timer } = slowly(2);
  const { docker } = await double(t, { instead }, 500, timer);
  t.strictSame((await docker.containers()).items, []);
});

t.test("a list that arrives without an end: an error, before the run counts as hung", async (t) => {
  const { instead, timer, deadlines } = slowly(Number.POSITIVE_INFINITY);
  const { docker } = await double(t, { instead }, 500, timer);
  t.match(await refusal(docker.containers()), {
    fault: "docker",
    message: /did not answer GET .* within 1\.5 s/,
  });
  t.equal(deadlines(), 3);
});

t.test(
  "a network by id: its id and endpoints, undefined where it does not exist, an error where it is another",
  async (t) => {
    const id = idOf("bridge");
    const answer = (body: object, status = 200) => double(t, { instead: json(JSON.stringify(body), status) });
    const good = await answer({ Id: id, Name: "bridge" });
    t.strictSame(await good.docker.network(id), { Id: id });
    t.strictSame(good.asked, [`/networks/${id}`]);
    t.equal(await (await answer({ message: "network not found" }, 404)).docker.network(id), undefined);
    for (const other of [{ Id: idOf("other") }, {}, [], { Id: 5 }])
      t.match(await refusal((await answer(other)).docker.network(id)), {
        message: /it describes another network/,
      });
  },
);

t.test("a container's PID: a number above 0 while it runs, else undefined", async (t) => {
  const of = async (body: unknown, status = 200): Promise<number | undefined> =>
    (await double(t, { instead: json(JSON.stringify(body), status) })).docker.pid(idOf("web"));
  t.equal(await of({ State: { Running: true, Pid: 4711 } }), 4711);
  t.equal(await of({ message: "No such container" }, 404), undefined);
  for (const State of [
    { Running: false, Pid: 4711 },
    { Running: true, Pid: 0 },
    { Running: true, Pid: -1 },
    { Running: true, Pid: 1.5 },
    { Running: true, Pid: "1/../2" },
    { Running: "yes", Pid: 1 },
    null,
    [],
    "x",
  ])
    t.equal(await of({ State }), undefined, JSON.stringify(State));
  t.match(await refusal(of({ message: "x" }, 500)), { fault: "docker" });
});

/** An engine whose event stream a test writes; resolves once the stream is open. */
async function followed(t: Test) {
  const { promise: stream, resolve: streaming } = Promise.withResolvers<ServerResponse>();
  const made = await double(t, {
    instead: (path, response) => {
      if (!path.includes("/events")) return false;
      response.writeHead(200, { "Content-Type": "application/json" }).flushHeaders();
      streaming(response);
      return true;
    },
  });
  const stop = new AbortController();
  const events: DockerEvent[] = [];
  let wake = (): void => undefined;
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const following = made.docker.follow(stop.signal, open, (event) => {
    events.push(event);
    wake();
  });
  await opened;
  const heard = async (count: number): Promise<DockerEvent[]> => {
    while (events.length < count)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return events;
  };
  return { ...made, response: await stream, following, heard, stop: () => stop.abort() };
}

const line = (event: object): string => `${JSON.stringify(event)}\n`;

t.test(
  "events: read line by line, from chunks cut anywhere; an invalid line is an event without content",
  async (t) => {
    const { response, heard, following, stop, asked } = await followed(t);
    const filters = JSON.parse(new URL(asked[0] ?? "", "http://x").searchParams.get("filters") ?? "{}");
    t.match(filters, { type: ["container", "network"] });
    for (const action of ["die", "start", "connect", "disconnect"])
      t.ok(filters.event.includes(action), action);
    const text = [
      line({ Type: "container", Action: "die", Actor: { ID: idOf("web") } }),
      line({
        Type: "network",
        Action: "connect",
        Actor: { ID: idOf("bridge"), Attributes: { container: idOf("web") } },
      }),
      "\n",
      "<html>\n",
      line({ Type: "container", Action: "start", Actor: { ID: "../../info" } }),
      line({
        Type: "container",
        Action: "stop",
        Actor: { ID: idOf("web"), Attributes: { name: "\u20ac".repeat(50) } },
      }),
    ].join("");
    const octets = Buffer.from(text);
    for (let at = 0; at < octets.length; at += 97) response.write(octets.subarray(at, at + 97));
    t.strictSame(await heard(5), [
      { action: "die", container: idOf("web"), network: "" },
      { action: "connect", container: idOf("web"), network: idOf("bridge") },
      { action: "", container: "", network: "" },
      { action: "start", container: "", network: "" },
      { action: "stop", container: idOf("web"), network: "" },
    ]);
    stop();
    await following;
  },
);

t.test("an event line of 9 MB: an event without content, and the next one is read", async (t) => {
  const { response, heard, following, stop } = await followed(t);
  response.write(`{"Type":"container","x":"${"y".repeat(9 << 20)}"}\n`);
  response.write(line({ Type: "container", Action: "die", Actor: { ID: idOf("web") } }));
  const { length } = await heard(2);
  t.equal(length, 2);
  t.match(await heard(2), [{ container: "" }, { action: "die", container: idOf("web") }]);
  stop();
  await following;
});

t.test("the end of an open stream: never an error", async (t) => {
  const ends: [string, (response: ServerResponse) => void][] = [
    ["orderly", (response) => response.end()],
    ["broken off", (response) => response.socket?.destroy()],
  ];
  for (const [what, end] of ends) {
    const { response, following } = await followed(t);
    end(response);
    await t.resolves(following, what);
  }
});

t.test("a stream that was never open: an error, and not reported as opened", async (t) => {
  const { docker } = await double(t, { instead: json('{"message":"too many"}', 500) });
  const { signal } = new AbortController();
  t.match(await refusal(docker.follow(signal, never, never)), {
    message: /GET \/events \(status 500\): .*too many/,
  });
});
