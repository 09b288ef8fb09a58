/** When a forward, its bridge port and its name became active and were removed: from notifications, not by polling. */

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, statSync, watch } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { clock } from "./clock.ts";
import type { Bench } from "./director-host.ts";
import type { Seen } from "./kernel-eye.ts";

const LONGEST_MS = 30_000;

/** Follows netfilter's notifications and the zone file of a benchmark's host, from its creation to `close`. */
export class EventObserver {
  readonly #seen: Seen[] = [];
  readonly #zones: { readonly at: number; readonly text: string }[] = [];
  readonly #eye: ChildProcess;
  readonly ready: Promise<void>;

  constructor(bench: Bench, zoneFile: string) {
    const argv = [...bench.enter.slice(1), process.execPath, join(import.meta.dirname, "kernel-eye.ts")];
    this.#eye = spawn(bench.enter[0] ?? "", argv, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: this.#eye.stdout as NonNullable<ChildProcess["stdout"]> });
    this.ready = new Promise((resolve) => {
      lines.on("line", (line) => {
        if (line.includes("ready")) resolve();
        else this.#seen.push(JSON.parse(line) as Seen);
      });
    });
    watch(join(zoneFile, ".."), { persistent: false }, () => {
      try {
        const text = readFileSync(zoneFile, "latin1");
        // the kernel's own time of the rename
        this.#zones.push({ at: clock() - (Date.now() - statSync(zoneFile).ctimeMs), text });
        if (this.#zones.length > 20) this.#zones.shift();
      } catch {
        // renamed this very moment: the next notice follows
      }
    });
  }

  /** Time of the first notification after `from` that an alias's forward or port exists or was removed. */
  changed(what: Seen["what"], alias: string, there: boolean, from: number): Promise<number> {
    const fits = (one: Seen): boolean =>
      one.what === what && one.alias === alias && one.there === there && one.at >= from;
    return until(`${what} of ${alias} ${there ? "there" : "gone"}`, () => this.#seen.find(fits)?.at);
  }

  /** Whether an alias has ever had a port. */
  hasPort = (alias: string): boolean => this.#seen.some((one) => one.what === "port" && one.alias === alias);

  /** Time at which the zone file first had an alias, or not, after `from`. */
  named(alias: string, from: number): Promise<number> {
    const line = new RegExp(`\\sA\\s+${alias.replaceAll(".", "\\.")}\\s`);
    return until(
      `name of ${alias}`,
      () => this.#zones.find(({ at, text }) => at >= from && line.test(text))?.at,
    );
  }

  close(): void {
    this.#eye.stdin?.end();
  }
}

async function until<T>(what: string, ask: () => T | undefined): Promise<T> {
  const end = performance.now() + LONGEST_MS;
  for (;;) {
    const answer = ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`not within ${LONGEST_MS} ms: ${what}`);
    await sleep(2);
  }
}
