/** Variables of the environment that were meant to be keys. */
import { globSync, readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { misspelt } from "../../../src/core/config/assigned.ts";
import { isKey, KEY_NAMES } from "../../../src/core/config/keys.ts";

const said = (...names: string[]): string[] => misspelt(new Map(names.map((name) => [name, "1"])));

t.test("a variable with a letter too many, too few, other or exchanged: named with its key", (t) => {
  t.same(said("OCDD_EXPSOE"), ["OCDD_EXPSOE is not used: there is no such key; the nearest is OCDD_EXPOSE"]);
  const mistaken = fc
    .tuple(fc.constantFrom(...KEY_NAMES), fc.nat(), fc.constantFrom("more", "less", "other", "turn"))
    .map(([key, n, how]) => {
      const at = n % key.length;
      const [before, here, after] = [key.slice(0, at), key.slice(at, at + 1), key.slice(at + 1)];
      if (how === "more") return `${before}Q${here}${after}`;
      if (how === "less") return before + after;
      return how === "other" ? `${before}Q${after}` : before + after.slice(0, 1) + here + after.slice(1);
    })
    .filter((name) => !isKey(name) && name.length > 3);
  fc.assert(
    fc.property(mistaken, (name) => {
      const lines = said(`OCDD_${name}`, `OTHER_${name}`);
      return lines.length === 1 && lines[0]?.startsWith(`OCDD_${name} is not used`);
    }),
    { numRuns: Number(process.env.OCDD_RUNS ?? 1000) },
  );
  t.end();
});

t.test("keys, and the variables that OCDD, its compose file and its tests have: nothing", (t) => {
  const files = globSync("{src,test,bench,bin,packaging,examples}/**/*.{ts,sh}").concat([
    "bin/ocdd",
    "docker-compose.yml",
    "Dockerfile",
    "CONTRIBUTING.md",
  ]);
  const names = files
    .filter((file) => !file.endsWith("/config/assigned.test.ts"))
    .flatMap((file) => readFileSync(file, "utf8").match(/\bOCDD_[A-Z_]+/g) ?? []);
  t.ok(names.includes("OCDD_CONF_DIR") && names.includes("OCDD_WALK"), "they are found");
  t.same(said(...new Set(names), ...KEY_NAMES.map((key) => `OCDD_${key}`)), []);
  t.end();
});
