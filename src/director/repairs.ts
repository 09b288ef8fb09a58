/** Which changes of a run repair what another program has changed. */
import type { Forward } from "../core/forwards/forward.ts";
import type { Decision, DeviceAddress } from "../core/model.ts";
import type { Step } from "../core/plan.ts";
import type { Outcome } from "./reconcile.ts";

/** What was put in force: forwards and aliases by address, and the constant rules. */
interface InForce {
  readonly forwards: ReadonlyMap<string, Forward>;
  readonly aliases: ReadonlySet<string>;
  readonly frame: string;
  readonly containers: string;
}

const nameOf = ({ device, address }: DeviceAddress): string => `${device} ${address}`;

function inForce({ desired, services }: Decision): InForce {
  const { frame, forwards } = desired.dataPath;
  return {
    forwards: new Map(forwards.map((forward) => [forward.alias, forward])),
    aliases: new Set(desired.aliases.map(nameOf)),
    frame: JSON.stringify(frame),
    containers: services
      .flatMap(({ instances, state }) => instances.map(({ id, address }) => `${id} ${address} ${state}`))
      .join("\n"),
  };
}

/**
 * Compares each run with the one before it. A step repairs where it puts in force again what that run has put in force, while no
 * container and no lease has changed: a container that is started or removed, its bridge port that is found later, and a page that is
 * updated are none. `events`: Docker has announced a change of a container since that run.
 */
export function repairFinder(): (
  outcome: Pick<Outcome, "decision" | "plan">,
  events: boolean,
) => readonly Step[] {
  let before: InForce | undefined;
  return ({ decision, plan: { steps } }, events) => {
    const [was, now] = [before, inForce(decision)];
    before = now;
    const isSame = was !== undefined && was.containers === now.containers;
    if (!isSame || events || steps.some(({ kind }) => kind === "lease")) return [];
    return steps.filter((step) => isAgain(step, was, now));
  };
}

function isAgain(step: Step, was: InForce, now: InForce): boolean {
  if (step.kind === "rule" || step.kind === "guard") {
    if (step.kind === "rule" && step.change === "remove") return false;
    const { alias } = step.forward;
    return JSON.stringify(was.forwards.get(alias)) === JSON.stringify(now.forwards.get(alias));
  }
  if (step.kind === "frame") return was.frame === now.frame;
  return step.kind === "address" && step.change === "add" && was.aliases.has(nameOf(step.alias));
}
