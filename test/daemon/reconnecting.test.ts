/** Streams that are opened again, and conditions that are said once. */
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { HostError } from "../../src/core/errors.ts";
import { makeStanding } from "../../src/daemon/log-once.ts";
import { keepOpen } from "../../src/daemon/reconnecting.ts";

/** What a stream that does `each` (opening number, how to say that it stands) left behind when it had been opened `times`. */
async function kept(
  times: number,
  each: (n: number, opened: () => void) => Promise<void>,
  options: { backOff: readonly [number, number]; stood: number },
): Promise<{ lines: string[]; pauses: number[]; woken: number }> {
  const stop = new AbortController();
  const lines: string[] = [];
  const pauses: number[] = [];
  let n = 0;
  let woken = 0;
  let ended = performance.now();
  await keepOpen(
    "words",
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

t.test(
  "a stream that ends as soon as it has opened is tried ever more seldom, and that is said once",
  async (t) => {
    const failing = async (_: number, opened: () => void): Promise<void> => {
      opened();
      throw new HostError("command", "it has ended");
    };
    const { lines, pauses, woken } = await kept(5, failing, { backOff: [10, 80], stood: 5_000 });
    t.same(lines, ["warning: it has ended; trying again"]);
    t.equal(woken, 5, "each opening wakes");
    for (const [i, least] of [10, 20, 40, 80, 80].entries())
      t.ok((pauses[i] ?? 0) >= least - 2, `${pauses[i]}`);
  },
);

t.test("after one that stood the next failure is a first one", async (t) => {
  const sometimes = async (n: number, opened: () => void): Promise<void> => {
    opened();
    if (n === 2) await sleep(1_100);
  };
  const { lines } = await kept(3, sometimes, { backOff: [1, 2], stood: 50 });
  t.same(
    lines,
    Array.from({ length: 2 }, () => "warning: words are heard no more; trying again"),
  );
});

t.test("one that never opens, or breaks in a way nobody thought of, is tried again too", async (t) => {
  const { lines, woken } = await kept(3, () => Promise.reject(new TypeError("x is not y")), {
    backOff: [1, 2],
    stood: 50,
  });
  t.same(lines, ["warning: x is not y; trying again"]);
  t.equal(woken, 0);
});

t.test("a condition is said when it arises, and again when it comes back", (t) => {
  const lines: string[] = [];
  const standing = makeStanding((level, line) => lines.push(`${level}: ${line}`));
  const full = (rest: number): string =>
    `container "c" is not served: the address range is full: 4 addresses, 3 in use, ${rest} at rest`;
  standing.passed([full(0)]);
  standing.passed([full(1)]);
  standing.failed("no Docker");
  standing.failed("no Docker");
  standing.passed([full(0)]);
  standing.failed("no Docker");
  standing.passed([]);
  standing.passed([full(0)]);
  t.same(lines, [
    `warning: ${full(0)}`,
    "error: no Docker",
    "info: runs end well again",
    "error: no Docker",
    "info: runs end well again",
    `warning: ${full(0)}`,
  ]);
  t.end();
});
