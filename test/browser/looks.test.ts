/**
 * How the page looks, without a lab: pictures of each kind to be inspected by a person (`npm run pictures` takes those of
 * docs/pictures), axe-core on every one of them, hostile labels, and the time that a large page takes.
 */
import { readdirSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import t, { type Test } from "tap";
import { type Gates, NO_GATES } from "../../src/core/lifecycle/gates.ts";
import { type Results, withResult } from "../../src/core/methods/results.ts";
import type { Container, Decision } from "../../src/core/model.ts";
import { readTemplate } from "../../src/host/disk/page.ts";
import { container, id as idOf } from "../core/make.ts";
import { sampleContainers, sampleDecision, sampleSleepers } from "../core/page-sample.ts";
import { type Browser, type BrowserContextOptions, openBrowser, type Page } from "./chromium.ts";
import { DOCUMENTED, taken, takePicture } from "./pictures.ts";
import { openSite, type Site } from "./site.ts";
import { complaints, violations } from "./watch.ts";

const WIDE = { width: 1280, height: 800 };

t.setTimeout(1_200_000);
const template = await readTemplate("");
const now = Math.floor(Date.now() / 1000);
const { browser, close } = await openBrowser();
t.teardown(close);

/** A usual office: one service unhealthy, two stopped, some renamed, one that cannot be served. */
function office(): Decision {
  const all: Container[] = [
    ...sampleContainers(18, now),
    container({ name: "batch", networkMode: "none", attachments: [] }),
    container({
      name: "intranet-wiki-1",
      at: "172.17.9.9",
      image: "nginx:1.29",
      created: now - 90_000,
      started: { earliest: now - 90_000, latest: now - 86_000 },
      labels: new Map([["ocdd.name", "wiki"]]),
      ports: [{ protocol: "tcp", port: 80 }],
    }),
  ];
  const before = sampleDecision(all, template, undefined, now);
  const left = all.filter((one) => !one.name.includes("agent"));
  return sampleDecision(left, template, before, now);
}

/** The same office, in which four services have been validated, one of them without success, and two are monitored. */
function checkedOffice(): Decision {
  const all = sampleContainers(14, now);
  const run = (at: number, method: "validate" | "monitor", status: number, reason: string | null) => ({
    container: all[at]?.id ?? "",
    method,
    ok: status === 0,
    status,
    reason,
    startedAt: (now - 90) * 1000,
    endedAt: (now - 89) * 1000,
    by: "interval",
  });
  const results = [
    run(0, "validate", 0, null),
    run(1, "validate", 0, null),
    run(3, "validate", 1, "migration 0231 is not applied: table action_run_attempt is missing"),
    run(5, "validate", 0, null),
    run(5, "monitor", 0, "OK: 214 dashboards"),
    run(6, "monitor", 1, "WARNING: 81 % of the disk is used"),
  ].reduce<Results>((before, next) => withResult(before, next, () => true), new Map());
  return sampleDecision(all, template, undefined, now, { results });
}

async function openPage(
  t: Test,
  from: Browser,
  site: Site,
  options: BrowserContextOptions = {},
  query = "",
): Promise<{ page: Page; said: string[] }> {
  const context = await from.newContext({ viewport: WIDE, reducedMotion: "reduce", ...options });
  t.teardown(() => context.close());
  const page = await context.newPage();
  const said = complaints(page);
  // pictures differ only when the page does
  if (options.javaScriptEnabled !== false) await page.clock.setFixedTime(now * 1000);
  await page.goto(`${site.url}${query}`);
  if (options.javaScriptEnabled !== false) await page.waitForSelector("#fresh:not(:empty)");
  return { page, said };
}

t.test("each picture: axe-core reports nothing", async (t) => {
  const sites = {
    office: await openSite(office()),
    empty: await openSite(sampleDecision([], template, undefined, now)),
    one: await openSite(sampleDecision(sampleContainers(1, now), template, undefined, now)),
    checked: await openSite(checkedOffice()),
    many: await openSite(sampleDecision(sampleContainers(200, now), template, undefined, now)),
  };
  t.teardown(() => Promise.all(Object.values(sites).map((site) => site.close())));
  const phone = {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 1.5,
    isMobile: true,
    hasTouch: true,
  };
  const looks: [string, BrowserContextOptions][] = [
    ["", { colorScheme: "light" }],
    ["-dark", { colorScheme: "dark" }],
    ["-phone", phone],
    ["-phone-dark", { ...phone, colorScheme: "dark" }],
  ];
  const sizes: [string, Site][] = [
    ["1-service", sites.one],
    ["20-services", sites.office],
    ["200-services", sites.many],
  ];
  const kinds: [string, Site, BrowserContextOptions][] = [
    ...sizes.flatMap(([size, site]) =>
      looks.map(([look, options]): [string, Site, BrowserContextOptions] => [
        `${size}${look}`,
        site,
        options,
      ]),
    ),
    ["20-services-tablet", sites.office, { viewport: { width: 820, height: 1180 } }],
    ["20-services-no-script", sites.office, { javaScriptEnabled: false }],
    ["empty", sites.empty, {}],
    ["checked", sites.checked, { colorScheme: "light" }],
    ["checked-phone", sites.checked, phone],
  ];
  for (const [name, site, options] of kinds) {
    const { page, said } = await openPage(t, browser, site, options);
    await takePicture(page, name);
    const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth").catch(() => 0);
    t.ok(Number(wide) <= 0, `${name}: nothing to scroll sideways`);
    // it is a script itself
    if (options.javaScriptEnabled !== false) t.same(await violations(page), [], `${name}: axe-core`);
    t.same(said, [], `${name}: no complaint`);
    await page.context().close();
  }
  const { page } = await openPage(t, browser, sites.many);
  await page.getByLabel("Compact").check();
  await page.fill("#find", "build");
  await page.locator("#groups summary").click();
  await takePicture(page, "200-services-compact");
  t.same(await violations(page), [], "200-services-compact: axe-core");
});

/** Nineteen services, of which five are asleep, one is being started and one could not be started. */
function sleepy() {
  const all = sampleContainers(19, now);
  const names = [1, 4, 6, 7, 8, 13, 15].map((i) => all[i]?.name ?? "");
  const [starting = "", failed = ""] = names.slice(-2);
  const reason =
    "driver failed programming external connectivity: Bind for 0.0.0.0:1883: port is already allocated";
  const gates = { ...NO_GATES, queue: 1 };
  const decide = (asleep: readonly string[], told: Gates, before?: Decision): Decision => {
    const { running, stopped } = sampleSleepers(all, names, asleep);
    return sampleDecision(running, template, before, now, { stopped, gates: told });
  };
  const awake = decide([], gates);
  const asleep = decide(names, gates, awake);
  const failing = { ...gates, failed: new Map([[idOf(failed), reason]]) };
  const mixed = decide(
    names.filter((name) => name !== starting),
    failing,
    asleep,
  );
  const ready = decide(
    names.filter((name) => name !== starting),
    { ...failing, open: new Set([idOf(starting)]) },
    mixed,
  );
  return { asleep, mixed, ready };
}

t.test("services that sleep: links with their ports; what changes is shown at once", async (t) => {
  const { asleep, mixed, ready } = sleepy();
  const site = await openSite(asleep);
  t.teardown(() => site.close());
  const { page, said } = await openPage(t, browser, site);
  const states = () => page.locator(".counts > *").allInnerTexts();
  t.same(await states(), ["19 services", "2 need attention", "1 starting", "7 asleep"]);
  const row = page.locator("#s-mqtt");
  t.equal(await row.getByRole("link").first().getAttribute("href"), "http://mqtt.toolbox.example.com:9001/");
  t.match(await row.innerText(), /asleep/);
  t.match(await row.innerText(), /1883/, "its ports are known");
  t.match(await row.innerText(), /starts when visited/);
  site.show(mixed);
  await page.waitForSelector("#s-mqtt.wait");
  t.match(await row.innerText(), /starting/);
  t.same(await states(), ["19 services", "3 need attention", "2 starting", "5 asleep"]);
  const failed = page.locator(".attention li").filter({ hasText: "failed" });
  t.match(await failed.innerText(), /already allocated/);
  t.match(await failed.innerText(), /a later visit tries again/);
  t.ok(await failed.getByRole("link").first().getAttribute("href"), "it is a link as well");
  for (const [name, options] of [
    ["asleep", { colorScheme: "light" }],
    ["asleep-dark", { colorScheme: "dark" }],
    ["asleep-phone", { viewport: { width: 390, height: 844 }, isMobile: true }],
  ] as const) {
    const picture = await openPage(t, browser, site, options);
    await takePicture(picture.page, name);
    t.same(await violations(picture.page), [], `${name}: axe-core`);
  }
  site.show(ready);
  await page.waitForSelector("#s-mqtt.good");
  t.same(said, []);
});

t.test("search, states and groups: what is shown, and how many of how many", async (t) => {
  const site = await openSite(office());
  t.teardown(() => site.close());
  const { page, said } = await openPage(t, browser, site);
  const rows = () => page.locator("main li:visible").count();
  const hits = () => page.textContent("#hits");
  const all = await rows();
  t.equal(await hits(), "");
  await page.getByRole("button", { name: "2 need attention" }).click();
  t.same([await rows(), await hits(), new URL(page.url()).search], [2, `2 of ${all}`, "?state=attention"]);
  await page.fill("#find", "web");
  t.same([await rows(), await hits()], [1, `1 of ${all}`], "both conditions hold");
  site.show(sampleDecision(sampleContainers(18, now), template, office(), now));
  await page.waitForSelector("#s-agent.good", { state: "attached" });
  t.equal(await rows(), 1, "also after an update");
  await page.reload();
  t.equal(await rows(), 1, "and from the address bar");
  await page.keyboard.press("Escape");
  const whole = await rows();
  t.same([await hits(), new URL(page.url()).search], ["", ""]);
  const build = page.locator("section", { has: page.locator("#s-jenkins") });
  await build.locator("summary").click();
  t.notOk(await page.locator("#s-jenkins").isVisible(), "a group is folded");
  await page.fill("#find", "jenkins");
  t.ok(await page.locator("#s-jenkins").isVisible(), "a search looks into it");
  await page.keyboard.press("Escape");
  await page.reload();
  t.notOk(await page.locator("#s-jenkins").isVisible(), "the browser remembers it");
  await page.locator("#groups summary").click();
  t.same(await violations(page), []);
  await page.locator("#groups a", { hasText: /^build 3/ }).click();
  t.same(
    [await page.locator("#s-jenkins").isVisible(), await rows()],
    [true, whole],
    "a link to it opens it",
  );
  t.notOk(await page.locator("#groups nav").isVisible());
  const height = (): Promise<number> => page.evaluate<number>("document.querySelector('main').offsetHeight");
  const before = await height();
  await page.getByLabel("Compact").check();
  const compact = await height();
  t.ok(compact < 0.75 * before, `${compact} of ${before} pixels`);
  t.same(await violations(page), []);
  await page.reload();
  t.ok(await page.getByLabel("Compact").isChecked(), "the browser remembers it");
  t.same(said, []);
});

t.test("a page that is out of date: says so, with and without a script", async (t) => {
  const site = await openSite(office());
  t.teardown(() => site.close());
  const { page } = await openPage(t, browser, site);
  t.match(await page.textContent("#fresh"), /^Updated \d+ s ago$/);
  site.ran(now - 7_200);
  await page.waitForSelector("#fresh.stale");
  t.match(await page.textContent("#fresh"), /2 h ago; this list may be out of date/);
  t.same(await violations(page), []);
  const plain = await openPage(t, browser, site, { javaScriptEnabled: false });
  t.match(await plain.page.locator("#fresh.stale").innerText(), /^Last updated .* out of date/);
  t.equal(await plain.page.getByRole("searchbox").count(), 0, "no search field without a script");
});

t.test("hostile labels: shown as text", async (t) => {
  const evil = `"><img src=x onerror="alert(1)"><script>alert(2)</script>'\`{{script}}</title></style><!--`;
  const keys = [
    ...[
      "ocdd.title",
      "ocdd.description",
      "ocdd.group",
      "ocdd.icon",
      "ocdd.url",
      "homepage.href",
      "homepage.icon",
    ],
    ...["title", "description", "url", "version"].map((key) => `org.opencontainers.image.${key}`),
    "com.docker.compose.project",
    "com.docker.compose.service",
  ];
  const urls = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//evil.example/",
    "/\\evil.example/",
    "https://web.toolbox.example.com@evil.example/",
    "http://evil.example/ onmouseover=alert(1)",
    " \tjava\nscript:alert(1)",
    "/%22onclick=alert(1)",
  ];
  const all = [
    container({ name: "evil", image: evil, state: evil, labels: new Map(keys.map((key) => [key, evil])) }),
    container({ name: evil, at: "172.17.0.3", labels: new Map([["ocdd.title", "x".repeat(100_000)]]) }),
    container({
      name: "rtl",
      at: "172.17.0.4",
      labels: new Map([["ocdd.title", "\u202egnp.exe\u2066\n\u0000"]]),
    }),
    ...urls.map((url, i) =>
      container({
        name: `u${i}`,
        at: `172.17.1.${i + 2}`,
        labels: new Map([
          ["ocdd.url", url],
          ["org.opencontainers.image.url", url],
        ]),
      }),
    ),
  ];
  const site = await openSite(sampleDecision(all, template, undefined, now));
  t.teardown(() => site.close());
  const { page, said } = await openPage(t, browser, site);
  t.equal(await page.locator("main img, main script, main iframe, main style, main form").count(), 0);
  const attributes = await page
    .locator("body *")
    .evaluateAll((list) =>
      list
        .flatMap((one) => [...one.attributes].map(({ name }) => name))
        .filter((name) => /^on|^style$|^src/.test(name)),
    );
  t.same(attributes, []);
  const links = await page
    .locator("main a[href]")
    .evaluateAll((list) => list.map((one) => (one as unknown as { href: string }).href));
  for (const link of links) t.match(link, /^https?:\/\/[a-z0-9.-]+(:\d+)?\//, link);
  const foreign = links.filter((link) => !new URL(link).hostname.endsWith(".toolbox.example.com"));
  for (const link of foreign)
    t.equal(
      (await page.locator(`main a.out[href="${link}"], main samp a[href="${link}"]`).count()) > 0,
      true,
      `${link} shows its host`,
    );
  const longest = await page
    .locator("main strong")
    .evaluateAll((list) => Math.max(...list.map((one) => one.textContent.length)));
  t.ok(longest <= 257, `${longest}`);
  for (const width of [390, 820, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    const over = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
    t.ok(over <= 0, `nothing is pushed aside at ${width}`);
  }
  t.same(await violations(page), []);
  t.same(said, [], "no script ran, none was even stopped");
});

t.test("500 services: 120 kB apart from their rows", async (t) => {
  const decision = sampleDecision(sampleContainers(500, now), template, undefined, now);
  const { html } = decision.desired.page;
  const frame = html.replace(/\n<li [\s\S]*?(?=\n<li |\n<\/ul>)/g, "");
  t.notMatch(frame, "<li ");
  t.ok(Buffer.byteLength(frame) <= 120_000, `${Buffer.byteLength(frame)} octets`);
});

t.test("served by another web server, such as nginx: the page polls", async (t) => {
  const files = new Map<string, string>();
  const put = ({ desired }: Decision): void => void files.set("/", desired.page.html);
  const all = sampleContainers(5, now);
  const first = sampleDecision(all, template, undefined, now);
  put(first);
  files.set("/last-run", `${now}\n`);
  const plain = createServer((request, response) => {
    const text = files.get(request.url ?? "");
    response.writeHead(text === undefined ? 404 : 200, { "Content-Type": "text/html" }).end(text);
  });
  await new Promise<void>((listening) => plain.listen(0, "127.0.0.1", listening));
  t.teardown(() => plain.close());
  const context = await browser.newContext();
  t.teardown(() => context.close());
  const page = await context.newPage();
  await page.clock.install();
  await page.goto(`http://127.0.0.1:${(plain.address() as AddressInfo).port}/`);
  await page.waitForSelector("#fresh:not(:empty)");
  t.equal(await page.locator("main li").count(), 6, "five services and a conflict");
  put(sampleDecision(all.slice(1), template, first, now));
  await page.clock.runFor(21_000);
  await page.waitForSelector("#s-jenkins.off");
  t.match(await page.locator("#s-jenkins").innerText(), "stopped");
});

t.test("docs/pictures: those that are taken here, and no other", async (t) => {
  t.same(readdirSync(DOCUMENTED).sort(), [...taken].sort(), "else: npm run pictures");
});
