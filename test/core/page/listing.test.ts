/** Services → listing, page and services.json: their content, its order, and when the text changes. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import { NO_GATES } from "../../../src/core/lifecycle/gates.ts";
import type { Container, Decision, Observation } from "../../../src/core/model.ts";
import { emptyState } from "../../../src/core/page/empty.ts";
import { BARE_TEMPLATE } from "../../../src/core/page/template.ts";
import type { StartBounds } from "../../../src/core/page/uptime.ts";
import { plan } from "../../../src/core/plan.ts";
import {
  attachment,
  BARE,
  BRIDGE,
  composeLabels,
  config,
  container,
  ip,
  NOW,
  network,
  observation,
  ZONE,
} from "../make.ts";

const settings = config({ ADDRESS_HOLD: "600" });
const run = (
  containers: Container[],
  before?: Decision,
  now = NOW,
  over: Partial<Observation> = {},
): Decision => decide(settings, observation({ actual: before?.desired ?? BARE, containers, ...over }), now);
const document = (decision: Decision) => JSON.parse(decision.desired.page.services);
const lines = (html: string): string[] =>
  html
    .replace(/<[^>]*>/g, "")
    .split("\n")
    .map((line) => line.trim());
const labelled = (name: string, labels: Record<string, string>, over: Partial<Container> = {}): Container =>
  container({ name, labels: new Map(Object.entries(labels)), ...over });

t.test("the page's text: a line `* - <fqdn>` for each service", async (t) => {
  const { desired } = run([container({ name: "web" }), container({ name: "db", at: "172.17.0.3" })]);
  const text = lines(desired.page.html);
  t.ok(text.includes("The ACME ToolBox server"));
  t.ok(text.includes(`* - web.${ZONE}`));
  t.ok(text.includes(`* - db.${ZONE}`));
  const none = run([]);
  t.match(none.desired.page.html, "No containers found!");
  t.match(none.desired.page.html, "docker run -d");
  t.notMatch(lines(none.desired.page.html).join("\n"), "* - ");
});

t.test("the page's text: its lines are in the order of addresses, with any groups of rows", async (t) => {
  const { desired } = run([
    labelled("c", { "ocdd.group": "Tools" }, { created: NOW }),
    container({ name: "a", at: "172.17.0.3", created: NOW - 1, health: "unhealthy" }),
    container({ name: "z", at: "172.17.0.4", created: NOW - 2 }),
    labelled(
      "b",
      { "ocdd.group": "Build" },
      { created: NOW - 3, attachments: [attachment("bridge", "172.17.0.5")] },
    ),
    labelled("out", { "ocdd.hide": "true" }, { attachments: [attachment("bridge", "172.17.0.6")] }),
  ]);
  const plain = lines(desired.page.html).filter((line) => line.includes("* - "));
  t.strictSame(
    plain,
    ["c", "a", "z", "b"].map((name) => `* - ${name}.${ZONE}`),
  );
});

t.test(
  "the image of a row: the tag people wrote, a label's version without one, an id as Docker prints it",
  async (t) => {
    const version = { "org.opencontainers.image.version": "22.04" };
    const id = "3f57d9401f8d42f986df300f0c69192fc41da28ccc8d797829467780db3dd741";
    for (const [image, shown] of [
      ["tomcat:9-jdk17-temurin", "<samp>tomcat:9-jdk17-temurin</samp>"],
      ["tomcat", "<samp>tomcat:22.04</samp>"],
      [
        "registry.example:5000/it/tomcat",
        '<samp title="registry.example:5000/it/tomcat">it/tomcat:22.04</samp>',
      ],
      [`tomcat:9@sha256:${id}`, "<samp>tomcat:9</samp>"],
      [`sha256:${id}`, `<samp title="sha256:${id}">3f57d9401f8d</samp>`],
    ] as const)
      t.ok(run([labelled("web", version, { image })]).desired.page.html.includes(shown), image);
  },
);

t.test("states of services: status, tone and order", async (t) => {
  const decision = run([
    container({ name: "fine" }),
    container({ name: "well", at: "172.17.0.3", health: "healthy" }),
    container({ name: "sick", at: "172.17.0.4", health: "unhealthy" }),
    container({ name: "young", at: "172.17.0.5", health: "starting" }),
    container({ name: "still", at: "172.17.0.6", state: "paused" }),
    labelled(
      "second",
      { "ocdd.name": "fine" },
      { attachments: [attachment("bridge", "172.17.0.7")], created: NOW },
    ),
    container({ name: "off", networkMode: "none", attachments: [] }),
  ]);
  const rows = document(decision).services as {
    name: string;
    status: string;
    tone: string;
    reason: string | null;
  }[];
  const of = (name: string) => rows.find((row) => row.name.startsWith(name));
  t.match(of("well"), { status: "healthy", tone: "good" });
  t.match(of("sick"), { status: "unhealthy", tone: "bad" });
  t.match(of("young"), { status: "starting", tone: "wait" });
  t.match(of("still"), { status: "paused", tone: "bad" });
  t.equal(rows.filter((row) => row.status === "renamed" && row.reason !== null).length, 1);
  t.match(document(decision).skipped, [
    { container: "off", code: "no-network", reason: /^the container has no network: .* ocdd\.enable=false$/ },
  ]);
  const page = decision.desired.page.html;
  const places = [
    "Needs attention",
    "id=s-sick",
    "id=s-still",
    "Other services",
    "id=s-well",
    "Not served",
    ">off<",
  ].map((text) => page.indexOf(text));
  t.same(
    places,
    [...places].sort((a, b) => a - b),
    "problems first",
  );
  t.ok(places.every((at) => at > 0));
  t.match(page, "2 need attention", "a container without any network does not");
});

t.test("what needs attention is sorted by name, whatever it is", async (t) => {
  const { desired } = run([
    container({ name: "mid", networkMode: "x", attachments: [] }),
    labelled("zoo", { "ocdd.title": "Ape" }, { state: "paused" }),
    container({ name: "end", at: "172.17.0.4", state: "paused" }),
  ]);
  const titles = [...desired.page.html.matchAll(/<p><a[^>]*>(\w+)<\/a>/g)].map(([, title]) => title);
  t.same(titles, ["Ape", "end", "mid"]);
});

t.test("what a run warns of about a container's labels is in its row", async (t) => {
  const decision = run([
    labelled("wiki", { "ocdd.titel": "Wiki <x>" }),
    container({ name: "a", at: "172.17.0.3" }),
  ]);
  t.match(document(decision).services, [
    { name: "a", status: "running", tone: "good", reason: null },
    {
      name: "wiki",
      status: "running",
      tone: "warn",
      reason: /^label "ocdd\.titel" is not known .*ocdd\.title$/,
    },
  ]);
  t.match(decision.desired.page.html, /<mark>label &quot;ocdd\.titel&quot; is not known/);
  t.match(decision.desired.page.html, "1 warning");
});

t.test("a service whose bridge port is not found needs attention", async (t) => {
  const firewall = { backend: "nft", unguarded: null, obstacles: [], iptables: false } as const;
  const started = { earliest: NOW - 90, latest: NOW - 60 };
  const seen = observation({
    containers: [container({ name: "web", health: "healthy", started })],
    firewall,
  });
  const row = { name: "web", status: "no packets", tone: "bad", reason: /port of its bridge is not found$/ };
  t.match(document(decide(config(), seen, NOW)).services, [row]);
});

t.test(
  "one group: its heading is no other's; a container named like its service is named once",
  async (t) => {
    const html = run([container({ name: "web" }), container({ name: "x_db_1", at: "172.17.0.3" })]).desired
      .page.html;
    t.match(html, "<h2>Services</h2>2");
    const batch = container({ name: "batch", labels: new Map([["ocdd.allow", "x"]]) });
    const beside = run([container({ name: "web" }), batch]).desired.page.html;
    t.match(beside, /Needs attention[\s\S]*<h2>Services<\/h2>1/, "no service is listed elsewhere");
    t.match(html, /<samp>busybox:1<\/samp><small>x_db_1<\/small>/);
    t.match(html, /<samp>busybox:1<\/samp>\n/);
  },
);

t.test("services that sleep: links with the ports from before; a failed start needs attention", async (t) => {
  const at = (name: string, n: number, over: Partial<Container> = {}): Container =>
    labelled(
      name,
      { "ocdd.wake": "true" },
      { attachments: [attachment("bridge", `172.17.0.${n}`)], ...over },
    );
  const ports = [{ protocol: "tcp", port: 8080 }] as const;
  const wiki = at("wiki", 2, { ports });
  const shop = at("shop", 3, { ports });
  const awake = run([wiki, shop, at("git", 4)]);
  const off = { state: "exited", ports: [], attachments: [attachment("bridge", undefined)] };
  const failed = new Map([[shop.id, "no such image <x>"]]);
  const after = run([at("git", 4)], awake, NOW, {
    stopped: [
      { ...wiki, ...off },
      { ...shop, ...off },
    ],
    gates: { ...NO_GATES, queue: 1, failed },
  });
  const url = `http://wiki.${ZONE}:8080/`;
  t.match(document(after), {
    services: [
      { name: "git", status: "running" },
      { name: "shop", status: "failed", tone: "bad", reason: "no such image <x>", since: null },
      { name: "wiki", status: "asleep", tone: "asleep", reason: null, since: null, url, ports: [{ url }] },
    ],
    stopped: [],
  });
  const { html } = after.desired.page;
  t.match(html, ", <span data-state=asleep>1 asleep</span>");
  t.match(html, `<a href=${url}>wiki</a>`);
  t.match(html, "<em>asleep <small>starts when visited</small></em>");
  t.match(
    html,
    /Needs attention[\s\S]*id=s-shop[\s\S]*no such image &lt;x&gt;[\s\S]*a later visit tries again[\s\S]*Other/,
  );
  t.notMatch(awake.desired.page.html, "asleep");
});

t.test("groups: by label, else by project, else one of their own", async (t) => {
  const names = ["web-10", "web-2", "web-1"];
  const { desired } = run([
    ...names.map((name, i) =>
      labelled(name, {}, { attachments: [attachment("bridge", `172.17.1.${i + 2}`)] }),
    ),
    container({ name: "b-db-1", at: "172.17.0.3", labels: composeLabels("beta", "db") }),
    container({ name: "a-db-1", at: "172.17.0.4", labels: composeLabels("Alpha", "store") }),
    labelled(
      "last",
      { "ocdd.group": "beta", "homepage.weight": "5" },
      { attachments: [attachment("bridge", "172.17.0.5")] },
    ),
    labelled(
      "first",
      { "homepage.group": "beta", "homepage.weight": "-1" },
      { attachments: [attachment("bridge", "172.17.0.6")] },
    ),
  ]);
  const heads = [...desired.page.html.matchAll(/<h2>([^<]*)/g)].map(([, text]) => text);
  t.same(heads, ["Alpha", "beta", "Other services"]);
  const order = [...desired.page.html.matchAll(/id=s-([\w-]+)/g)].map(([, name]) => name);
  t.same(order, ["store", "first", "db", "last", "web-1", "web-2", "web-10"]);
});

t.test("a row: the title, below it the name; `name.project` is shown on pointing at it", async (t) => {
  const row = (labels: Record<string, string>): string => {
    const { html } = run([labelled("x", { ...Object.fromEntries(composeLabels("shop", "web")), ...labels })])
      .desired.page;
    return html.slice(html.indexOf("<li id=s-web"), html.indexOf("<code>172") - 1);
  };
  t.match(row({}), `<p title="also web.shop"><a href=http://web.${ZONE}/>web</a>\n</p>`);
  t.match(row({ "ocdd.title": "WEB" }), ">WEB</a>\n</p>", "a title that is the name is not followed by it");
  t.match(
    row({ "ocdd.title": "<Shop>", "ocdd.description": "For all", "ocdd.aliases": "store" }),
    ">&lt;Shop&gt;</a><br><b>web</b> <small>For all</small><u>also store</u>\n",
  );
  t.match(row({ "ocdd.url": `/a?b='"&c` }), `<a href="http://web.${ZONE}/a?b=%27%22&amp;c">`);
  const names = Array.from({ length: 5 }, (_, i) => `p${i}`);
  const many = names.map((name, i) =>
    container({ name, at: `172.17.0.${i + 2}`, labels: composeLabels(`<${name}>`, "web") }),
  );
  const template = { ...BARE_TEMPLATE, index: "{{title}} {{groups}} {{services}}" };
  const links = (of: Container[]) => run(of, undefined, NOW, { template }).desired.page.html;
  t.match(links(many), "<a href=#g-1>&lt;p0&gt; <span>1</span></a>", "groups are linked");
  t.notMatch(links(many.slice(0, 3)), "<nav", "where there are many");
});

t.test("icons of the page: those that its rows have, and no other", async (t) => {
  const styles = (images: readonly string[], over: Partial<Container> = {}): string[] => {
    const all = images.map((image, i) =>
      container({ name: `c${i}`, at: `172.17.0.${i + 2}`, image, ...over }),
    );
    const { html } = run(all).desired.page;
    return [...html.matchAll(/^\.([\w-]+)\{(?:--c:#[0-9a-f]{6};)?--i:url\("[^"]+"\)\}$/gm)].map(
      ([, name]) => name ?? "",
    );
  };
  t.same(styles(["postgres:17", "redis", "busybox"]), ["box", "l-postgresql", "l-redis"]);
  t.same(styles(["redis"], { networkMode: "none", attachments: [] }), ["box"], "that of a row not served");
});

t.test("unchanged containers at any later time: the same page", async (t) => {
  const at = (seconds: number, started: StartBounds) =>
    [
      container({ name: "web", started, created: NOW - 50_000 }),
      container({ name: "x", at: "172.17.0.9" }),
    ].map((one) => ({ ...one, state: seconds > -1 ? "running" : "" }));
  const first = run(at(0, { earliest: NOW - 180, latest: NOW - 120 }));
  const second = run(at(1, { earliest: NOW - 3_200, latest: NOW + 400 }), first, NOW + 4_000);
  t.equal(second.desired.page.html, first.desired.page.html);
  t.equal(second.desired.page.services, first.desired.page.services);
  t.same(plan(first.desired, second.desired).steps, []);
});

t.test("a stopped service stays listed while its address is on hold", async (t) => {
  const web = labelled("web", { "ocdd.title": "Shop", "ocdd.group": "Sales" });
  const hidden = labelled(
    "secret",
    { "ocdd.hide": "true" },
    { attachments: [attachment("bridge", "172.17.0.3")] },
  );
  const first = run([web, hidden]);
  t.notMatch(first.desired.page.html + first.desired.page.services, "secret", "a hidden one is not listed");
  t.equal(document(first).range.used, 2, "though its address is in use");
  const second = run([], first);
  const { stopped } = document(second);
  t.match(stopped, [{ name: "web", title: "Shop", group: "Sales", until: "2027-01-15T08:10:00Z" }]);
  t.match(second.desired.page.html, />stopped</);
  t.match(
    second.desired.page.html,
    "<strong>no service runs</strong>, <span data-state=off>1 stopped</span>",
  );
  t.notMatch(lines(second.desired.page.html).join("\n"), `* - web.${ZONE}`, "it is not offered");
  t.notMatch(JSON.stringify(second.desired.page), "secret", "nor is a hidden one");
  const third = run([], second, NOW + 300);
  t.equal(third.desired.page.html, second.desired.page.html);
  const fourth = run([], third, NOW + 601);
  t.same(document(fourth).stopped, []);
  t.match(fourth.desired.page.html, "No containers found!");
  t.match(document(fourth).range, { size: 20, used: 0, held: 0 });
});

t.test("a container that is not served: needs attention, unless it is hidden or not enabled", async (t) => {
  const closed = network({ name: "closed", cidr: "172.30.0.0/16", internal: true });
  const inner = (labels: Record<string, string>) => {
    const over = { attachments: [attachment("closed", "172.30.0.2")], networkMode: "closed" };
    return run([labelled("db", labels, over)], undefined, NOW, { networks: [BRIDGE, closed] });
  };
  const shown = inner({});
  t.match(document(shown).skipped, [
    { container: "db", reason: /internal, and cannot be reached .*ocdd\.enable=false$/ },
  ]);
  t.match(shown.desired.page.html, "1 needs attention");
  for (const labels of [{ "ocdd.hide": "true" }, { "ocdd.enable": "false" }]) {
    const { desired, skipped } = inner(labels);
    t.notMatch(desired.page.html + desired.page.services, /needs attention<|"db"|internal/);
    t.equal(skipped.length, "ocdd.hide" in labels ? 1 : 0, "status goes on to report a hidden one");
  }
  t.match(document(inner({ "ocdd.hide": "perhaps" })).skipped, [{ reason: /ocdd\.hide cannot be read/ }]);
});

t.test("each row has its icon in the style, also one that is not served and one of a conflict", async (t) => {
  const conflicts = [{ address: ip("192.168.122.12"), seenAt: NOW }];
  const actual = { ...BARE, table: { ...BARE.table, conflicts } };
  const labels = new Map([["ocdd.allow", "x"]]);
  const containers = [container({ name: "db", image: "postgres:16" }), container({ name: "odd", labels })];
  const { html } = run(containers, undefined, NOW, { actual }).desired.page;
  const style = html.slice(html.indexOf("<style"), html.indexOf("</style>"));
  const rows = [...html.matchAll(/<li (?:id=\S+ )?class="\w+ (?:logo )?([\w-]+)/g)].map(([, icon]) => icon);
  t.same(rows.length, 3);
  for (const icon of rows) t.match(style, new RegExp(`\\.${icon}\\{(--c:#[0-9a-f]{6};)?--i:`), `${icon}`);
});

t.test("use of the range: counts and words", async (t) => {
  const actual = {
    ...BARE,
    table: { ...BARE.table, conflicts: [{ address: ip("192.168.122.12"), seenAt: NOW }] },
  };
  const { desired } = run([container({ name: "web" })], undefined, NOW, { actual });
  t.match(document({ desired } as Decision).range, { size: 20, used: 1, held: 0, conflict: 1, reserved: 0 });
  t.match(desired.page.html, "20 addresses: ");
  t.match(desired.page.html, /1 in use<.*1 conflict<.*18 free</);
  t.match(desired.page.html, "192.168.122.12");
});

t.test("the version differs with the content, and the page carries it", async (t) => {
  const one = run([container({ name: "web" })]);
  const two = run([container({ name: "web", health: "healthy" })]);
  t.not(document(one).version, document(two).version);
  t.match(one.desired.page.html, `data-version=`);
  t.match(one.desired.page.html, document(one).version);
});

t.test("teardown leaves an empty page", async (t) => {
  const first = run([container({ name: "web" })]);
  const empty = emptyState(settings, observation({ actual: first.desired }), NOW);
  t.match(empty.page.html, "No containers found!");
  t.same(JSON.parse(empty.page.services).stopped, []);
});

t.test("any labels: the markup stays the same (O-25)", async () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.constantFrom(`"><script>`, "</title>", "'onload=x", "{{script}}", "$&", "&lt;"),
  );
  const shape = (html: string): string =>
    html
      .slice(html.indexOf("<body"))
      .replace(/>[^<]*/g, ">")
      .replace(/"[^"]*"/g, '""');
  const of = (one: string): string =>
    run([
      labelled(
        "web",
        {
          "ocdd.title": one,
          "ocdd.description": `x${one}`,
          "ocdd.group": one,
          "org.opencontainers.image.version": one,
        },
        { image: `i${one}`.replaceAll(/[:@/]/g, "."), ports: [] },
      ),
    ]).desired.page.html;
  const want = new Set([shape(of("plain"))]);
  fc.assert(
    fc.property(text, (one) => {
      const html = of(`a${one}`);
      return want.has(shape(html));
    }),
    { numRuns: 300 },
  );
});

t.test("services.json: the keys are those of its documentation", async (t) => {
  const told = readFileSync(new URL("../../../docs/services-json.md", import.meta.url), "utf8");
  const decision = run(
    [container({ name: "web", ports: [{ protocol: "tcp", port: 80 }] })],
    run([container({ name: "web" }), container({ name: "gone", at: "172.17.0.3" })]),
  );
  const { services, stopped, range, ...rest } = document(decision);
  t.equal(rest.schemaVersion, 1);
  for (const [where, one] of Object.entries({
    "": rest,
    services: services[0],
    stopped: stopped[0],
    range,
    ports: services[0].ports[0],
  }))
    for (const key of Object.keys(one as object)) t.match(told, `| \`${key}\` |`, `${where} ${key}`);
});
