import fc from "fast-check";
import t from "tap";
import { parseDuration } from "../../../src/core/duration.ts";
import { type LifecycleSettings, lifecycleOf } from "../../../src/core/lifecycle/settings.ts";
import { LABELS } from "../../../src/core/services/unknown-labels.ts";
import { config } from "../make.ts";

const settings = (labels: Record<string, string>, keys: Record<string, string> = {}): LifecycleSettings =>
  lifecycleOf(new Map(Object.entries(labels)), config(keys));

t.test("no label: nothing is asked for; the configuration's values count", async (t) => {
  const none: LifecycleSettings = {
    wake: false,
    idle: null,
    idleAction: "stop",
    with: [],
    group: null,
    timeout: 60,
    scale: null,
    ports: null,
    from: null,
    ignore: [],
    health: null,
    ready: null,
    refused: null,
    notes: [],
  };
  t.strictSame(settings({}), none);
  t.strictSame(settings({}, { WAKE: "all", WAKE_TIMEOUT: "2m", IDLE_IGNORE: "10.0.0.9" }), {
    ...none,
    wake: true,
    timeout: 120,
    ignore: ["10.0.0.9/32"],
  });
});

t.test("WAKE, ocdd.wake and sablier.enable: which containers are woken", async (t) => {
  const rows: [Record<string, string>, labelled: boolean, all: boolean][] = [
    [{}, false, true],
    [{ "ocdd.wake": "true" }, true, true],
    [{ "ocdd.wake": " Yes" }, true, true],
    [{ "ocdd.wake": "off" }, false, false],
    [{ "sablier.enable": "true" }, true, true],
    [{ "sablier.enable": "false" }, false, false],
    [{ "ocdd.wake": "false", "sablier.enable": "true" }, false, false],
    [{ "ocdd.wake": "true", "sablier.enable": "no idea" }, true, true],
  ];
  for (const [labels, labelled, all] of rows) {
    const what = JSON.stringify(labels);
    t.equal(settings(labels).wake, labelled, what);
    t.equal(settings(labels, { WAKE: "all" }).wake, all, `${what}, all`);
    t.equal(settings(labels, { WAKE: "off" }).wake, false, `${what}, off`);
    t.equal(settings(labels).refused, null);
  }
});

t.test("each label in its spellings", async (t) => {
  const got = settings(
    {
      "ocdd.wake": "true",
      "ocdd.idle": "10m",
      "ocdd.idle.action": "Pause",
      "ocdd.wake.with": "db, shop_cache-1",
      "ocdd.wake.timeout": "90",
      "ocdd.wake.scale": "2",
      "ocdd.wake.ports": "80,53/udp",
      "ocdd.wake.from": "192.168.0.0/17, 10.1.2.3,192.168.128.0/17",
      "ocdd.idle.ignore": "10.9.9.9",
      "ocdd.health": "http://:9000/status?full=1",
      "ocdd.health.status": "200-399",
      "ocdd.health.timeout": "2s",
      "ocdd.health.interval": "1m",
      "ocdd.ready": " Validate",
    },
    { IDLE_IGNORE: "10.0.0.0/24" },
  );
  t.strictSame(got, {
    wake: true,
    idle: 600,
    idleAction: "pause",
    with: ["db", "shop_cache-1"],
    group: null,
    timeout: 90,
    scale: 2,
    ports: [
      { protocol: "tcp", port: 80 },
      { protocol: "udp", port: 53 },
    ],
    from: ["10.1.2.3/32", "192.168.0.0/16"],
    ignore: ["10.0.0.0/24", "10.9.9.9/32"],
    health: {
      url: "http://:9000/status?full=1",
      port: 9000,
      path: "/status?full=1",
      status: [200, 399],
      timeout: 2,
      interval: 60,
    },
    ready: "validate",
    refused: null,
    notes: [],
  });
  t.strictSame(settings({ "ocdd.idle": " OFF" }), settings({}), "never stopped");
  t.equal(settings({ "ocdd.wake.from": "10.0.0.0/8,0.0.0.0/0" }).from, null, "from everywhere");
  t.equal(settings({ "sablier.enable": "1", "sablier.group": " shop " }).group, "shop");
  t.equal(
    settings({ "ocdd.wake": "true", "sablier.group": "shop" }).group,
    null,
    "where ocdd.wake is absent",
  );
});

t.test("the health label and its old names: the first of them counts, status 200 is good", async (t) => {
  const at = (labels: Record<string, string>) => settings(labels).health;
  const old = { status: [200, 200], timeout: 5, interval: 30 };
  t.strictSame(at({ "health-check": "http://minion-1:9000/status" }), {
    url: "http://minion-1:9000/status",
    port: 9000,
    path: "/status",
    ...old,
  });
  t.strictSame(at({ healthcheck: "HTTP://shop_web.1" }), {
    url: "HTTP://shop_web.1",
    port: 80,
    path: "/",
    ...old,
  });
  const all = { "ocdd.health": "http://:1/a", "health-check": "http://:2/b", healthcheck: "http://:3/c" };
  t.match(at(all), { port: 1, path: "/a" });
  t.match(at({ ...all, "ocdd.health.status": "204" }), { status: [204, 204] });
  t.equal(at({ "ocdd.health.status": "204" }), null, "without a URL");
});

t.test(
  "a restriction that cannot be read, or a label that looks like one: not woken, nor stopped",
  async (t) => {
    const rows: Record<string, string>[] = [
      { "ocdd.wake": "maybe" },
      { "ocdd.wake": "" },
      { "ocdd.wake.ports": "80,http" },
      { "ocdd.wake.ports": "" },
      { "ocdd.wake.from": "10.0.0.0/33" },
      { "ocdd.wake.from": "fd00::/8" },
      { "ocdd.wake.from": "10.0.0.1,".repeat(2000) },
      { "ocdd.wake.port": "80" },
      { "ocdd.wake.form": "10.0.0.0/8" },
      { "ocdd.Wake.From": "10.0.0.0/8" },
      { "ocdd.wake.from.only": "10.0.0.0/8" },
      { "ocdd.wakes": "false" },
      {
        "ocdd.wake.ports": Array.from({ length: 32 }, (_, i) => `${i + 1}`).join(","),
        "ocdd.wake.from": Array.from({ length: 5 }, (_, i) => `10.0.${2 * i}.0/24`).join(","),
      },
    ];
    for (const labels of rows) {
      const what = JSON.stringify(labels).slice(0, 60);
      const got = settings({ "ocdd.wake": "true", "ocdd.idle": "1h", ...labels }, { WAKE: "all" });
      t.match(got, { wake: false, idle: null }, what);
      t.match(
        got.refused,
        /cannot be read: "|is not known; if it is to limit|make 160 rules, at most 128/,
        what,
      );
    }
    const sablier = settings({ "sablier.enable": "maybe" }, { WAKE: "all" });
    t.match(sablier, { wake: false, refused: 'label sablier.enable cannot be read: "maybe"' });
  },
);

t.test("any other value that cannot be read: ignored with a note", async (t) => {
  const rows: [string, ...string[]][] = [
    ["ocdd.idle", "", "soon", "0", "366d", "-1m", "1.5h", "10 m"],
    ["ocdd.idle.action", "", "kill"],
    ["ocdd.wake.with", "", "db,,cache", "a b", "../x", "x".repeat(129)],
    ["ocdd.wake.timeout", "off", "0"],
    ["ocdd.wake.scale", "0", "1000", "-1", "two"],
    ["ocdd.idle.ignore", "", "monitor"],
    ["sablier.group", "", " ", "a\nb", "x".repeat(129)],
    [
      "ocdd.health",
      "",
      "/status",
      "https://:1/",
      "http://:0/",
      "http://:65536/",
      "http://a:b@c/",
      "http://x/ y",
      "http://x/#y",
      "http://x/\r\nHost: y",
      "http://[::1]/",
      "http://x:1:2/",
      `http://x/${"y".repeat(2000)}`,
    ],
    ["health-check", "9000"],
    ["ocdd.health.status", "99", "600", "400-200", "2xx", "200-"],
    ["ocdd.health.timeout", "off"],
    ["ocdd.health.interval", ""],
  ];
  for (const [key, ...values] of rows) {
    for (const value of values) {
      const what = `${key}=${value.slice(0, 40)}`;
      const { notes, ...got } = settings({ [key]: value }, { IDLE_IGNORE: "10.0.0.9" });
      const { notes: _, ...none } = settings({}, { IDLE_IGNORE: "10.0.0.9" });
      t.strictSame(got, none, what);
      t.match(notes, [new RegExp(`^label ${key} cannot be read and is ignored: "`)], what);
      t.equal(notes.length, 1, what);
    }
  }
});

t.test("any labels: no exception, and every field is bounded", async () => {
  const key = fc.constantFrom(
    ...LABELS.filter((label) => /^ocdd\.(wake|idle|health)/.test(label)),
    "sablier.enable",
    "sablier.group",
    "health-check",
    "healthcheck",
  );
  const value = fc.oneof(
    fc.string({ unit: "binary", maxLength: 3000, size: "max" }),
    fc.stringMatching(/^[0-9,:/a-z. -]{0,60}$/),
    fc.constantFrom("true", "10m", "off", "80,443", "10.0.0.0/8", "http://:80/", "200-299", "3", "pause"),
  );
  fc.assert(
    fc.property(fc.dictionary(key, value), fc.constantFrom("labelled", "all", "off"), (labels, WAKE) => {
      const got = settings(labels, { WAKE });
      const seconds = [got.timeout, got.idle ?? 1, got.health?.timeout ?? 1, got.health?.interval ?? 1];
      const texts = [got.group ?? "", ...got.with, got.refused ?? "", ...got.notes];
      const {
        port,
        path,
        status: [first, last],
      } = got.health ?? { port: 1, path: "/", status: [200, 200] };
      return (
        seconds.every((n) => Number.isInteger(n) && n >= 1 && n <= 31_536_000) &&
        texts.every((text) => text.length < 200 && !/\p{Cc}/u.test(text)) &&
        [...(got.ports ?? []), { port }].every((one) => one.port >= 1 && one.port <= 65_535) &&
        /^\/[!-~]*$/.test(path) &&
        100 <= first &&
        first <= last &&
        last <= 599 &&
        got.with.length <= 32 &&
        [...(got.from ?? []), ...got.ignore].every((cidr) => /^[0-9.]+\/[0-9]+$/.test(cidr)) &&
        (got.scale ?? 1) >= 1 &&
        (got.scale ?? 1) <= 999 &&
        !(got.wake && got.refused !== null)
      );
    }),
  );
});

t.test("durations: seconds, from 1 s to 365 d", async (t) => {
  const rows: [string, number | undefined][] = [
    ["30s", 30],
    ["10m", 600],
    ["2h", 7200],
    ["1d", 86_400],
    ["45", 45],
    [" 5M ", 300],
    ["365d", 31_536_000],
    ["8760h", 31_536_000],
    ["366d", undefined],
    ["0", undefined],
    ["0h", undefined],
    ["", undefined],
    ["s", undefined],
    ["-1s", undefined],
    ["1.5s", undefined],
    ["1h30m", undefined],
    ["5ms", undefined],
    ["1e3", undefined],
    ["999999999", undefined],
  ];
  for (const [text, want] of rows) t.equal(parseDuration(text), want, text);
});

t.test("ocdd.idle on a container that is not woken: a note, and no other", async (t) => {
  const lines = (labels: Record<string, string>, WAKE: string): readonly string[] =>
    settings({ "ocdd.idle": "10m", ...labels }, { WAKE }).notes;
  const note = [
    "label ocdd.idle has no effect: nothing would start the container again; set ocdd.wake=true as well",
  ];
  for (const WAKE of ["labelled", "all"]) {
    t.strictSame(lines({ "ocdd.wake": "false" }, WAKE), note, WAKE);
    t.strictSame(lines({ "sablier.enable": "false" }, WAKE), note, WAKE);
    t.strictSame(lines({ "ocdd.wake": "true" }, WAKE), [], WAKE);
    t.strictSame(lines({ "ocdd.wake": "false", "ocdd.idle": "off" }, WAKE), [], WAKE);
    t.equal(lines({ "ocdd.wake": "false", "ocdd.idle": "soon" }, WAKE).length, 1, "one note, of its value");
  }
  t.strictSame(lines({}, "labelled"), note);
  t.strictSame(lines({}, "all"), []);
  t.strictSame(lines({}, "off"), [], "the operator's decision, not the label's mistake");
});
