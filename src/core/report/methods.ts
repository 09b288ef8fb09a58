/** The results of `ocdd validate`, `update` and `monitor`, as text and as JSON. */

import { clip } from "../clip.ts";
import type { MethodName } from "../methods/method.ts";
import { type MethodResult, monitorState } from "../methods/results.ts";
import { isoMs } from "../moment.ts";
import { counted } from "../text.ts";
import { columns } from "./columns.ts";
import { SCHEMA_VERSION } from "./report.ts";

/** What came of a command for one container. */
export interface MethodOutcome {
  /** The service's name. */
  readonly name: string;
  readonly container: string;
  /** Of each method that was run, in order. */
  readonly results: readonly (MethodResult & { readonly output: string; readonly source: string })[];
  /** Why none was run, or null. */
  readonly skipped: string | null;
}

/** Whether all that was run for it has succeeded, and something was. */
export const succeeded = ({ results, skipped }: MethodOutcome): boolean =>
  skipped === null && results.every(({ ok }) => ok);

/** What is said when one of several is done: `VALIDATE passed (0.2 s)`. */
export function doneText({ results, skipped }: MethodOutcome): string {
  const last = results.at(-1);
  if (last === undefined) return `not run: ${clip(skipped ?? "", 100)}`;
  return `${last.method.toUpperCase()} ${word(last)} (${seconds(last)})`;
}

/** Containers for which nothing was run. */
export interface LeftOut {
  /** How many have no such method, of those that were not named. */
  readonly without: number;
  /** Those that were left as they are after a failure. */
  readonly notTouched: readonly string[];
}

/** One service a line, then what was left out. */
export function roundText(
  asked: MethodName,
  outcomes: readonly MethodOutcome[],
  { without, notTouched }: LeftOut,
): string {
  const noun = `${asked.toUpperCase()} method`;
  return [
    outcomes.length === 0 ? "" : outcomesText(outcomes),
    without === 0 ? "" : `${counted(without, "service")} without ${noun}\n`,
    notTouched.length === 0 ? "" : `not touched: ${notTouched.map((name) => clip(name)).join(", ")}\n`,
  ].join("");
}

function outcomesText(outcomes: readonly MethodOutcome[]): string {
  const rows = outcomes.flatMap(({ name, results, skipped }) =>
    skipped !== null
      ? [[name, "-", "not run", "", skipped]]
      : results.map((result) => [
          name,
          result.method.toUpperCase(),
          word(result),
          seconds(result),
          note(result),
        ]),
  );
  return columns(["NAME", "METHOD", "RESULT", "TIME", ""], rows);
}

/** `passed`, `failed`; of MONITOR its state. */
const word = ({ method, ok, status }: MethodResult): string =>
  method === "monitor" ? monitorState(status) : ok ? "passed" : "failed";

const seconds = ({ startedAt, endedAt }: MethodResult): string =>
  `${((endedAt - startedAt) / 1000).toFixed(1)} s`;

function note({ method, status, reason }: MethodResult): string {
  const exit = method === "monitor" || status === null || status === 0 ? "" : `status ${status}`;
  return [exit, clip(reason ?? "", 100)].filter((part) => part !== "").join(": ");
}

/** The document of `--json`. Output is the last 8 000 characters. */
export function outcomesDocument(
  command: string,
  outcomes: readonly MethodOutcome[],
  notTouched: readonly string[],
): object {
  return {
    schemaVersion: SCHEMA_VERSION,
    command,
    services: outcomes.map((one) => ({
      name: one.name,
      container: one.container,
      ok: succeeded(one),
      skipped: one.skipped,
      results: one.results.map(
        ({ method, ok, status, reason, startedAt, endedAt, source, output, ...result }) => ({
          method,
          ok,
          status,
          ...(method === "monitor" ? { state: monitorState(status) } : {}),
          reason,
          startedAt: isoMs(startedAt),
          ms: endedAt - startedAt,
          by: result.by,
          source,
          output,
        }),
      ),
    })),
    notTouched,
  };
}
