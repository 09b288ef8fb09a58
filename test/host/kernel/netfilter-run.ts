/** One deed with the real iptables or conntrack as a process, so that a test can put it into a network namespace. Prints JSON. */
import { execa } from "execa";
import { fromNumber, type Ipv4, parseIpv4, toNumber } from "../../../src/core/addresses/ipv4.ts";
import { forgetFlows, readTables, restoreTable } from "../../../src/host/kernel/netfilter.ts";

const START = toNumber(parseIpv4("10.20.0.1") as Ipv4);

/** Destinations of the flows that the kernel tracks. */
async function tracked(): Promise<string[]> {
  const { stdout } = await execa("conntrack", ["-L"]);
  return [...stdout.matchAll(/^.*?\bdst=(\S+)/gm)].map((match) => match[1] ?? "").sort();
}

async function openFlows(): Promise<void> {
  for (const to of ["10.20.0.1", "10.20.0.2", "10.20.9.9"]) {
    const flow = ["-s", "10.9.9.9", "-d", to, "-p", "udp", "--sport", "1000", "--dport", "53", "-t", "120"];
    await execa("conntrack", ["-I", ...flow]);
  }
}

const [deed, file = ""] = process.argv.slice(2);
if (deed === "flows") {
  await openFlows();
  const first = await tracked();
  const started = performance.now();
  await forgetFlows(
    Array.from({ length: 2000 }, (_, i) => fromNumber(START + i)),
    file,
  );
  console.log(JSON.stringify({ first, left: await tracked(), ms: Math.round(performance.now() - started) }));
} else if (deed === "one" || deed === "few") {
  await openFlows();
  const none = deed === "one" ? [] : [100, 101, 102].map((n) => fromNumber(START + n));
  await forgetFlows([fromNumber(START), ...none], file);
  console.log(JSON.stringify({ left: await tracked() }));
} else if (deed === "refused") {
  const text =
    "*nat\n:OCDD - [0:0]\n-A OCDD -d 10.0.0.1/32 -j ACCEPT\n-A OCDD -d nonsense -j ACCEPT\nCOMMIT\n";
  const error = await restoreTable("nat", text).then(
    () => ({}),
    (e: unknown) => e as { fault: string; message: string },
  );
  const nat = (await readTables()).get("nat")?.includes("OCDD");
  console.log(JSON.stringify({ ...error, message: (error as Error).message, nat: nat === true }));
}
