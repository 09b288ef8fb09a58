/** One log line a minute for hostile or broken traffic. */
import type { Say } from "../daemon/log.ts";
import type { DnsCounters, DnsEvent } from "./dns/counters.ts";

/** Milliseconds between summaries. */
const SUMMARY_MS = 60_000;

/** Events that are summed up: a line for each would let any client fill the log. */
const SUMMARISED: readonly [DnsEvent, string][] = [
  ["malformed", "malformed queries"],
  ["silent", "messages not worth an answer"],
  ["dropped", "answers dropped by the rate limit"],
  ["slipped", "answers truncated by the rate limit"],
  ["aborted", "transfers cut off at a record that fits no message"],
];

/** Text of the events between two readings; undefined when there were none. */
export function summaryOf(before: DnsCounters, after: DnsCounters): string | undefined {
  const parts = SUMMARISED.flatMap(([event, words]) => {
    const count = after.events[event] - before.events[event];
    return count > 0 ? [`${count} ${words}`] : [];
  });
  return parts.length === 0 ? undefined : `in the last minute: ${parts.join(", ")}`;
}

/** Log a summary of hostile or broken traffic once a minute, when there was any. */
export function summarise(read: () => DnsCounters, log: Say): { close(): void } {
  let before = read();
  const timer = setInterval(() => {
    const after = read();
    const words = summaryOf(before, after);
    before = after;
    if (words !== undefined) log("warning", words);
  }, SUMMARY_MS);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
