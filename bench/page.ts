/**
 * The figures of the index page: `node bench/page.ts`. Chromium is Debian's, the server OCDD's, both on loopback.
 * docs/benchmarks-page.md has the table.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { readTemplate } from "../src/host/disk/page.ts";
import { openBrowser } from "../test/browser/chromium.ts";
import { sampleContainers, sampleDecision } from "../test/core/page-sample.ts";

const ROUNDS = 15;
const STREAMS = 200;
const PORT = 18_080;
const ZONE = "toolbox.example.com";

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? 0;
const worst = (list: readonly number[]): number => Math.max(...list);
const row = (what: string, ...figures: string[]): void => console.log(`| ${what} | ${figures.join(" | ")} |`);
const ms = (n: number): string => `${n.toFixed(n < 10 ? 1 : 0)} ms`;
const kB = (n: number): string => `${(n / 1000).toFixed(1)} kB`;

const template = await readTemplate("");
const containers = sampleContainers(500);
const decision = sampleDecision(containers, template);
const site = mkdtempSync(join(tmpdir(), "ocdd-bench-page-"));

/** Writes as the director does: services first, each whole by rename. */
function write({ desired }: ReturnType<typeof sampleDecision>): void {
  for (const [name, text] of [
    ["services.json", desired.page.services],
    ["index.html", desired.page.html],
  ] as const) {
    writeFileSync(join(site, `${name}.new`), text);
    renameSync(join(site, `${name}.new`), join(site, name));
  }
}

const ROWS = /\n<li [\s\S]*?(?=\n<li |\n<\/ul>)/g;

/** Octets of the rows' data in a page: their text, and the values of their links and names. */
function rowData(html: string): number {
  const list = html.slice(html.indexOf("<main"), html.indexOf("</main>"));
  const rows = list.match(ROWS) ?? [];
  return rows.reduce((sum, text) => {
    const shown = text.replace(/<[^>]*>/g, "");
    const values = [...text.matchAll(/ (?:href|title|datetime|class)="?([^">]*)"?| id=s-([^ >]*)/g)];
    return sum + Buffer.byteLength(shown) + values.reduce((n, [, a, b]) => n + (a ?? b ?? "").length, 0);
  }, 0);
}

/** The server in a process of its own, so that its memory can be measured. */
async function startServer(): Promise<ChildProcess> {
  const program = `
    import { serveHttp } from ${JSON.stringify(new URL("../src/serve/http/server.ts", import.meta.url).href)};
    const [site, port] = process.argv.slice(1);
    await serveHttp({ zone: "${ZONE}", hostNames: [], listen: ["127.0.0.1"], port: Number(port), indexFile: site + "/index.html",
      servicesFile: site + "/services.json", lastRunFile: site + "/last-run", zoneFile: site + "/zone", selfFile: site + "/self.json", log: () => undefined });
    process.on("message", () => { globalThis.gc(); process.send(process.memoryUsage().rss); });
    process.on("disconnect", () => process.exit());
    process.send("ready");`;
  const child = spawn(
    process.execPath,
    ["--expose-gc", "--input-type=module", "-e", program, site, String(PORT)],
    { stdio: ["ignore", "inherit", "inherit", "ipc"] },
  );
  await new Promise((ready) => child.once("message", ready));
  return child;
}

function memory(child: ChildProcess): Promise<number> {
  return new Promise((told) => {
    child.once("message", (rss) => told(Number(rss)));
    child.send("memory");
  });
}

write(decision);
writeFileSync(join(site, "zone"), "");
writeFileSync(join(site, "last-run"), `${Math.floor(Date.now() / 1000)}\n`);
const html = decision.desired.page.html;
const server = await startServer();
const before = await memory(server);
const { browser, close } = await openBrowser();
try {
  console.log("| 500 services, median (worst) | measured | wanted |\n|---|---|---|");
  row("HTML in all, uncompressed", kB(Buffer.byteLength(html)), "");
  row("apart from the rows", kB(Buffer.byteLength(html.replace(ROWS, ""))), "≤ 120 kB");
  row("apart from the rows' data", kB(Buffer.byteLength(html) - rowData(html)), "");
  row("on the wire, gzip", kB(gzipSync(html).length), "");

  const paints: number[] = [];
  const again: number[] = [];
  const filters: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${PORT}/`);
    paints.push(await page.evaluate(FIRST_PAINT()));
    await page.goto(`http://127.0.0.1:${PORT}/?again`);
    again.push(await page.evaluate(FIRST_PAINT()));
    filters.push(...(await page.evaluate<number[]>(TYPING())));
    await page.close();
  }
  row(
    "first render, a new tab with a new process",
    `${ms(median(paints))} (${ms(worst(paints))})`,
    "≤ 200 ms",
  );
  row("first render, in a tab that is open", `${ms(median(again))} (${ms(worst(again))})`, "≤ 200 ms");
  row("one letter typed into the search", `${ms(median(filters))} (${ms(worst(filters))})`, "< 50 ms");

  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${PORT}/`);
  await sleep(500);
  const updates: number[] = [];
  let last = decision;
  for (let i = 0; i < ROUNDS; i++) {
    // one container ends, or starts again
    const next = sampleDecision(i % 2 === 0 ? containers.slice(1) : containers, template, last);
    const version = JSON.parse(next.desired.page.services).version as string;
    const seen = page.evaluate(SHOWS(version));
    await sleep(200);
    const start = performance.now();
    write(next);
    await seen;
    updates.push(performance.now() - start);
    last = next;
  }
  row("a change is shown in an open page", `${ms(median(updates))} (${ms(worst(updates))})`, "≤ 150 ms");
  await page.close();

  const idle = await memory(server);
  const streams = await Promise.all(
    Array.from(
      { length: STREAMS },
      () =>
        new Promise<() => void>((opened, failed) => {
          const asked = get(
            { host: "127.0.0.1", port: PORT, path: "/events", headers: { Host: ZONE }, agent: false },
            (reply) => {
              reply.on("error", () => undefined);
              reply.once("data", () => opened(() => asked.destroy()));
            },
          );
          asked.on("error", failed);
        }),
    ),
  );
  await sleep(1_000);
  const held = await memory(server);
  row(`${STREAMS} open streams`, `${((held - idle) / 1e6).toFixed(1)} MB`, "< 30 MB");
  row("the server before any of it, in all", `${(before / 1e6).toFixed(0)} MB`, "");
  for (const end of streams) end();
} finally {
  await close();
  server.kill();
  rmSync(site, { recursive: true, force: true });
}

/** Milliseconds from the start of navigation to the first contentful paint. */
function FIRST_PAINT(): string {
  return `new Promise((told) => new PerformanceObserver((list) => {
    for (const entry of list.getEntriesByName("first-contentful-paint")) told(entry.startTime);
  }).observe({ type: "paint", buffered: true }))`;
}

/** Settles when the page shows this version. */
function SHOWS(version: string): string {
  return `new Promise((shown) => {
    const look = () => document.documentElement.dataset.version === "${version}" ? shown() : requestAnimationFrame(look);
    look();
  })`;
}

/** Milliseconds that each letter takes, layout of what is left included. */
function TYPING(): string {
  return `(() => {
    const find = document.querySelector("#find");
    return ["g", "gr", "gra", "graf", "grafa", "", "3", "30", "172", "wiki"].map((query) => {
      const start = performance.now();
      find.value = query;
      find.dispatchEvent(new Event("input", { bubbles: true }));
      document.body.offsetHeight;
      return performance.now() - start;
    });
  })()`;
}
