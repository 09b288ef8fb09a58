/** The last results of VALIDATE and MONITOR in the overview. */
import { clip } from "../clip.ts";
import type { Checks } from "../methods/results.ts";
import type { Decision } from "../model.ts";
import type { Row } from "./status-rows.ts";

const CHECKS = ["validate", "monitor"] as const;

/** Results that are good. */
const GOOD: ReadonlySet<string> = new Set(["passed", "OK"]);

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
export const checkRows = (decision: Decision): Row[] =>
  CHECKS.flatMap((method): Row[] => {
    const counts = [...countsOf(decision, method)].sort();
    if (counts.length === 0) return [];
    const text = counts.map(([result, n]) => `${n} ${result}`).join(", ");
    return counts.every(([result]) => GOOD.has(result))
      ? [[method, text]]
      : [[method, text, "warn", `the reasons are below; \`ocdd ${method} NAME\` runs it again`]];
  });

/** Services whose last VALIDATE has failed, or whose MONITOR is not OK. */
export const failingLines = ({ services }: Decision): string[] =>
  services.flatMap(({ name, checks }) =>
    CHECKS.flatMap((method) => {
      const one = checks?.[method];
      return one === undefined || GOOD.has(one.result)
        ? []
        : [
            `${name}: ${method.toUpperCase()} ${one.result}${one.reason === null ? "" : `: ${clip(one.reason, LONG)}`}`,
          ];
    }),
  );

/** For JSON. */
export const checksDocument = ({ services }: Decision): object[] =>
  services.flatMap(({ name, checks }) => (checks === undefined ? [] : [{ name, ...checks }]));
