/** Whether systemd's units of OCDD run. */
import { setTimeout as delay } from "node:timers/promises";
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { HostError } from "../../core/errors.ts";
import { run } from "../kernel/run.ts";
import { managerOf } from "./manager.ts";

/** What systemd says of a unit, in its words. */
export interface UnitState {
  readonly name: string;
  readonly active: string;
  readonly sub: string;
  readonly result: string;
  /** Exit status of its last process. */
  readonly status: string;
  readonly pid: string;
  /** Empty where systemd is about to do nothing with it. */
  readonly job: string;
}

const PROPERTIES = "Id,ActiveState,SubState,Result,ExecMainStatus,MainPID,Job";

/** Reads the state of units; those that systemd says nothing of are left out. Throws HostError where systemctl cannot be run. */
export async function unitStates(names: readonly string[]): Promise<UnitState[]> {
  const { stdout } = await run(["systemctl", "show", "--property", PROPERTIES, ...names], { ok: [0, 1, 4] });
  return stdout.split("\n\n").flatMap((block): UnitState[] => {
    const values = new Map(
      block.split("\n").map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), clip(line.slice(at + 1), 80)];
      }),
    );
    const of = (key: string): string => values.get(key) ?? "";
    if (of("Id") === "") return [];
    const [result, status] = [of("Result"), of("ExecMainStatus")];
    const state = { active: of("ActiveState"), sub: of("SubState"), pid: of("MainPID") };
    return [{ name: of("Id"), ...state, result, status, job: of("Job").replace(/^0$/, "") }];
  });
}

/** `activating (auto-restart), exit-code, status 217`. */
export function stateText({ active, sub, result, status }: UnitState): string {
  const why = result === "success" || result === "" ? "" : `, ${result}, status ${status}`;
  return `${active} (${sub})${why}`;
}

/** True for a unit that has ended, also where systemd starts it again. */
export const hasEnded = ({ active, sub }: UnitState): boolean =>
  active === "failed" || active === "inactive" || sub.startsWith("auto-restart");

/** Milliseconds between two looks, and how many there are at most. */
const LOOK_MS = 500;
const MOST_LOOKS = 20;

/**
 * Waits until units run, ten seconds at most; resolves with those that do not. One that ends at its start may seem to run for a moment: it
 * runs where two looks find the same process. `pause` waits between two looks. Throws HostError as `unitStates`.
 */
export async function notStarted(
  names: readonly string[],
  pause: () => Promise<unknown> = () => delay(LOOK_MS),
): Promise<UnitState[]> {
  let before: readonly UnitState[] = [];
  for (let looks = 1; ; looks++) {
    const states = await unitStates(names);
    const last = new Map(before.map((state) => [state.name, state]));
    const runs = ({ name, active, job, pid }: UnitState): boolean =>
      active === "active" && job === "" && last.get(name)?.active === active && last.get(name)?.pid === pid;
    const rest = states.filter((state) => !runs(state));
    if (rest.length === 0 || looks === MOST_LOOKS)
      return rest.map((state) => [state, last.get(state.name) ?? state].find(hasEnded) ?? state);
    before = states;
    await pause();
  }
}

/** The state of the server's unit for a message; null where systemd does not run the server, or cannot be asked. */
export async function serverState(config: Pick<Config, "services">): Promise<string | null> {
  if (managerOf(config) !== "systemd") return null;
  const [state] = await unitStates(["ocdd-serve.service"]).catch((error: unknown) => {
    if (error instanceof HostError) return [];
    throw error;
  });
  return state === undefined ? null : `${state.name} is ${stateText(state)}`;
}
