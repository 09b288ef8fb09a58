/** A process that takes a lock and keeps it until it is killed; with "once", releases it at once. */
import { takeLock } from "../../../src/host/disk/lock.ts";

await takeLock(process.argv[2] ?? "");
process.stdout.write("held\n");
if (process.argv[3] !== "once") setInterval(() => undefined, 1_000);
