/** Metrics of many containers as one text in Prometheus' format. */
import { type Family, namesIn } from "./exposition.ts";

export interface Merged {
  /** Empty, or ends with a line break. */
  readonly text: string;
  /** Service → metrics of it that are left out. */
  readonly leftOut: ReadonlyMap<string, number>;
}

/** Names that are the director's own. */
const OWN = "ocdd_";

/** What Prometheus' own check asks for. */
const NO_HELP = "A metric of a container, which gives no help text.";

/**
 * One HELP and one TYPE for each name. Left out are metrics whose name is one of OCDD's, and those that another service before it has
 * with another type, or has as a part of a histogram or summary. `own` are those of the director that other programs have as well: they
 * come first.
 */
export function merged(
  services: ReadonlyMap<string, readonly Family[]>,
  own: readonly Family[] = [],
): Merged {
  /** Name of a series → the family that has it. */
  const owners = new Map<string, Family>();
  const groups = new Map<string, Family[]>();
  const leftOut = new Map<string, number>();
  for (const family of own) {
    groups.set(family.name, [family]);
    for (const name of namesIn(family)) owners.set(name, family);
  }
  for (const [service, families] of services) {
    leftOut.set(service, 0);
    for (const family of families) {
      const group = groups.get(family.name);
      const first = group?.[0];
      const fits =
        first === undefined ? namesIn(family).every((name) => !owners.has(name)) : first.type === family.type;
      if (!fits || family.name.startsWith(OWN)) {
        leftOut.set(service, (leftOut.get(service) ?? 0) + 1);
        continue;
      }
      for (const name of namesIn(family)) owners.set(name, first ?? family);
      if (group === undefined) groups.set(family.name, [family]);
      else group.push(family);
    }
  }
  return { text: [...groups.values()].map(textOf).join(""), leftOut };
}

function textOf(families: readonly Family[]): string {
  const [{ name, type } = { name: "", type: "untyped" }] = families;
  const help = families.find((one) => (one.help ?? "") !== "")?.help ?? NO_HELP;
  const lines = families.flatMap((family) => family.lines);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`;
}
