/** A process that takes a lock and keeps it until it is killed. */
import { takeLock } from "../../src/host/lock.ts";

await takeLock(process.argv[2] ?? "");
process.stdout.write("held\n");
setInterval(() => undefined, 1_000);
