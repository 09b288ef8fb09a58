/** Has `watch` try connections to the ports of services, so that one that runs and does not answer is shown as such. */
import type { Config } from "../core/config/config.ts";
import { type PortCheck, portChecksOf, silenceText } from "../core/lifecycle/port-check.ts";
import { nextDueMs, share } from "../core/methods/tasks.ts";
import type { Decision } from "../core/model.ts";
import type { Say } from "../daemon/log.ts";
import { accepts } from "../host/connect.ts";
import { clock as realClock } from "./methods/open-schedule.ts";
import type { Clock } from "./methods/schedule.ts";
import { withOwnSignal } from "./own-signal.ts";
import { slots } from "./slots.ts";

export interface PortCheckParts {
  readonly accepts: typeof accepts;
  readonly clock: Pick<Clock, "now" | "after">;
  /** Whether a container answers is another than before. */
  readonly changed: (container: string) => void;
  /** For other commands: the ids of all containers that do not answer, after each change. */
  readonly store: (unanswered: readonly string[]) => void;
  readonly say: Say;
}

export interface PortChecks {
  /** A run has put this in force. */
  update(config: Pick<Config, "syncInterval">, decision: Pick<Decision, "services">): void;
  /** A run has failed: what runs is not known, so nothing is tried before the next `update`. */
  pause(): void;
  /** Ids of the containers that do not answer. */
  readonly unanswered: () => ReadonlySet<string>;
  /** Ends what is being tried. */
  close(): Promise<void>;
}

/** Seconds between two checks of a container, at least. */
const LEAST_INTERVAL = 60;
/** Milliseconds for one connection. */
const DEADLINE_MS = 2_000;
/** Connections at the same time. */
const AT_ONCE = 8;
/**
 * Checks a second, at most: with more than 600 containers each is checked less often, so that the work has a bound. With two ports
 * that refuse each check takes about a millisecond of processor time.
 */
const PER_SECOND = 10;
/** Checks in a row that must fail: a container that is being restarted may miss one. */
const MISSES = 2;
/** The longest time that a timer is set to, in milliseconds. */
const LONGEST_MS = 86_400_000;

interface Plan {
  readonly check: PortCheck;
  /** When it is due, of the monotonic clock in milliseconds; Infinity while it is tried, or waits for its turn. */
  at: number;
  /** Failed checks since the last good one. */
  misses: number;
  /** The port that has accepted last: it is tried first. */
  open?: number;
}

/** One for the whole time of `watch`. First checks are spread over the interval, and later ones keep their distance. */
export function makePortChecks({ accepts, clock, changed, store, say }: PortCheckParts): PortChecks {
  const plans = new Map<string, Plan>();
  const unanswered = new Set<string>();
  const running = new Set<Promise<void>>();
  const turn = slots(AT_ONCE);
  const over = new AbortController();
  let leastS = LEAST_INTERVAL;
  let intervalS = LEAST_INTERVAL;
  let paused = false;
  let cancel = (): void => undefined;

  /** The first port that accepts, one after the other; undefined where none does. */
  const openPort = async ({ check, open }: Plan, signal: AbortSignal): Promise<number | undefined> => {
    const { address, ports } = check;
    const order = ports.toSorted((a, b) => Number(b === open) - Number(a === open));
    for (const port of order) if (await accepts({ address, port }, DEADLINE_MS, signal)) return port;
    return undefined;
  };

  const heard = (plan: Plan, open: number | undefined): void => {
    const { container, service, ports } = plan.check;
    plan.misses = open === undefined ? plan.misses + 1 : 0;
    if (open !== undefined) plan.open = open;
    const was = unanswered.has(container);
    const is = open === undefined && (was || plan.misses >= MISSES);
    if (is === was) return;
    if (is) {
      unanswered.add(container);
      say("warning", `"${service}" runs and does not answer: ${silenceText(ports)}`);
    } else {
      unanswered.delete(container);
      say("info", `"${service}" answers again`);
    }
    store([...unanswered]);
    changed(container);
  };

  const act = async (plan: Plan): Promise<void> => {
    const isCurrent = (): boolean => !over.signal.aborted && plans.get(plan.check.container) === plan;
    // it has ended or fallen asleep while it waited for its turn
    if (!isCurrent()) return;
    const startedAt = clock.now();
    const open = await withOwnSignal(over.signal, (signal) => openPort(plan, signal));
    if (!isCurrent()) return;
    if (!paused) heard(plan, open);
    // one miss is soon followed by the check that decides
    const nextS = plan.misses === 1 ? leastS : intervalS;
    plan.at = nextDueMs(nextS, startedAt, clock.now());
  };

  const tick = (): void => {
    const now = clock.now();
    for (const plan of plans.values()) {
      if (plan.at > now) continue;
      if (paused) {
        plan.at = now + intervalS * 1000;
        continue;
      }
      plan.at = Number.POSITIVE_INFINITY;
      const run = turn(() => act(plan), over.signal)
        // only an abort: what `act` awaits never rejects
        .catch(() => undefined)
        .finally(() => {
          running.delete(run);
          arm();
        });
      running.add(run);
    }
    arm();
  };

  /** Sets the one timer to what is due next. */
  const arm = (): void => {
    cancel();
    cancel = () => undefined;
    const at = Math.min(...[...plans.values()].map((plan) => plan.at));
    if (!over.signal.aborted && Number.isFinite(at))
      cancel = clock.after(Math.max(0, Math.min(at - clock.now(), LONGEST_MS)), tick);
  };

  /** What was known of a container that is not tried any more, or is another one now; true where it did not answer. */
  const forget = (container: string): boolean => {
    plans.delete(container);
    const was = unanswered.delete(container);
    if (was) store([...unanswered]);
    return was;
  };

  return {
    update({ syncInterval }, { services }) {
      paused = false;
      const wanted = new Map(portChecksOf(services).map((check) => [check.container, check]));
      leastS = Math.max(syncInterval, LEAST_INTERVAL);
      intervalS = Math.max(leastS, Math.ceil(wanted.size / PER_SECOND));
      for (const container of plans.keys()) if (!wanted.has(container)) forget(container);
      for (const [container, check] of wanted) {
        const known = plans.get(container);
        if (known !== undefined && sameCheck(known.check, check)) continue;
        // the run that has just ended has still shown it as one that does not answer
        if (forget(container)) changed(container);
        const at = clock.now() + share(container) * intervalS * 1000;
        plans.set(container, { check, at, misses: 0 });
      }
      arm();
    },
    pause() {
      paused = true;
    },
    unanswered: () => new Set(unanswered),
    async close() {
      over.abort();
      cancel();
      await Promise.all(running);
    },
  };
}

const sameCheck = (a: PortCheck, b: PortCheck): boolean =>
  a.service === b.service && a.address === b.address && a.ports.join() === b.ports.join();

export const openPortChecks = (parts: Pick<PortCheckParts, "changed" | "store" | "say">): PortChecks =>
  makePortChecks({ ...parts, accepts, clock: realClock });
