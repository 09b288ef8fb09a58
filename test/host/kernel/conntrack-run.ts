/** Flushes flows of the real conntrack, as a process of its own for a network namespace. Prints those that are left as JSON. */
import { execa } from "execa";
import { fromNumber, toNumber } from "../../../src/core/addresses/ipv4.ts";
import { flushFlows } from "../../../src/host/kernel/conntrack.ts";
import { ip } from "../../core/make.ts";

const count = Number(process.argv[2]);
for (const to of ["10.20.0.1", "10.20.0.2", "10.20.9.9"]) {
  const flow = ["-s", "10.9.9.9", "-d", to, "-p", "udp", "--sport", "1000", "--dport", "53", "-t", "120"];
  await execa("conntrack", ["-I", ...flow]);
}
const first = toNumber(ip("10.20.0.1"));
await flushFlows(Array.from({ length: count }, (_, i) => fromNumber(first + i)));
const { stdout } = await execa("conntrack", ["-L"]);
console.log(JSON.stringify([...stdout.matchAll(/^.*?\bdst=(\S+)/gm)].map((match) => match[1]).sort()));
