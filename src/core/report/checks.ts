/** The last results of VALIDATE and MONITOR in the overview. */
import { clip } from "../clip.ts";
import type { Checks } from "../methods/results.ts";
import type { Decision } from "../model.ts";

const CHECKS = ["validate", "monitor"] as const;

/** Characters of a reason. */
const LONG = 200;

/** How many services have each result, in the order in which results come. */
function countsOf({ services }: Decision, method: keyof Checks): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { checks } of services) {
    const result = checks?.[method]?.result;
    if (result !== undefined) counts.set(result, (counts.get(result) ?? 0) + 1);
  }
  return counts;
}

/** No row where nothing has been run. */
export const checkRows = (decision: Decision): [string, string][] =>
  CHECKS.flatMap((method): [string, string][] => {
    const counts = countsOf(decision, method);
    return counts.size === 0
      ? []
      : [
          [
            method,
            [...counts]
              .sort()
              .map(([result, n]) => `${n} ${result}`)
              .join(", "),
          ],
        ];
  });

/** Services whose last VALIDATE has failed, or whose MONITOR is not OK. */
export const failingLines = ({ services }: Decision): string[] =>
  services.flatMap(({ name, checks }) =>
    CHECKS.flatMap((method) => {
      const one = checks?.[method];
      return one === undefined || one.result === "passed" || one.result === "OK"
        ? []
        : [
            `${name}: ${method.toUpperCase()} ${one.result}${one.reason === null ? "" : `: ${clip(one.reason, LONG)}`}`,
          ];
    }),
  );

/** For JSON. */
export const checksDocument = ({ services }: Decision): object[] =>
  services.flatMap(({ name, checks }) => (checks === undefined ? [] : [{ name, ...checks }]));
