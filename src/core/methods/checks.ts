/** The last results of VALIDATE and MONITOR, as a service shows them. */
import { perObject } from "../memo.ts";
import type { Service } from "../model.ts";
import { iso } from "../moment.ts";
import { type Check, type Checks, type MethodResult, monitorState, type Results } from "./results.ts";

const checked = perObject<Service, Service>();

/** The service with the results of its containers: of several the worst, then the latest. */
export function withChecks(service: Service, results: Results | undefined): Service {
  const own = service.instances.flatMap(({ id }) => results?.get(id) ?? []);
  if (own.length === 0) return service;
  const validate = worst(own.flatMap((methods) => methods.get("validate") ?? []));
  const monitor = worst(own.flatMap((methods) => methods.get("monitor") ?? []));
  const checks: Checks = {
    ...(validate && { validate: check(validate.ok ? "passed" : "failed", validate) }),
    ...(monitor && { monitor: check(monitorState(monitor.status), monitor) }),
  };
  return checked(service, JSON.stringify(checks), () => ({ ...service, checks }));
}

/** OK, UNKNOWN, WARNING, CRITICAL. */
const severity = ({ method, ok, status }: MethodResult): number =>
  ok ? 0 : method === "monitor" ? ([0, 2, 3][status ?? -1] ?? 1) : 1;

function worst(all: readonly MethodResult[]): MethodResult | undefined {
  return all.toSorted((a, b) => severity(b) - severity(a) || b.endedAt - a.endedAt)[0];
}

function check<Word extends string>(result: Word, { reason, endedAt }: MethodResult): Check<Word> {
  return { result, reason, at: iso(Math.floor(endedAt / 60_000) * 60) ?? "" };
}
