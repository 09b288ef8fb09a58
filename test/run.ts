/**
 * Runs the test files named as arguments, one after the other in this process (test/all.ts). What Node compiles is kept between
 * such processes, and those that they start: a third of their time.
 */

import { enableCompileCache } from "node:module";
import { join, resolve } from "node:path";

const cache = join(import.meta.dirname, "../node_modules/.cache/tests");
enableCompileCache(cache);
process.env.NODE_COMPILE_CACHE = cache;
// the tests see themselves as the program that was started
process.argv.splice(1, 1);
for (const file of process.argv.slice(1)) await import(resolve(file));
