/** Conditions that last: said when they arise, not at every run that finds them again. */
import type { Say } from "./log.ts";

export interface Standing {
  /** A run has failed so. */
  readonly failed: (line: string) => void;
  /** A run has ended well with these warnings; what else was said has passed. */
  readonly passed: (warnings: readonly string[]) => void;
}

export function makeStanding(say: Say): Standing {
  const said = new Set<string>();
  let failing = false;
  const once = (level: "warning" | "error", line: string): void => {
    const key = keyOf(line);
    if (!said.has(key)) say(level, line);
    said.add(key);
  };
  return {
    failed(line) {
      failing = true;
      once("error", line);
    },
    passed(warnings) {
      if (failing) say("info", "runs end well again");
      failing = false;
      const standing = new Set(warnings.map(keyOf));
      for (const key of said) if (!standing.has(key)) said.delete(key);
      for (const line of warnings) once("warning", line);
    },
  };
}

/** A full range is one condition, whatever its figures are at the moment. */
const keyOf = (line: string): string => line.replace(/(: the address range is full): .*/, "$1");
