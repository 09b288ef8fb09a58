/** What Ctrl-C and kill do to `ocdd try`: what it has made is removed first. */
import { constants } from "node:os";
import type { Attached } from "../host/kernel/run.ts";

const NAMES = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface TrySignals {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Exit status after such a signal: 128 and its number. */
  status(): number;
  /**
   * Signals go to this program until it has ended. Ctrl-C on a terminal reaches it without that, and is its own affair: an
   * interactive program goes on.
   */
  passTo(program: Attached): Promise<number>;
}

/** Listens from now on. A second signal ends the process at once; what is left is removed by the next run. */
export function trySignals(
  hasTerminal: boolean,
  own: Pick<NodeJS.EventEmitter, "on"> & Pick<NodeJS.Process, "exit"> = process,
): TrySignals {
  const stop = new AbortController();
  let running: Attached | undefined;
  let first: (typeof NAMES)[number] | undefined;
  for (const name of NAMES)
    own.on(name, () => {
      if (running !== undefined && name === "SIGINT" && hasTerminal) return;
      if (first !== undefined) own.exit(128 + constants.signals[name]);
      first = name;
      if (running === undefined) stop.abort(new Error("it was interrupted"));
      else running.signal(name);
    });
  return {
    signal: stop.signal,
    status: () => 128 + constants.signals[first ?? "SIGINT"],
    async passTo(program) {
      running = program;
      try {
        return await program.ended;
      } finally {
        running = undefined;
      }
    },
  };
}
