/** Debian's Chromium for tests, in whatever network they need it. The one importer of playwright-core. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

export type { Browser, BrowserContextOptions, Page };

export interface OpenBrowser {
  readonly browser: Browser;
  close(): Promise<void>;
}

/** Without these it contacts Google for updates, which a closed network refuses one by one. */
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts it. `enter` is the argument vector that puts a program into another place, such as a network namespace. */
export async function openBrowser(enter: readonly string[] = []): Promise<OpenBrowser> {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-chromium-"));
  const wrapper = join(directory, "chromium");
  // playwright starts one file: a script that enters the place first
  writeFileSync(wrapper, `#!/bin/sh\nexec ${[...enter, "/usr/bin/chromium"].map(quoted).join(" ")} "$@"\n`);
  chmodSync(wrapper, 0o755);
  const browser = await chromium.launch({ executablePath: wrapper, args: QUIET });
  return {
    browser,
    async close() {
      await browser.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
