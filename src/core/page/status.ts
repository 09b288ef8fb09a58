/** The state of a service as the page shows it. */
import { silenceOf } from "../lifecycle/port-check.ts";
import type { Checks } from "../methods/results.ts";
import type { Service } from "../model.ts";
import { portlessReason } from "../services/portless.ts";
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
  | "no packets"
  | (string & {});
export type Tone = "good" | "wait" | "warn" | "bad" | "asleep";

/** Health comes before state; a name that was not granted is reported only when the service itself works. */
export function statusOf({ state, health, renamed, checks = {}, unanswered, portless, notes }: Service): {
  readonly status: Status;
  readonly tone: Tone;
} {
  if (state === "asleep") return { status: "asleep", tone: "asleep" };
  if (state === "starting" || state === "created") return { status: "starting", tone: "wait" };
  if (state !== "running") return { status: field(state) ?? "?", tone: "bad" };
  // whatever its own checks say: no client reaches it
  if (portless === true) return { status: "no packets", tone: "bad" };
  if (health === "unhealthy") return { status: "unhealthy", tone: "bad" };
  if (checks.validate?.result === "failed") return { status: "invalid", tone: "bad" };
  if (checks.monitor?.result === "CRITICAL") return { status: "critical", tone: "bad" };
  if (health === "starting") return { status: "starting", tone: "wait" };
  if (checks.monitor?.result === "WARNING") return { status: "warning", tone: "warn" };
  // no severer: it may serve on a port that it does not declare
  if (unanswered === true) return { status: "no answer", tone: "warn" };
  if (renamed !== null) return { status: "renamed", tone: "warn" };
  const tone = notes === undefined ? "good" : "warn";
  return { status: health === "healthy" ? "healthy" : "running", tone };
}

/** What a failed VALIDATE or a MONITOR that is not OK says; null where nothing is wrong. */
function troubleOf({ validate, monitor }: Checks = {}): string | null {
  const said = ({ reason }: { readonly reason: string | null }): string =>
    reason === null ? "" : `: ${reason}`;
  if (validate?.result === "failed") return `VALIDATE has failed${said(validate)}`;
  return monitor === undefined || monitor.result === "OK"
    ? null
    : `MONITOR says ${monitor.result}${said(monitor)}`;
}

/** Why it needs attention, or what a run warns of about it; undefined where that is nothing. */
export const reasonOf = (service: Service): string | undefined =>
  service.failure ??
  portlessReason(service) ??
  troubleOf(service.checks) ??
  silenceOf(service) ??
  service.renamed ??
  service.notes?.join("; ");
