/** Tables and statistics of the benchmarks. */

import { loadavg } from "node:os";

export const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Print a table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  for (const line of [head, head.map(() => "---"), ...rows]) say(`| ${line.join(" | ")} |`);
}

/** The value below which `p` percent of all are; NaN of none. */
export const percentile = (values: readonly number[], p: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor((values.length * p) / 100))] ??
  Number.NaN;

export const median = (values: readonly number[]): number => percentile(values, 50);

/** One-minute load of the machine: with other load every latency is an upper bound. */
export const load = (): string => (loadavg()[0] ?? 0).toFixed(1);
