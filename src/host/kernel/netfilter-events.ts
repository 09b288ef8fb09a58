/** Changes of the firewall by other programs, as the kernel announces them (nfnetlink, group of nf_tables). */
import { unlessAborted } from "../../platform/abort.ts";
import { pausing } from "../../platform/timer.ts";
import { missingPrograms } from "../install/programs.ts";
import { NETLINK_NETFILTER, type Notifications, openNotifications } from "./netlink.ts";
import { attributes } from "./netlink-message.ts";
import { run, startedHere } from "./run.ts";

/** Milliseconds between two polls of the kernel's notifications; a poll that finds none takes some microseconds. */
const POLL_MS = 150;
/** Milliseconds between two readings of iptables-legacy, which sends no notifications. */
const LEGACY_POLL_MS = 2_000;

// linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h
const NFNLGRP_NFTABLES = 7;
const NFTABLES = 10;
const DELTABLE = 2;
const DELCHAIN = 5;
const NEWRULE = 6;
const DELRULE = 8;
const DELSETELEM = 14;
const NEWGEN = 15;
const TABLE_NAME = 1;
const RULE_CHAIN = 2;
const CHAIN_NAME = 3;
const GEN_PROC_PID = 2;

/** Tables of iptables that OCDD writes in: Docker changes others (raw) for each container. */
const TABLES: ReadonlySet<string> = new Set(["filter", "nat"]);
/** Chains that hold jumps into OCDD's. */
const SHARED: ReadonlySet<string> = new Set(["INPUT", "FORWARD", "PREROUTING", "OUTPUT", "POSTROUTING"]);

/**
 * Calls `changed` when another program has changed OCDD's tables and chains, or the chains that lead there, until the
 * signal is aborted. Throws NetlinkError or HostError.
 */
export async function followFirewall(
  signal: AbortSignal,
  opened: () => void,
  changed: () => void,
): Promise<void> {
  const notifications = openNotifications(NETLINK_NETFILTER, NFNLGRP_NFTABLES);
  opened();
  const own = new AbortController();
  const follow =
    "reason" in notifications
      ? new Promise<never>(() => undefined)
      : Promise.all([poll(notifications.calls, own.signal, changed), pollLegacy(own.signal, changed)]);
  try {
    await unlessAborted(follow, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    own.abort();
    if ("calls" in notifications) notifications.calls.close();
  }
}

/** Rejects when the notifications cannot be read; never resolves. */
function poll(notifications: Notifications, signal: AbortSignal, changed: () => void): Promise<void> {
  let concerning = false;
  const look = (): void => {
    const { messages, lost } = notifications.take();
    let foreign = lost;
    for (const { type, body } of messages) {
      if (type >> 8 !== NFTABLES) continue;
      if ((type & 0xff) !== NEWGEN) concerning ||= concerns(type & 0xff, body);
      else {
        // the end of a transaction names the process that made it
        const pid = attributes(body.subarray(4)).get(GEN_PROC_PID)?.readUInt32BE(0) ?? 0;
        foreign ||= concerning && pid !== process.pid && !startedHere(pid);
        concerning = false;
      }
    }
    if (foreign) changed();
  };
  return new Promise((_, reject) => {
    const timer = setInterval(() => {
      try {
        look();
      } catch (error) {
        clearInterval(timer);
        reject(error);
      }
    }, POLL_MS);
    signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  });
}

/** Whether a message is about something that OCDD writes, or that comes before it. */
function concerns(message: number, body: Buffer): boolean {
  const found = attributes(body.subarray(4));
  const text = (attribute: number): string =>
    found.get(attribute)?.toString("latin1").replace(/\0.*$/s, "") ?? "";
  const removes = message === DELTABLE || message === DELCHAIN || message === DELRULE;
  if (text(TABLE_NAME) === "ocdd") return removes || message === NEWRULE || message === DELSETELEM;
  if (!TABLES.has(text(TABLE_NAME))) return false;
  if (message === DELTABLE) return true;
  const chain = message === DELCHAIN ? text(CHAIN_NAME) : text(RULE_CHAIN);
  return (removes || message === NEWRULE) && (chain.startsWith("OCDD") || SHARED.has(chain));
}

/** iptables-legacy: its rules are compared as text. */
async function pollLegacy(signal: AbortSignal, changed: () => void): Promise<void> {
  const [absent] = await missingPrograms(["iptables"]);
  const { stdout } = absent === undefined ? await run(["iptables", "--version"]) : { stdout: "" };
  if (!stdout.includes("legacy")) return await new Promise(() => undefined);
  let before: string | undefined;
  while (!signal.aborted) {
    const { stdout: saved } = await run(["iptables-save"]);
    // without the time and the counters
    const now = saved.replace(/^#.*$/gm, "").replace(/ \[\d+:\d+\]$/gm, "");
    if (before !== undefined && now !== before) changed();
    before = now;
    await pausing(LEGACY_POLL_MS, signal);
  }
}
