/** One run: observe, decide, plan, apply. */
import type { Config } from "../core/config/config.ts";
import type { Decision, Observation } from "../core/model.ts";
import { type Plan, plan } from "../core/plan.ts";
import type { Host } from "../host/host.ts";
import { type ConfirmOptions, observeAndDecide } from "./confirm.ts";

export interface ReconcileOptions extends ConfirmOptions {
  /** Carry out the plan; else only make it. */
  readonly apply: boolean;
}

export interface Outcome {
  readonly seen: Observation;
  readonly decision: Decision;
  readonly plan: Plan;
  /** What could not be put in force, one line each. */
  readonly warnings: readonly string[];
}

/** Bring the host to the state its containers ask for. Idempotent. Throws ConfigError, HostError. */
export async function reconcile(config: Config, host: Host, options: ReconcileOptions): Promise<Outcome> {
  const { seen, decision } = await observeAndDecide(config, host, options);
  const steps = plan(seen.actual, decision.desired, seen.leasesStale);
  const refused = options.apply ? await host.apply(steps) : [];
  if (options.apply) await host.noteRun();
  const warnings = refused.map(({ alias, message }) => `${alias} is not forwarded: ${message}`);
  return { seen, decision, plan: steps, warnings: [...decision.warnings, ...warnings] };
}
