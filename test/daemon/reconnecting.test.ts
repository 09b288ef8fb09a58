/** Streams that are opened again, and conditions that are logged once. */
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { HostError } from "../../src/core/errors.ts";
import { dedupedLog } from "../../src/daemon/log-once.ts";
import { reconnecting } from "../../src/daemon/reconnecting.ts";

/** Lines logged, pauses (milliseconds) and wakes of a stream that does `each` and was opened so many `times`. */
async function reopened(
  times: number,
  each: (n: number, opened: () => void) => Promise<void>,
  options: { backOffMs: readonly [number, number]; establishedMs: number },
): Promise<{ lines: string[]; pauses: number[]; woken: number }> {
  const stop = new AbortController();
  const lines: string[] = [];
  const pauses: number[] = [];
  let n = 0;
  let woken = 0;
  let ended = performance.now();
  await reconnecting(
    "lost the stream",
    async (opened) => {
      pauses.push(performance.now() - ended);
      n += 1;
      if (n > times) return stop.abort();
      try {
        await each(n, opened);
      } finally {
        ended = performance.now();
      }
    },
    () => {
      woken += 1;
    },
    stop.signal,
    (level, line) => lines.push(`${level}: ${line}`),
    options,
  );
  return { lines, pauses: pauses.slice(1), woken };
}

t.test("a stream that ends as soon as it has opened: ever longer pauses, one line of log", async (t) => {
  const failing = async (_: number, opened: () => void): Promise<void> => {
    opened();
    throw new HostError("command", "it has ended");
  };
  const { lines, pauses, woken } = await reopened(5, failing, { backOffMs: [10, 80], establishedMs: 5_000 });
  t.same(lines, ["warning: it has ended; reconnecting"]);
  t.equal(woken, 5, "each opening wakes");
  for (const [i, least] of [10, 20, 40, 80, 80].entries())
    t.ok((pauses[i] ?? 0) >= least - 2, `${pauses[i]}`);
});

t.test("a stream that was established: its end counts as a first failure", async (t) => {
  const sometimes = async (n: number, opened: () => void): Promise<void> => {
    opened();
    if (n === 2) await sleep(100);
  };
  const { lines } = await reopened(3, sometimes, { backOffMs: [1, 2], establishedMs: 50 });
  t.same(
    lines,
    Array.from({ length: 2 }, () => "warning: lost the stream; reconnecting"),
  );
});

t.test("a stream that never opens, or fails with any other error, is opened again too", async (t) => {
  const { lines, woken } = await reopened(3, () => Promise.reject(new TypeError("x is not y")), {
    backOffMs: [1, 2],
    establishedMs: 50,
  });
  t.same(lines, ["warning: x is not y; reconnecting"]);
  t.equal(woken, 0);
});

t.test("a condition is logged when it arises, and again when it comes back", (t) => {
  const lines: string[] = [];
  const log = dedupedLog((level, line) => lines.push(`${level}: ${line}`));
  const full = (rest: number): string =>
    `container "c" is not served: the address range is full: 4 addresses, 3 in use, ${rest} at rest`;
  log.succeeded([full(0)]);
  log.succeeded([full(1)]);
  log.failed("no Docker");
  log.failed("no Docker");
  log.succeeded([full(0)]);
  log.failed("no Docker");
  log.succeeded([]);
  log.succeeded([full(0)]);
  t.same(lines, [
    `warning: ${full(0)}`,
    "error: no Docker",
    "info: reconciliation succeeds again",
    "error: no Docker",
    "info: reconciliation succeeds again",
    `warning: ${full(0)}`,
  ]);
  t.end();
});
