/**
 * Runs the test files named as arguments one after the other in this process: what they share is loaded once. For tests of code
 * that touches nothing outside of the process; the others have a process each (test/all.ts).
 */

import { resolve } from "node:path";

for (const file of process.argv.slice(2)) await import(resolve(file));
