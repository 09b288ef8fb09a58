/**
 * Queries lost by a restart of the server while systemd holds its sockets: 1 000 queries a second for 10 seconds, and SIGTERM
 * every 2 of them. `npm run bench:restart`; it needs the load generator of the lab and a C compiler.
 */
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeQuery } from "../test/dns/message.ts";
import { activated, restarted } from "../test/serve/activate.ts";
import { askUdp } from "../test/serve/peers.ts";
import { makePlace } from "../test/serve/place.ts";
import { blast, buildBlast, writeQueries, ZONE, zoneText } from "./dns-load.ts";

const SECONDS = 10;
const { dir, dns, web, conf } = await makePlace(ZONE, zoneText(1000));
const queries = join(dir, "queries");
writeQueries(queries, 1000);
const program = buildBlast(dir);

const ocdd = join(import.meta.dirname, "../bin/ocdd");
const endpoints = { udp: [`127.0.0.1:${dns}`], tcp: [`127.0.0.1:${dns}`, `127.0.0.1:${web}`] };
const larger = [
  "sh",
  "-c",
  '"$0" "$1" && shift && exec "$@"',
  process.execPath,
  join(import.meta.dirname, "socket-buffer.ts"),
];
const [file, ...args] = activated(endpoints, {}, [
  ...larger,
  ...restarted([ocdd, "--config", conf, "serve"]),
]);
const keeper = spawn(file, args, { stdio: "ignore", detached: true });
const server = (): number =>
  Number(readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, "utf8").split(" ")[0]);
try {
  while ((await askUdp(dns, makeQuery(ZONE, "SOA"), 200))?.rcode !== 0);
  const seen = new Set([server()]);
  const load = blast(program, dns, queries, ["-r", "1000", "-d", String(SECONDS), "-w", "0", "-t", "5"]);
  for (let n = 0; n < 4; n++) {
    await sleep(2000);
    process.kill(server(), "SIGTERM");
    await sleep(100);
    seen.add(server());
  }
  const { sent, lost, p50_us, max_us } = await load;
  console.log(
    `${seen.size - 1} restarts at 1 000 queries/s: ${lost} of ${sent} lost; p50 ${p50_us} µs, the longest wait ${(max_us / 1000).toFixed(0)} ms`,
  );
  process.exitCode = lost === 0 && seen.size === 5 ? 0 : 1;
} finally {
  process.kill(-(keeper.pid as number), "SIGKILL");
  rmSync(dir, { recursive: true, force: true });
}
