/** `ocdd list`: its forms and its filters. */
import t from "tap";
import { type ListOptions, listAnswer } from "../../src/cli/list.ts";
import { withSetUp } from "../../src/cli/set-up.ts";
import { decide } from "../../src/core/decide.ts";
import { ANY, type Filter } from "../../src/core/report/filter.ts";
import { PLAIN } from "../../src/core/report/paint.ts";
import {
  attachment,
  BARE,
  BRIDGE,
  composeLabels,
  config,
  container,
  id,
  ip,
  lease,
  NOW,
  network,
  observation,
} from "../core/make.ts";

const CONFIG = config({ ADDRESS_HOLD: "600" });
const LEASES = [
  ["11", "compose:shop/web/10", "web"],
  ["12", "compose:shop/web/2", "web"],
  ["13", "container:api", "api"],
] as const;

/** Of two web servers one is unhealthy, `api` is on a network of its own, `old` has stopped, `sealed` is not served. */
function look() {
  const web = (number: number, health: "healthy" | "unhealthy") =>
    container({
      name: `shop-web-${number}`,
      at: `172.17.0.${number}`,
      labels: new Map([...composeLabels("shop", "web", number), ["ocdd.name", `web-${number}`]]),
      health,
      started: { earliest: NOW - 7_300, latest: NOW - 7_200 },
    });
  const seen = observation({
    containers: [
      web(10, "healthy"),
      web(2, "unhealthy"),
      container({ name: "api", image: "api:1\u001b[31m", attachments: [attachment("back", "172.18.0.3")] }),
      container({ name: "sealed", networkMode: "none", attachments: [] }),
    ],
    stopped: [container({ name: "old", state: "exited" })],
    networks: [BRIDGE, network({ name: "back", cidr: "172.18.0.0/16" })],
    actual: {
      ...BARE,
      table: {
        ...BARE.table,
        leases: [
          ...LEASES.map(([octet, key, name]) => lease(`192.168.122.${octet}`, key, { names: [name] })),
          lease("192.168.122.14", "container:old", {
            names: ["old"],
            container: id("old"),
            releasedAt: NOW - 9,
          }),
        ],
      },
    },
  });
  return { seen, decision: decide(CONFIG, seen, NOW) };
}

const listing = (filter: Partial<Filter>, options: Partial<ListOptions> = {}) =>
  listAnswer(
    CONFIG,
    look(),
    { filter: { ...ANY, ...filter }, all: false, form: "name", paint: PLAIN, ...options },
    NOW,
  );
const names = (filter: Partial<Filter>, options: Partial<ListOptions> = {}): string[] =>
  listing(filter, options).out.split("\n").slice(0, -1);

t.test("every form is sorted by name, numbers by their value", async (t) => {
  const sorted = ["api", "web-2", "web-10"];
  t.same(names({}), sorted);
  const rows = listing({}, { form: "text" }).out.split("\n");
  t.same(
    rows.map((row) => row.split(" ")[0]),
    ["NAME", ...sorted, ""],
  );
  const { services } = JSON.parse(listing({}, { form: "json" }).out) as { services: { name: string }[] };
  t.same(
    services.map(({ name }) => name),
    sorted,
  );
});

t.test("wide: more columns, with text of a container made printable", async (t) => {
  const [head = "", api = "", two = ""] = listing({}, { form: "wide", all: true }).out.split("\n");
  t.match(head, /STATE +NETWORK +IMAGE +PROJECT +UP +FURTHER NAMES$/);
  t.match(api, /running +back +api:1\ufffd\[31m +- +- +-$/);
  t.match(two, /unhealthy +bridge +busybox:1 +shop +2 h +-$/);
  t.match(listing({}, { form: "wide", all: true }).out, /\nold .* stopped +- +- +- +- +-\n$/);
});

t.test("colours: of states, and they take no room", async (t) => {
  const paint = (text: string, tone: string): string => `<${tone}>${text}</>`;
  const { out } = listing({}, { form: "text", paint });
  t.match(out, /^web-2 .* <bad>unhealthy<\/>$/m);
  t.match(out, /^web-10 .* <good>healthy<\/>$/m);
  t.equal(out.replace(/<[^>]*>/g, ""), listing({}, { form: "text" }).out);
});

t.test("filters: all that are given must match", async (t) => {
  t.same(names({ names: ["WEB-*"] }), ["web-2", "web-10"]);
  t.same(names({ names: ["web-?", "api"] }), ["api", "web-2"]);
  t.same(names({ names: ["shop-web-10"] }), ["web-10"], "a container's name");
  t.same(names({ names: ["192.168.122.13"] }), ["api"]);
  t.same(names({ names: ["api.toolbox.example.com."] }), ["api"]);
  t.same(names({ names: ["*"], state: "unhealthy" }), ["web-2"]);
  t.same(names({ state: "running" }), ["api", "web-2", "web-10"], "what is healthy runs, too");
  t.same(names({ network: "back" }), ["api"]);
  t.same(names({ project: "shop", state: "healthy" }), ["web-10"]);
  t.same(names({ state: "stopped" }), ["old"], "without --all");
  t.same(names({ names: ["o*"] }, { all: true }), ["old"]);
  t.same(names({ project: "shop" }, { all: true }), ["web-2", "web-10"]);
});

t.test("filters that match nothing: nothing on standard output, and a line that says so", async (t) => {
  t.same(listing({ names: ["x*"] }), { out: "", warnings: ["no service matches"], status: 0 });
  t.same(listing({ network: "none" }, { form: "text" }), {
    out: "",
    warnings: ["no service matches"],
    status: 0,
  });
  t.same(listing({ names: ["sealed", "api"] }), {
    out: "api\n",
    warnings: ["sealed is not served: see ocdd show sealed"],
    status: 0,
  });
  t.throws(() => listing({ names: ["apj"] }), {
    message: 'there is no service and no container "apj": the nearest name is api',
    remedy: "ocdd list",
  });
});

t.test(
  "several warnings about containers: one line, or all with DEBUG; others are always shown",
  async (t) => {
    const web = (project: string) =>
      container({ name: `${project}-web-1`, id: id(project), labels: composeLabels(project, "web") });
    const sealed = (name: string) => container({ name, networkMode: "none", attachments: [] });
    const table = { ...BARE.table, conflicts: [{ address: ip("192.168.122.30"), seenAt: NOW }] };
    const seen = observation({
      containers: [web("shop"), web("blog"), sealed("one"), sealed("two")],
      notices: ["a notice of the host"],
      actual: { ...BARE, table },
    });
    const of = (keys: Record<string, string>): readonly string[] => {
      const conf = config(keys);
      const options = { filter: ANY, all: false, form: "text", paint: PLAIN } as const;
      return listAnswer(conf, { seen, decision: decide(conf, seen, NOW) }, options, NOW).warnings;
    };
    t.match(of({}), [
      "a notice of the host",
      /^container "\w+-web-1" is renamed to "web-/,
      "2 warnings about containers one, two: see `ocdd show NAME`",
      "192.168.122.30 is in use by another machine on the network",
    ]);
    t.equal(of({}).length, 4);
    const all = of({ DEBUG: "1" });
    t.equal(all.length, 5);
    t.match(all[3], /^container "two" is not served/);
  },
);

t.test("no filter: the warnings of the host; no service at all: why", async (t) => {
  t.match(listing({}).warnings.at(-1), /^2 warnings about containers/);
  const seen = observation({});
  const none = listAnswer(
    CONFIG,
    { seen, decision: decide(CONFIG, seen, NOW) },
    { filter: ANY, all: true, form: "text", paint: PLAIN },
    NOW,
  );
  t.same(none, { out: "No containers found!\n", warnings: [], status: 0 });
});

t.test("a host that is not set up: the list as it would be, with the remedy", async (t) => {
  const answer = { out: "x\n", warnings: ["other"], status: 0 };
  t.equal(withSetUp(answer, true), answer);
  t.same(withSetUp(answer, false), {
    ...answer,
    warnings: ["OCDD has not been set up on this host: run `ocdd initialize`", "other"],
  });
});
