/** `npm run man`: writes the manual pages and the completions; `generated` is what a test compares them with. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { bashCompletion, fishCompletion, zshCompletion } from "./completions.ts";
import { commandPage, confPage } from "./man.ts";
import { ROOT, readSurface } from "./surface.ts";

/** Path in the repository → its text. */
export function generated(): ReadonlyMap<string, string> {
  const surface = readSurface();
  return new Map([
    ["docs/ocdd.8", commandPage(surface)],
    ["docs/ocdd.conf.5", confPage(surface)],
    ["packaging/completions/ocdd.bash", bashCompletion(surface)],
    ["packaging/completions/_ocdd", zshCompletion(surface)],
    ["packaging/completions/ocdd.fish", fishCompletion(surface)],
  ]);
}

if (import.meta.main) {
  for (const [path, text] of generated()) {
    mkdirSync(dirname(`${ROOT}${path}`), { recursive: true });
    writeFileSync(`${ROOT}${path}`, text);
    process.stdout.write(`${path}\n`);
  }
}
