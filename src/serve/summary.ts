import type { BindLog } from "./bind.ts";
import type { DnsCounters, DnsEvent } from "./dns/counters.ts";

/** Milliseconds between summaries. */
const EVERY = 60_000;

/** What is told: nothing of it gets a line of its own, or strangers would write our log. */
const TOLD: readonly [DnsEvent, string][] = [
  ["malformed", "malformed queries"],
  ["silent", "messages not worth an answer"],
  ["dropped", "answers dropped by the rate limit"],
  ["slipped", "answers truncated by the rate limit"],
  ["aborted", "transfers cut off at a record that fits no message"],
];

/** Words for what happened between two readings; undefined when nothing did. */
export function summaryOf(before: DnsCounters, after: DnsCounters): string | undefined {
  const parts = TOLD.flatMap(([event, words]) => {
    const count = after.events[event] - before.events[event];
    return count > 0 ? [`${count} ${words}`] : [];
  });
  return parts.length === 0 ? undefined : `in the last minute: ${parts.join(", ")}`;
}

/** Log a summary of hostile or broken traffic once a minute, when there was any. */
export function summarise(read: () => DnsCounters, log: BindLog): { close(): void } {
  let before = read();
  const timer = setInterval(() => {
    const after = read();
    const words = summaryOf(before, after);
    before = after;
    if (words !== undefined) log("warn", words);
  }, EVERY);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
