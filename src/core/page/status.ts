/** The state of a service as the page shows it. */
import type { Checks } from "../methods/results.ts";
import type { Service } from "../model.ts";
import { field } from "../text.ts";

/** A service's state in one word, and its severity. */
export type Status =
  | "running"
  | "healthy"
  | "starting"
  | "renamed"
  | "unhealthy"
  | "invalid"
  | "critical"
  | "warning"
  | "no answer"
  | (string & {});
export type Tone = "good" | "wait" | "warn" | "bad" | "asleep";

/** Health comes before state; a name that was not granted is reported only when the service itself works. */
export function statusOf({ state, health, renamed, checks = {}, unanswered }: Service): {
  readonly status: Status;
  readonly tone: Tone;
} {
  if (state === "asleep") return { status: "asleep", tone: "asleep" };
  if (state === "starting" || state === "created") return { status: "starting", tone: "wait" };
  if (state !== "running") return { status: field(state) ?? "?", tone: "bad" };
  if (health === "unhealthy") return { status: "unhealthy", tone: "bad" };
  if (checks.validate?.result === "failed") return { status: "invalid", tone: "bad" };
  if (checks.monitor?.result === "CRITICAL") return { status: "critical", tone: "bad" };
  if (health === "starting") return { status: "starting", tone: "wait" };
  if (checks.monitor?.result === "WARNING") return { status: "warning", tone: "warn" };
  // no severer: it may serve on a port that it does not declare
  if (unanswered === true) return { status: "no answer", tone: "warn" };
  if (renamed !== null) return { status: "renamed", tone: "warn" };
  return { status: health === "healthy" ? "healthy" : "running", tone: "good" };
}

/** What a failed VALIDATE or a MONITOR that is not OK says; null where nothing is wrong. */
export function troubleOf({ validate, monitor }: Checks = {}): string | null {
  const said = ({ reason }: { readonly reason: string | null }): string =>
    reason === null ? "" : `: ${reason}`;
  if (validate?.result === "failed") return `VALIDATE has failed${said(validate)}`;
  return monitor === undefined || monitor.result === "OK"
    ? null
    : `MONITOR says ${monitor.result}${said(monitor)}`;
}
