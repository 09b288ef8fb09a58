/** The sentence: observe, decide, plan, apply. */
import type { Config } from "../core/config/config.ts";
import { HostError, Overtaken } from "../core/errors.ts";
import { bereftAliases, withoutWriting } from "../core/forwards/retreat.ts";
import type { Decision, Observation } from "../core/model.ts";
import { type Plan, plan } from "../core/plan.ts";
import { REMEMBERING } from "../host/apply.ts";
import type { Host } from "../host/host.ts";
import { type Look, look, probed, type ReconcileOptions, type Run, takeDown } from "./confirm.ts";
import { makeVigil, NO_VIGIL } from "./vigil.ts";

export interface Outcome {
  readonly seen: Observation;
  readonly decision: Decision;
  readonly plan: Plan;
}

/** Bring the host to the state its containers ask for. Idempotent. Throws ConfigError, HostError. */
export async function reconcile(config: Config, host: Host, options: ReconcileOptions): Promise<Outcome> {
  const owners: Run["owners"] = {};
  if (!options.apply)
    return outcomeOf(config, await look({ config, host, options, vigil: NO_VIGIL, owners }));
  const vigil = makeVigil(host.deaths, (later) => takeDownDead(config, host, owners, later));
  const run: Run = { config, host, options, vigil, owners };
  const outcome = outcomeOf(config, await probed(run));
  owners.table = outcome.decision.desired.table;
  await applyOrRetreat(run, outcome);
  await vigil.keep(host.noteRun());
  return outcome;
}

function outcomeOf(config: Config, { seen, decision }: Look): Outcome {
  const steps = plan(seen.actual, decision.desired, config.zone);
  return {
    seen,
    decision,
    plan: seen.leasesStale ? { ...steps, table: decision.desired.table } : steps,
  };
}

/**
 * Takes down who has died since the host was looked at last, and changes nothing else. What can be waited for when it
 * is no longer urgent is given to `later`.
 */
async function takeDownDead(
  config: Config,
  host: Host,
  owners: Run["owners"],
  later: (waiting: Promise<void>) => void,
): Promise<void> {
  try {
    const seen = await host.observe("living");
    const { table = seen.actual.table } = owners;
    const actual = { ...seen.actual, table };
    const told = { ...seen, actual };
    await takeDown(config, host, told, bereftAliases(told), {
      keep: async (waiting) => later(waiting),
      count: 0,
    });
  } catch (error) {
    // one more has died
    if (!(error instanceof Overtaken)) throw error;
    await takeDownDead(config, host, owners, later);
  }
}

/** A disk that is full keeps nobody's rule in force after his container has gone. Throws what `apply` threw. */
async function applyOrRetreat(
  { config, host, vigil }: Run,
  { seen, decision, plan: steps }: Outcome,
): Promise<void> {
  const before = vigil.count;
  try {
    await host.apply(steps, vigil);
  } catch (error) {
    // nothing has been done yet, and the host is as it was seen
    if (error instanceof HostError && error.step === REMEMBERING && vigil.count === before) {
      const retreat = plan(seen.actual, withoutWriting(seen.actual, decision.desired), config.zone);
      await host.apply({ ...retreat, withdrawal: null }, vigil);
    }
    throw error;
  }
}
