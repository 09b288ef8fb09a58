// OCDD's server as a process of its own, so that a test can kill it: options as JSON in argv; tells its log lines and that
// it serves, and its counters when asked.
import { type DnsOptions, serveDns } from "../../src/serve/dns/server.ts";
import { activatedSockets } from "../../src/serve/socket-activation.ts";

const options = JSON.parse(process.argv[2] as string) as Omit<DnsOptions, "log">;
const server = await serveDns({
  ...options,
  activated: await activatedSockets(process.env, process.pid),
  log: (level, message) => process.send?.({ log: `${level}: ${message}` }),
});
process.on("message", (word) => {
  // what a library that never returns would do
  if (word === "hang") for (;;);
  process.send?.({ events: server.counters.events });
});
process.on("disconnect", () => process.exit());
process.send?.({ serving: true });
