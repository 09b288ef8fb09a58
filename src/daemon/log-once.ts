/** A log of conditions that last: logged when they arise, not at every run that finds them again. */
import type { Say } from "./log.ts";

export interface DedupedLog {
  /** A run has failed. */
  readonly failed: (line: string) => void;
  /** A run has succeeded with these warnings; all others have passed. */
  readonly succeeded: (warnings: readonly string[]) => void;
}

export function dedupedLog(say: Say): DedupedLog {
  const logged = new Set<string>();
  let failing = false;
  const once = (level: "warning" | "error", line: string): void => {
    const key = keyOf(line);
    if (!logged.has(key)) say(level, line);
    logged.add(key);
  };
  return {
    failed(line) {
      failing = true;
      once("error", line);
    },
    succeeded(warnings) {
      if (failing) say("info", "reconciliation succeeds again");
      failing = false;
      const lasting = new Set(warnings.map(keyOf));
      for (const key of logged) if (!lasting.has(key)) logged.delete(key);
      for (const line of warnings) once("warning", line);
    },
  };
}

/** A full range is one condition, with any figures. */
const keyOf = (line: string): string => line.replace(/(: the address range is full): .*/, "$1");
