/** One task of one ARP engine as a process, so that a test can put it into a network namespace. Prints JSON. */
import { openSync } from "node:fs";
import { fromNumber, type Ipv4, parseIpv4, toNumber } from "../../../../src/core/addresses/ipv4.ts";
import { openPackets } from "../../../../src/host/kernel/arp/packet.ts";
import { openArp } from "../../../../src/host/kernel/arp/probe.ts";
import { arping } from "../../../../src/host/kernel/arp/process.ts";

const [engine, deed, device = "", ...texts] = process.argv.slice(2);
const addresses = texts.flatMap((text) => parseIpv4(text) ?? []);
try {
  const used =
    engine === "packet" ? openPackets(device) : engine === "process" ? arping(device) : openArp(device);
  if (used === undefined) throw new Error("no packet socket here");
  const probing = deed === "announce" ? used.announce(addresses) : used.probe(addresses);
  let after: string | undefined;
  if (deed === "close meanwhile") {
    used.close();
    // the lowest number that is free is the next file's
    for (let i = 0; i < 16; i++) openSync("/dev/null", "r");
    after = await used.probe(addresses).then(String, (error: Error) => error.message);
  }
  let first: string | undefined;
  if (deed === "beside a free address") {
    const other = openPackets(device);
    const free = other?.probe([fromNumber(toNumber(addresses[0] as Ipv4) + 1)]).then(() => "free");
    first = await Promise.race([probing.then(() => "taken"), free]);
    await free;
    other?.close();
  }
  const taken = await probing;
  console.log(JSON.stringify({ taken: [...(taken ?? [])].sort(), after, first }));
} catch (error) {
  console.log(
    JSON.stringify({ error: (error as Error).message, fault: (error as { fault?: string }).fault }),
  );
}
