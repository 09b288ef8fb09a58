/** Runs methods of many containers: so many at once, and no further ones after a failure where that is asked for. */
import type { MethodName } from "../../core/methods/method.ts";
import type { Container } from "../../core/model.ts";
import type { MethodOutcome } from "../../core/report/methods.ts";
import { succeeded } from "../../core/report/methods.ts";
import { reasonOf } from "../../host/docker/error.ts";
import type { DockerMethods } from "../../host/docker/methods.ts";
import { slots } from "../slots.ts";
import { describe } from "./describe.ts";
import type { MethodRunner, RanMethod } from "./run.ts";

export interface RoundTarget {
  /** As it is shown. */
  readonly name: string;
  readonly container: Pick<Container, "id" | "name" | "state">;
}

export interface Round {
  readonly targets: readonly RoundTarget[];
  /** The first is what is asked for; a further one is run where the container has it, and only when the one before succeeded. */
  readonly methods: readonly [MethodName, ...MethodName[]];
  /** Containers at once. */
  readonly atOnce: number;
  /** Ends at the first batch in which one has failed. */
  readonly stopAtFailure: boolean;
  readonly by: string;
  readonly signal: AbortSignal;
}

export interface RoundMeans {
  readonly docker: DockerMethods;
  readonly runner: MethodRunner;
  /** Each line that a method prints, printable. */
  readonly onLine: (target: RoundTarget, line: string) => void;
  /** One is done. */
  readonly done: (target: RoundTarget, outcome: MethodOutcome) => void;
}

export interface RoundResult {
  /** In the order of the targets. */
  readonly outcomes: readonly MethodOutcome[];
  /** Containers without the method that is asked for. */
  readonly without: readonly RoundTarget[];
  /** Those that were left as they are after a failure, or after the signal. */
  readonly notTouched: readonly RoundTarget[];
}

/** Never throws for one container: what went wrong is in its outcome. */
export async function runRound(round: Round, means: RoundMeans): Promise<RoundResult> {
  const { targets, atOnce, stopAtFailure, signal } = round;
  const outcomes = new Map<RoundTarget, MethodOutcome>();
  const without: RoundTarget[] = [];
  const act = async (target: RoundTarget): Promise<void> => {
    const outcome = await outcomeOf(target, round, means);
    if (outcome === null) return void without.push(target);
    outcomes.set(target, outcome);
    means.done(target, outcome);
  };
  const hasFailed = (): boolean => [...outcomes.values()].some((one) => !succeeded(one));
  if (stopAtFailure) {
    for (let at = 0; at < targets.length && !hasFailed() && !signal.aborted; at += atOnce)
      await Promise.all(targets.slice(at, at + atOnce).map(act));
  } else {
    const turn = slots(atOnce);
    // one whose turn has not come when the signal is aborted is not begun
    await Promise.allSettled(targets.map((target) => turn(() => act(target), signal)));
  }
  return {
    outcomes: targets.flatMap((target) => outcomes.get(target) ?? []),
    without,
    notTouched: targets.filter((target) => !outcomes.has(target) && !without.includes(target)),
  };
}

/** Null where the container has no such method. */
async function outcomeOf(
  target: RoundTarget,
  round: Round,
  means: RoundMeans,
): Promise<MethodOutcome | null> {
  const { container, name } = target;
  const head = { name, container: container.name, results: [] };
  try {
    const described = await describe(means.docker, container.id);
    if (described === undefined) return { ...head, skipped: "its container has been removed" };
    const [asked] = round.methods;
    const problem = described.methods.problems.find((line) => line.startsWith(`${asked} `));
    if (problem !== undefined) return { ...head, skipped: problem };
    if (!described.methods.found.has(asked)) return null;
    if (!described.container.running) return { ...head, skipped: `it does not run (${container.state})` };
    if (described.container.paused) return { ...head, skipped: "it is paused" };
    const results: (RanMethod & { readonly source: string })[] = [];
    for (const wanted of round.methods) {
      const method = described.methods.found.get(wanted);
      if (method === undefined) continue;
      const result = await means.runner.run({
        container: container.id,
        method,
        by: round.by,
        signal: round.signal,
        onLine: (line) => means.onLine(target, line),
      });
      results.push({ ...result, source: method.source });
      if (!result.ok) break;
    }
    return { ...head, results, skipped: null };
  } catch (error) {
    return { ...head, skipped: reasonOf(error) };
  }
}
