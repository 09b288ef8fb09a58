/**
 * Runs the test files named as arguments, one after the other in this process (test/all.ts). What Node compiles is kept between
 * such processes: a third of their time.
 */

import { enableCompileCache } from "node:module";
import { join, resolve } from "node:path";

enableCompileCache(join(import.meta.dirname, "../node_modules/.cache/tests"));
// the tests see themselves as the program that was started
process.argv.splice(1, 1);
for (const file of process.argv.slice(1)) await import(resolve(file));
