/** Connection tracking: deletes flows, so that the next packet of each follows the rules in force. */
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import { run } from "./run.ts";

/** For each address the kernel walks its whole table, some 5 ms; for more than so many, one reading shows which have flows. */
const FEW = 8;

/** Processes at a time. */
const WORKERS = 16;

/** Deletes the tracked flows that were opened to these aliases. Throws HostError; some may have been deleted by then. */
export async function flushFlows(aliases: readonly Ipv4[]): Promise<void> {
  const rest = aliases.length > FEW ? await tracked(aliases) : [...aliases];
  const worker = async (): Promise<void> => {
    for (let alias = rest.pop(); alias !== undefined; alias = rest.pop()) await flush(alias);
  };
  await Promise.all(Array.from({ length: Math.min(WORKERS, rest.length) }, worker));
}

/** The same for the flows to one alias that are led to this address only: those to the page of a service that waits stay. */
export const flushFlowsTo = (alias: Ipv4, target: Ipv4): Promise<void> => flush(alias, ["-r", target]);

/** Tries for one alias: conntrack stops at a flow that ends by itself meanwhile, and leaves the others. */
const TRIES = 5;

async function flush(alias: Ipv4, led: readonly string[] = []): Promise<void> {
  for (let tries = 1; ; tries++) {
    const { code, stderr } = await run(["conntrack", "-D", "-d", alias, ...led], { ok: [0, 1] });
    // status 1 means no such flow, or any failure
    if (code === 0 || /\b0 flow entries have been deleted/.test(stderr)) return;
    if (tries < TRIES && /such conntrack doesn't exist/.test(stderr)) continue;
    throw new HostError("command", `conntrack failed: ${stderr.trim() || "no message"}`, {
      cause: { alias, stderr },
    });
  }
}

/** Those of the addresses that a tracked flow was opened to. */
async function tracked(addresses: readonly Ipv4[]): Promise<Ipv4[]> {
  const { stdout } = await run(["conntrack", "-L", "-f", "ipv4"]);
  // a line holds both directions; the first destination is the original one
  const asked = new Set([...stdout.matchAll(/^.*?\bdst=(\S+)/gm)].map((match) => match[1]));
  return addresses.filter((address) => asked.has(address));
}
