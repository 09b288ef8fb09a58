/** The request that creates the container of `ocdd try`, from answers of real engines and from hostile ones. */
import { readFileSync } from "node:fs";
import t from "tap";
import { lifecycleOf } from "../../../src/core/lifecycle/settings.ts";
import { cadenceOf } from "../../../src/core/methods/cadence.ts";
import { requestLike, requestOf, type TryRequest, type TryWish } from "../../../src/core/methods/try-body.ts";
import { readLabels } from "../../../src/core/services/labels.ts";

type Json = Record<string, unknown>;
const NAME = "try-web-3fa2";
const WISH: TryWish = { name: NAME, mounts: [], environment: [], imageLabels: new Map() };

const recorded = (engine: string): Json =>
  JSON.parse(readFileSync(new URL(`../../recorded/inspect-${engine}.json`, import.meta.url), "utf8")) as Json;

const made = (item: unknown, wish = WISH): TryRequest => {
  const request = requestLike(item, wish);
  if ("problem" in request) throw new Error(request.problem);
  return request;
};

/** A container with this in place of what Docker gives by default. */
const inspected = (config: Json, host: Json = {}, more: Json = {}): Json => ({
  Image: "sha256:1",
  Config: config,
  HostConfig: { NetworkMode: "default", ...host },
  ...more,
});

for (const engine of ["20.10", "28"])
  t.test(
    `like a container of engine ${engine}: image by id, environment, mounts, rights, limits, networks`,
    (t) => {
      const item = recorded(engine);
      const { body, networks } = made(item);
      const host = item.HostConfig as Json;
      t.match(body, {
        Image: item.Image,
        Env: ["SECRET=s3cret", "PAGE=web", "PATH=/bin"],
        Cmd: ["/serve"],
        Entrypoint: [""],
        User: "0:0",
        WorkingDir: "/tmp",
        Volumes: { "/anon": {} },
        Healthcheck: (item.Config as Json).Healthcheck,
      });
      const { Binds, Mounts, Tmpfs, ...rest } = body.HostConfig as Json;
      t.same(Binds, ["/srv/data:/data:ro", "named:/named"]);
      t.same([Mounts, Tmpfs], [[], { "/run/x": "" }]);
      for (const [key, value] of Object.entries(rest)) t.same(value, host[key], key);
      for (const key of [
        "CapAdd",
        "CapDrop",
        "SecurityOpt",
        "Memory",
        "PidsLimit",
        "Ulimits",
        "Dns",
        "ExtraHosts",
      ])
        t.ok(Object.hasOwn(rest, key), key);
      t.equal(rest.NetworkMode, "shop");
      t.same(networks, ["back"]);
      t.same(body.Labels, {
        "ocdd.ports": "80",
        "ocdd.validate": "cat /data/f",
        "ocdd.wake": "false",
        "ocdd.idle": "off",
        "ocdd.enable": "true",
        "ocdd.hide": "true",
        "ocdd.name": NAME,
        "ocdd.try": NAME,
      });
      t.end();
    },
  );

t.test("what exists once is not taken over", (t) => {
  const once = {
    PortBindings: { "80/tcp": [{ HostPort: "80" }] },
    PublishAllPorts: true,
    RestartPolicy: { Name: "always" },
    AutoRemove: true,
    Links: ["/db:/web/db"],
    LogConfig: { Type: "syslog" },
    ContainerIDFile: "/run/id",
    Unknown: 1,
  };
  const config = { Hostname: "prod", Domainname: "example.com", MacAddress: "02:42:ac:11:00:02", Cmd: ["x"] };
  const networks = {
    shop: { IPAMConfig: { IPv4Address: "172.18.0.9" }, Aliases: ["db"], NetworkID: "0123456789abcdef" },
  };
  const item = inspected(
    config,
    { ...once, NetworkMode: "0123456789ab" },
    { NetworkSettings: { Networks: networks } },
  );
  const request = made(item);
  t.same(Object.keys(request.body).sort(), [
    "Cmd",
    "Entrypoint",
    "Env",
    "HostConfig",
    "Image",
    "Labels",
    "Volumes",
  ]);
  t.same(request.body.HostConfig, { Binds: [], Mounts: [], Tmpfs: {}, NetworkMode: "0123456789ab" });
  t.same(request.networks, [], "the network of its mode is joined by the creation itself");
  t.end();
});

t.test("entrypoint and command: as the container has them, not as its image", (t) => {
  for (const [config, Entrypoint, Cmd] of [
    [{ Entrypoint: ["/e"], Cmd: ["a"] }, ["/e"], ["a"]],
    [{ Entrypoint: ["/e"], Cmd: null }, ["/e"], []],
    [{ Entrypoint: null, Cmd: ["a"] }, [""], ["a"]],
    [{}, [""], []],
  ] as const)
    t.match(made(inspected(config)).body, { Entrypoint, Cmd });
  t.end();
});

t.test("--mount takes the place of whatever is at its destination", (t) => {
  const mounts = [{ source: "/srv/zone", destination: "/data", readOnly: true }];
  const item = inspected(
    { Volumes: { "/data": {}, "/keep": {} } },
    {
      Binds: ["/a:/data:ro", "vol:/data/", "/b:/data/sub", "/data"],
      Mounts: [
        { Type: "volume", Source: "v", Target: "/data//" },
        { Type: "bind", Source: "/c", Target: "/c" },
      ],
      Tmpfs: { "/data": "size=1m", "/t": "" },
    },
  );
  const { body } = made(item, { ...WISH, mounts });
  t.same(body.Volumes, { "/keep": {} });
  t.match(body.HostConfig, {
    Binds: ["/b:/data/sub"],
    Mounts: [
      { Type: "bind", Source: "/c", Target: "/c" },
      { Type: "bind", Source: "/srv/zone", Target: "/data", ReadOnly: true },
    ],
    Tmpfs: { "/t": "" },
  });
  t.end();
});

t.test("--env: in place of the container's", (t) => {
  const { body } = made(inspected({ Env: ["A=1", "B=2"] }), { ...WISH, environment: ["A=x", "C=3"] });
  t.same(body.Env, ["A=x", "B=2", "C=3"]);
  t.end();
});

t.test("no second address is possible: refused with the reason", (t) => {
  for (const [mode, why] of [
    ["host", /host's network/],
    ["none", /no network/],
    ["container:0123", /another container/],
  ] as const)
    t.match(requestLike(inspected({}, { NetworkMode: mode }), WISH), { problem: why });
  t.end();
});

t.test("an answer of another form: refused, or read as far as it can be", (t) => {
  for (const item of [null, "x", [], {}, { Image: 1 }])
    t.ok("problem" in requestLike(item, WISH), JSON.stringify(item));
  const odd = {
    Image: "sha256:1",
    Config: { Env: "A=1", Labels: ["x"], Cmd: "sh", Entrypoint: [1, "e"], Volumes: "v" },
    HostConfig: { Binds: {}, Mounts: [null, 1], Tmpfs: [], NetworkMode: {} },
    NetworkSettings: { Networks: { back: null } },
  };
  const { body, networks } = made(odd);
  t.match(body, {
    Env: [],
    Cmd: [],
    Entrypoint: ["e"],
    Volumes: {},
    HostConfig: { Binds: [], NetworkMode: "default" },
  });
  t.same(networks, ["back"]);
  t.end();
});

t.test("an image: its id, the labels, and nothing of a container", (t) => {
  const mounts = [{ source: "/a", destination: "/b", readOnly: false }];
  const { body, networks } = requestOf("sha256:9", { ...WISH, mounts, environment: ["A=1"] });
  t.same(Object.keys(body).sort(), ["Env", "HostConfig", "Image", "Labels"]);
  t.match(body, { Image: "sha256:9", Env: ["A=1"], Labels: { "ocdd.try": NAME, "ocdd.enable": "true" } });
  t.same(networks, []);
  t.end();
});

const labelsOf = (
  labels: Record<string, string>,
  image: Record<string, string> = {},
): Map<string, string> => {
  // Docker adds those of the image
  const wish = { ...WISH, imageLabels: new Map(Object.entries(image)) };
  const { body } = made(inspected({ Labels: { ...image, ...labels } }), wish);
  return new Map(Object.entries({ ...image, ...(body.Labels as Record<string, string>) }));
};

t.test("labels: a restriction stays, a misspelt one and one that cannot be read too", (t) => {
  const restrictions = {
    "ocdd.ports": "53/udp",
    "ocdd.allow": "10.0.0.0/8",
    "ocdd.map": "80:8080",
  };
  t.match(Object.fromEntries(labelsOf(restrictions)), restrictions);
  t.not(readLabels(labelsOf({ "ocdd.alow": "10.0.0.0/8" })).refused, null);
  t.not(readLabels(labelsOf({ "OCDD.ports": "53" })).refused, null);
  t.not(readLabels(labelsOf({ "occd.allow": "10.0.0.0/8" })).refused, null);
  t.not(readLabels(labelsOf({ "ocdd.allow": "10.0.0.0/33" })).refused, null);
  t.end();
});

const CONFIG = { wake: "all", wakeTimeout: 60, idleIgnore: [] } as const;

t.test("labels: what the image sets for sleep, schedules and identity has no effect", (t) => {
  const image = {
    "ocdd.wake": "true",
    "ocdd.idle": "5s",
    "sablier.enable": "true",
    "ocdd.aliases": "www,db",
    "ocdd.name": "web",
    "ocdd.enable": "false",
    "ocdd.cron.1": "* * * * * rm -rf /",
    "ocdd.update.interval": "1m",
    "ocdd.validate.interval": "1m",
    "ocdd.monitor.interval": "1m",
    "ocdd.metrics": "http://:9100/metrics",
    "ocdd.metrics.interval": "1m",
    "ocdd.try": "try-other-0000",
    "com.docker.compose.project": "shop",
    "com.docker.compose.oneoff": "True",
    "com.docker.swarm.service.name": "web",
    "com.docker.stack.namespace": "shop",
  };
  for (const labels of [labelsOf({}, image), labelsOf(image)]) {
    const wishes = readLabels(labels);
    t.match(wishes, { name: NAME, aliases: [], refused: null });
    t.match(lifecycleOf(labels, CONFIG), { wake: false, idle: null });
    t.equal(labels.get("ocdd.try"), NAME);
    const { intervals, cron, notes } = cadenceOf(labels);
    t.same([intervals.size, cron, notes], [0, [], []]);
    for (const [key, value] of labels)
      if (/interval|cron/.test(key)) t.equal(value, "off", key);
      else if (/^com\.docker/.test(key)) t.equal(value, "", key);
  }
  t.notOk(labelsOf({ "traefik.enable": "true", "ocdd.title": "Shop" }).has("traefik.enable"));
  t.end();
});

t.test("labels: a name that JavaScript knows is a label as any other", (t) => {
  const item = JSON.parse(
    '{"Image":"sha256:1","Config":{"Labels":{"__proto__":"x","constructor":"y","ocdd.ports":"1"}},"HostConfig":{"__proto__":{"Privileged":true}}}',
  );
  const { body } = made(item);
  t.equal((body.HostConfig as Json).Privileged, undefined);
  t.match(body.Labels, { "ocdd.ports": "1" });
  t.end();
});
