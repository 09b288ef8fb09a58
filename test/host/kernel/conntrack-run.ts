/** Flushes flows of the real conntrack, as a process of its own for a network namespace. Prints those that are left as JSON. */
import { execa } from "execa";
import { fromNumber, toNumber } from "../../../src/core/addresses/ipv4.ts";
import { openConntrack } from "../../../src/host/kernel/conntrack.ts";
import { ip } from "../../core/make.ts";

const conntrack = process.argv[3] === "program" ? openConntrack({ reason: "asked for" }) : openConntrack();

const insert = (to: string, from: string, sport: string): Promise<unknown> => {
  const flow = ["-s", "10.9.9.9", "-d", to, "-r", from, "-q", "10.9.9.9", "-p", "udp", "--sport", sport];
  const answer = ["--reply-port-src", "53", "--reply-port-dst", sport];
  return execa("conntrack", ["-I", ...flow, "--dport", "53", ...answer, "-t", "120"]);
};

const left = async (): Promise<string[]> => (await execa("conntrack", ["-L"])).stdout.split("\n");

if (process.argv[2] === "to") {
  await insert("10.20.0.1", "10.20.0.1", "1000");
  await insert("10.20.0.1", "172.17.0.2", "1001");
  await conntrack.flushTo(ip("10.20.0.1"), ip("172.17.0.2"));
  console.log(JSON.stringify((await left()).map((line) => /\bsport=(\d+)/.exec(line)?.[1])));
  process.exit();
}

const count = Number(process.argv[2]);
for (const to of ["10.20.0.1", "10.20.0.2", "10.20.9.9"]) {
  await insert(to, to, "1000");
}
const first = toNumber(ip("10.20.0.1"));
await conntrack.flush(Array.from({ length: count }, (_, i) => fromNumber(first + i)));
console.log(JSON.stringify((await left()).map((line) => /\bdst=(\S+)/.exec(line)?.[1]).sort()));
