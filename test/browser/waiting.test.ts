/**
 * The waiting page in Chromium, without a lab: it becomes the service by itself, with and without a script. Pictures of each phase
 * in test/browser/pictures to be inspected by a person; axe-core on every one of them.
 */
import { once } from "node:events";
import { createServer, get, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import t, { type Test } from "tap";
import { until } from "../lab/process.ts";
import { openStage, type Stage, waitingFor } from "../lifecycle/stage.ts";
import { type BrowserContextOptions, openBrowser, type Page } from "./chromium.ts";
import { takePicture } from "./pictures.ts";
import { complaints, violations } from "./watch.ts";

const ALIAS = "127.0.0.13";
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

t.setTimeout(1_200_000);
const { browser, close } = await openBrowser();
t.teardown(close);

interface Visited extends Stage {
  /** Where browsers go. */
  readonly url: string;
  /** The redirection leads to the container from now on, and requests that are kept are told so. */
  wake(): void;
  /** Ends all connections, and each new one at once, or no longer. */
  cut(isCut: boolean): void;
}

/** The alias's port: as the rules do, each new connection is led to the waiting page, and later to the container. */
async function visited(t: Test, limits: Parameters<typeof openStage>[0] = {}): Promise<Visited> {
  const stage = await openStage(limits);
  const service = createServer((request, response) => {
    response.writeHead(200, { "Content-Type": "text/html" });
    response.end(`<!doctype html><title>the service</title><p>${request.method} ${request.url}`);
  });
  const target = await listening(service);
  let leadsTo = stage.port;
  let closed = false;
  const open = new Set<Socket>();
  const alias = createTcpServer((client) => {
    if (closed) return void client.destroy();
    const host = connect(leadsTo, ALIAS);
    for (const socket of [client, host]) {
      open.add(socket);
      socket.on("error", () => undefined).once("close", () => open.delete(socket));
    }
    client.pipe(host).pipe(client);
  });
  const port = await listening(alias);
  t.teardown(async () => {
    for (const server of [alias, service]) server.close();
    service.closeAllConnections();
    for (const socket of open) socket.destroy();
    await stage.close();
  });
  stage.set(ALIAS, waitingFor());
  return {
    ...stage,
    url: `http://${ALIAS}:${port}/job/build%201?tab=log&n=1`,
    wake() {
      leadsTo = target;
      stage.set(ALIAS, "ready");
    },
    cut(isCut) {
      closed = isCut;
      if (isCut) for (const socket of open) socket.destroy();
    },
  };
}

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((done) => server.listen(0, ALIAS, done));
  return (server.address() as AddressInfo).port;
}

async function visit(
  t: Test,
  url: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; said: string[] }> {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  t.teardown(() => context.close());
  const page = await context.newPage();
  const said = complaints(page);
  await page.goto(url);
  return { page, said };
}

/** What the service's page has. No function of the test's is waited for: the waiting page's policy allows none to be evaluated. */
const SERVICE = "p:has-text('GET')";

t.test("the page: shows the phase, then becomes the service by itself at the same URL", async (t) => {
  const site = await visited(t);
  const { page, said } = await visit(t, `${site.url}#end`);
  t.equal(await page.locator("h1").innerText(), "jenkins is starting");
  await until("its script asks", () => site.kept() === 1);
  site.set(ALIAS, waitingFor({ phase: "checking" }));
  await page.waitForSelector(".done");
  await until("its script asks again", () => site.kept() === 1);
  site.wake();
  await page.waitForSelector(SERVICE);
  t.equal(await page.locator("p").innerText(), `GET ${new URL(site.url).pathname}?tab=log&n=1`);
  t.equal(page.url(), `${site.url}#end`);
  t.same(
    said.filter((line) => !/status of 503/.test(line)),
    [],
    "the page's own status is the only complaint",
  );
});

t.test("a question that fails or makes room for another: the page stays and asks again", async (t) => {
  const site = await visited(t, { kept: 1 });
  const { page } = await visit(t, site.url);
  await page.evaluate("window.here = true");
  await until("its script asks", () => site.kept() === 1);
  const failed = page.waitForEvent("requestfailed");
  site.cut(true);
  await failed;
  await until("nothing is kept", () => site.kept() === 0);
  site.cut(false);
  await until("its script asks again", () => site.kept() === 1);
  const refused = page.waitForResponse((response) => response.status() === 503);
  const other = get({ host: ALIAS, port: site.port, localAddress: "127.0.0.2", agent: false });
  const answered = once(other, "response");
  await refused;
  await answered;
  t.equal(await page.evaluate("window.here"), true);
  site.wake();
  await page.waitForSelector(SERVICE);
});

t.test("without a script: it becomes the service as well", async (t) => {
  const site = await visited(t);
  const { page } = await visit(t, site.url, { javaScriptEnabled: false });
  t.equal(await page.title(), "jenkins is starting");
  site.wake();
  await page.waitForSelector(SERVICE);
  t.equal(await page.locator("p").innerText(), `GET ${new URL(site.url).pathname}?tab=log&n=1`);
  t.equal(page.url(), site.url);
});

t.test("a start that fails: the page says why, and tries again when it is told to", async (t) => {
  const site = await visited(t);
  const { page } = await visit(t, site.url);
  await until("its script asks", () => site.kept() === 1);
  site.set(ALIAS, waitingFor({ phase: "failed", reason: "port 80 is <taken>", retry: 20 }));
  await page.waitForSelector("samp");
  t.equal(await page.locator("samp").innerText(), "port 80 is <taken>");
  site.wake();
  await page.getByRole("link", { name: "Try again" }).click();
  await page.waitForSelector(SERVICE);
  t.equal(page.url(), site.url);
});

t.test("each picture: axe-core reports nothing, nothing to scroll sideways", async (t) => {
  const site = await visited(t);
  const reason =
    "driver failed programming external connectivity on endpoint jenkins: Bind for 0.0.0.0:50000 failed: port is already allocated";
  const phases = {
    starting: waitingFor(),
    checking: waitingFor({ phase: "checking", since: 12 }),
    failed: waitingFor({ phase: "failed", reason, retry: 20 }),
    long: waitingFor({ name: "n".repeat(63), fqdn: `${"n".repeat(63)}.toolbox.example.com` }),
  };
  const looks: [string, BrowserContextOptions][] = [
    ["", { viewport: { width: 1280, height: 800 } }],
    ["-dark", { viewport: { width: 1280, height: 800 }, colorScheme: "dark" }],
    ["-phone", PHONE],
    ["-phone-dark", { ...PHONE, colorScheme: "dark" }],
  ];
  for (const [phase, state] of Object.entries(phases)) {
    site.set(ALIAS, state);
    for (const [look, options] of looks) {
      const { page } = await visit(t, site.url, options);
      await takePicture(page, `waiting-${phase}${look}`);
      t.same(await violations(page), [], `${phase}${look}: axe-core`);
      const wide = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
      t.ok(wide <= 0, `${phase}${look}: ${wide}`);
      await page.context().close();
    }
  }
});
