/**
 * The page as the office has it: Debian's Chromium on the office PC, IT's resolver, `ocdd serve` on the host, real
 * containers. Names are typed, links followed, containers started and stopped under an open page.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { apply, initializedLab } from "../lab/director.ts";
import { ZONE } from "../lab/network.ts";
import { storage } from "../lab/ocdd.ts";
import { until } from "../lab/process.ts";
import { openBrowser, type Page } from "./chromium.ts";
import { complaints, violations } from "./watch.ts";

const HOME = `http://${ZONE}/`;

t.setTimeout(1_200_000);

t.test("the page in Chromium on the office PC", async (t) => {
  const lab = await initializedLab(t, { name: "browser" });
  await lab.docker("network", "create", "shop_default");
  await lab.startContainers(
    { name: "web" },
    {
      name: "wiki",
      labels: { "ocdd.description": "How we work", "ocdd.title": "Team wiki", "ocdd.url": "/?start" },
    },
    { name: "shop-front-1", compose: { project: "shop", service: "front" }, network: "shop_default" },
    {
      name: "shop-db-1",
      compose: { project: "shop", service: "db" },
      network: "shop_default",
      labels: { "ocdd.ports": "5432" },
    },
    { name: "hidden", labels: { "ocdd.hide": "true" } },
    {
      name: "evil",
      labels: { "ocdd.title": `<img src=x onerror=alert(1)>`, "ocdd.url": "javascript:alert(1)" },
    },
    { name: "lonely", args: ["--network", "none"] },
  );
  await apply(lab);
  const server = await lab.serve();
  t.teardown(() => server.stop());
  const { browser, close } = await openBrowser(lab.enterFully("client"));
  t.teardown(close);

  const open = async (url = HOME, options = {}): Promise<{ page: Page; said: string[] }> => {
    const context = await browser.newContext({ reducedMotion: "reduce", ...options });
    const page = await context.newPage();
    const said = complaints(page);
    await page.goto(url);
    return { page, said };
  };
  /** Names of the services shown; a container that is not served has none. */
  const shown = (page: Page): Promise<string[]> =>
    page
      .locator("main li:visible")
      .evaluateAll((list) => list.map((one) => (one as unknown as { id: string }).id.replace("s-", "")));
  /** The state shown in the row of a name. */
  const stateOf = (page: Page, name: string): Promise<string> => page.locator(`#s-${name} em`).innerText();

  t.test("services: listed with their names", async (t) => {
    const { page, said } = await open();
    t.equal(await page.title(), "The ACME ToolBox server");
    for (const [name, title] of [
      ["web", "web"],
      ["front", "front"],
      ["wiki", "Team wiki"],
      ["evil", "<img src=x onerror=alert(1)>"],
    ])
      t.equal(await page.locator(`#s-${name} > p > a`).innerText(), title);
    t.equal(await page.locator("#s-hidden").count(), 0, "but not the hidden one");
    t.match(
      await page.locator("main section").last().innerText(),
      /^Not served[\s\S]*lonely\s+the container has no network: .*ocdd\.enable=false\s+not served/,
    );
    t.match(await page.locator("#s-wiki").innerText(), /Team wiki\s+wiki\s+How we work/);
    t.equal(
      await page
        .locator("section", { has: page.locator("#s-db") })
        .locator("h2")
        .innerText(),
      "shop",
    );
    t.equal(await page.locator("#s-db div").innerText(), "5432", "a port without HTTP is text");
    t.equal(await page.locator("#s-db a[href]").count(), 0);
    t.match(await page.locator("#s-web time").innerText(), /^up \d+ s$/);
    t.equal(await page.locator("#s-evil img").count(), 0);
    t.match(await page.locator("#s-evil").innerText(), "<img src=x onerror=alert(1)>");
    t.equal(await page.locator("#s-evil > p > a").getAttribute("href"), `http://evil.${ZONE}/`);
    await page.waitForSelector("#fresh:not(:empty)");
    t.match(await page.textContent("#fresh"), /^Updated \d+ s ago$/);
    t.same(said, []);
    await page.context().close();
  });

  t.test("a link: leads to its service", async (t) => {
    const { page } = await open();
    for (const [name, container, path] of [
      ["web", "web", "/"],
      ["front", "shop-front-1", "/"],
      ["wiki", "wiki", "/?start"],
    ] as const) {
      await page.locator(`#s-${name} > p > a`).click();
      await page.waitForURL(`http://${name}.${ZONE}${path}`);
      t.equal((await page.locator("body").innerText()).trim(), container);
      await page.goBack();
    }
    await page.locator("#s-web div a").click();
    t.equal((await page.locator("body").innerText()).trim(), "web", "so does a port's");
    await page.context().close();
  });

  t.test("the search: works from the keyboard", async (t) => {
    const { page, said } = await open();
    await page.keyboard.press("/");
    await page.keyboard.type("sho");
    t.same(await shown(page), ["db", "front"], "by project");
    t.equal(new URL(page.url()).search, "?q=sho");
    await page.keyboard.press("Escape");
    t.equal(new URL(page.url()).search, "");
    t.equal((await shown(page)).length, 6);
    const address = await page.locator("#s-web > code").innerText();
    for (const [query, name] of [
      ["5432", "db"],
      [address, "web"],
      ["how work", "wiki"],
      ["front.shop.toolbox", "front"],
    ] as const) {
      await page.fill("#find", query);
      t.same(await shown(page), [name], query);
    }
    await page.fill("#find", "nothing of the kind");
    t.ok(await page.locator("#none").isVisible());
    await page.getByRole("button", { name: "Show all" }).click();
    await page.keyboard.type("toolbox");
    await page.keyboard.press("ArrowDown");
    const first = await page.evaluate("document.activeElement.textContent");
    await page.keyboard.press("ArrowDown");
    t.not(await page.evaluate("document.activeElement.textContent"), first);
    await page.keyboard.press("ArrowUp");
    t.equal(await page.evaluate("document.activeElement.textContent"), first);
    await page.keyboard.press("ArrowUp");
    t.equal(await page.evaluate("document.activeElement.id"), "find");
    await page.fill("#find", "wiki");
    await page.keyboard.press("Enter");
    await page.waitForURL(`http://wiki.${ZONE}/?start`);
    await page.goBack();
    t.equal(await page.inputValue("#find"), "wiki", "the query was in the address");
    t.same(await shown(page), ["wiki"]);
    t.same(said, []);
    await page.context().close();
  });

  t.test("copy buttons: copy names, addresses, and ports with their names", async (t) => {
    const { page } = await open();
    const address = await page.locator("#s-web > code").innerText();
    for (const [row, what, text] of [
      ["#s-web", `Copy name web.${ZONE}`, `web.${ZONE}`],
      ["#s-web", `Copy address ${address}`, address],
      ["#s-db", "5432", `db.${ZONE}:5432`],
    ] as const) {
      await page.locator(row).hover();
      await page.getByRole("button", { name: what, exact: true }).click();
      t.equal(await page.textContent("#said"), `Copied ${text}`);
      await page.locator("#find").focus();
      await page.keyboard.press("Control+V");
      t.equal(await page.inputValue("#find"), text);
      await page.keyboard.press("Escape");
    }
    await page.context().close();
  });

  t.test("an open page: shows starts and stops", async (t) => {
    const { page, said } = await open();
    await page.waitForSelector("#fresh:not(:empty)");
    await page.evaluate("window.here = true");
    await page.locator("#s-web > p > a").focus();
    await page.evaluate(`window.seen = {}; new MutationObserver(() => {
      for (const row of document.querySelectorAll("main li[id]")) {
        const key = row.id + " " + row.querySelector("em").textContent;
        window.seen[key] ??= Date.now();
      }
    }).observe(document.querySelector("main"), { subtree: true, childList: true })`);
    const shownAt = (key: string): Promise<number> =>
      until(key, () => page.evaluate<number | undefined>(`window.seen[${JSON.stringify(key)}]`));
    /** The run writes the page and renames it into its place. */
    const written = (): number => statSync(join(storage(lab), "www/index.html")).ctimeMs;
    await lab.startContainer({ name: "late" });
    await apply(lab);
    const appeared = (await shownAt("s-late running")) - written();
    t.comment(`a started one appears: ${Math.round(appeared)} ms after it was written`);
    await lab.docker("stop", "-t", "0", "late");
    await apply(lab);
    const changed = (await shownAt("s-late stopped")) - written();
    t.comment(`a stopped one says so: ${Math.round(changed)} ms`);
    t.equal(await page.locator("#s-late a[href]").count(), 0);
    t.match(await page.locator("#s-late time").innerText(), /^address reserved for \d+ (s|min)$/);
    await lab.docker("start", "late");
    await apply(lab);
    await until("it is back", async () => (await stateOf(page, "late")) === "running");
    t.equal(await page.evaluate("window.here"), true, "without a reload");
    t.equal(await page.evaluate("document.activeElement.closest('li').id"), "s-web", "and the focus stayed");
    t.same(said, []);
    await page.context().close();
  });

  t.test("without a script: the page is complete", async (t) => {
    const { page } = await open(HOME, { javaScriptEnabled: false });
    t.same((await page.locator("main li > p > a").allInnerTexts()).toSorted(), [
      "<img src=x onerror=alert(1)>",
      "Team wiki",
      "db",
      "front",
      "late",
      "lonely",
      "web",
    ]);
    t.match(await page.locator("#fresh").innerText(), /^Updated 20\d\d-/);
    t.match(await page.locator("#s-web time").innerText(), /^20\d\d-/);
    await page.locator("#s-web > p > a").click();
    t.equal((await page.locator("body").innerText()).trim(), "web");
    await page.context().close();
  });

  t.test("the page: axe-core reports nothing", async (t) => {
    for (const colorScheme of ["light", "dark"] as const) {
      const { page } = await open(HOME, { colorScheme });
      await page.waitForSelector("#fresh:not(:empty)");
      t.same(await violations(page), [], colorScheme);
      await page.context().close();
    }
  });

  t.test("another host's name in the request: refused", async (t) => {
    const { page } = await open(`http://web.${ZONE}/`);
    t.equal((await page.locator("body").innerText()).trim(), "web");
    await page.context().close();
    for (const [host, status] of [
      ["evil.example", "421"],
      [ZONE, "200"],
      [`dockerhost.${ZONE}`, "200"],
      ["192.168.122.200", "200"],
    ] as const) {
      const argv = ["-o", "/dev/null", "-w", "%{http_code}", "-H", `Host: ${host}`];
      t.equal(await lab.curl("http://192.168.122.200/", ...argv), status, host);
    }
    t.match(
      await lab.curl(`${HOME}zone.txt`),
      "DNS_ALLOW_TRANSFER",
      "the office PC may not transfer the zone",
    );
    t.equal(JSON.parse(await lab.curl(`${HOME}services.json`)).schemaVersion, 1);
  });

  t.test("the server restarted: the open page reconnects", async (t) => {
    const { page } = await open();
    await page.waitForSelector("#fresh:not(:empty)");
    await server.stop();
    await page.waitForSelector("#fresh.stale", { timeout: 30_000 });
    t.match(await page.textContent("#fresh"), "No connection to the server");
    const again = await lab.serve();
    t.teardown(() => again.stop());
    await page.waitForSelector("#fresh:not(.stale)", { timeout: 30_000 });
    await page.context().close();
  });
});
