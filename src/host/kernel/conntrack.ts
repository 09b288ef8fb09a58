/** Connection tracking: deletes flows, so that the next packet of each follows the rules in force. */
import { fromNumber, type Ipv4 } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import type { Loaded } from "../../platform/libc.ts";
import { type Flow, flowsTo, forget, readAnyFlow } from "./flows/message.ts";
import { NETLINK_NETFILTER, type Netlink, NetlinkError, openNetlink } from "./netlink.ts";
import { run, trace } from "./run.ts";

export interface Conntrack {
  /** Deletes the tracked flows that were opened to these aliases. Throws HostError; some may have been deleted by then. */
  flush(aliases: readonly Ipv4[]): Promise<void>;
  /** The same for the flows to one alias that are led to this address only: those to the page of a service that waits stay. */
  flushTo(alias: Ipv4, target: Ipv4): Promise<void>;
  close(): void;
}

/** By netlink where it loads: to start a program takes a process of this size longer than the deletion. Else by `conntrack`. */
export function openConntrack(netlink: Loaded<Netlink> = openNetlink(NETLINK_NETFILTER)): Conntrack {
  return "reason" in netlink ? byProgram : byNetlink(netlink.calls);
}

/** For each address the kernel walks its whole table, some 5 ms; for more than so many, one reading shows which have flows. */
const FEW = 8;

const ENOENT = 2;

function byNetlink(netfilter: Netlink): Conntrack {
  const found = (wanted: readonly Ipv4[], target: Ipv4 | undefined): Flow[] => {
    const aliases = new Set<string>(wanted);
    const flows: Flow[] = [];
    const questions = wanted.length > FEW ? [flowsTo()] : wanted.map((alias) => flowsTo(alias));
    for (const question of questions)
      netfilter.list(question, (message) => {
        const flow = readAnyFlow(message);
        // an older kernel lists those to other addresses as well
        if (flow === undefined || !aliases.has(fromNumber(flow.destination))) return;
        if (target === undefined || fromNumber(flow.from) === target) flows.push(flow);
      });
    return flows;
  };
  const flush = async (aliases: readonly Ipv4[], target?: Ipv4): Promise<void> => {
    if (aliases.length === 0) return;
    try {
      const flows = found(aliases, target);
      for (const flow of flows) deleted(netfilter, flow);
      trace(`netlink: ${flows.length} flows to ${aliases.join(" ")} deleted`);
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      throw new HostError("command", `connection tracking: ${error.message}`, { cause: error });
    }
  };
  return {
    flush,
    flushTo: (alias, target) => flush([alias], target),
    close: () => netfilter.close(),
  };
}

/** One that has ended by itself meanwhile is no failure. */
function deleted(netfilter: Netlink, flow: Flow): void {
  try {
    netfilter.ask([forget(flow)]);
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== ENOENT) throw error;
  }
}

/** Processes at a time. */
const WORKERS = 16;

/** `conntrack`, for a host without netlink calls. */
const byProgram: Conntrack = {
  async flush(aliases) {
    const rest = aliases.length > FEW ? await tracked(aliases) : [...aliases];
    const worker = async (): Promise<void> => {
      for (let alias = rest.pop(); alias !== undefined; alias = rest.pop()) await runFlush(alias);
    };
    await Promise.all(Array.from({ length: Math.min(WORKERS, rest.length) }, worker));
  },
  flushTo: (alias, target) => runFlush(alias, ["-r", target]),
  close: () => undefined,
};

/** Tries for one alias: conntrack stops at a flow that ends by itself meanwhile, and leaves the others. */
const TRIES = 5;

async function runFlush(alias: Ipv4, led: readonly string[] = []): Promise<void> {
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
