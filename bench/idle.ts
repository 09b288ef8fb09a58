/**
 * What one look at the use of all aliases costs: the kernel's list of redirected connections, read and counted, as `ocdd watch`
 * does. `npm run bench:idle` prints a table. Connections are put into the connection tracking of a network namespace
 * that ends with the program, each from an address of its own: two thirds TCP (established, closed), one third UDP.
 *
 * LOOKS (40) are measured for each line after as many that are not, ALIASES (4000), PAUSE (100) milliseconds between them.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { fromNumber, parseCidr, type Range, toNumber } from "../src/core/addresses/ipv4.ts";
import { countsFor, usage } from "../src/core/lifecycle/usage.ts";
import { readFlows } from "../src/host/kernel/flows/flows.ts";
import { flowsQuestion } from "../src/host/kernel/flows/message.ts";
import { readTimeouts } from "../src/host/kernel/flows/timeouts.ts";
import { NETLINK_NETFILTER, type Netlink, openNetlink } from "../src/host/kernel/netlink.ts";
import { ACK, attribute, CREATE, type Message, NESTED, REQUEST } from "../src/host/kernel/netlink-message.ts";
import { ip } from "../test/core/make.ts";
import { load, median, say, table } from "./report.ts";

const setting = (key: string, otherwise: number): number => Number(process.env[key] ?? otherwise);
const LOOKS = setting("LOOKS", 40);
const ALIASES = setting("ALIASES", 4_000);
const PAUSE_MS = setting("PAUSE", 100);
/** Seconds from one look to the next in `watch`. */
const INTERVAL_S = 20;
/** Redirected connections, and others beside them. */
const SIZES = [
  [0, 0],
  [4_000, 0],
  [4_000, 46_000],
  [50_000, 0],
] as const;

const FIRST_ALIAS = toNumber(ip("10.9.0.1"));
const FIRST_CLIENT = toNumber(ip("10.128.0.1"));
const TARGET = toNumber(ip("172.17.0.2"));
const NEW = 1 << 8;
const BATCH = 200;

const number = (value: number, octets: number): Buffer => {
  const out = Buffer.alloc(octets);
  out.writeUIntBE(value, 0, octets);
  return out;
};
const nested = (type: number, ...inner: Buffer[]): Buffer => attribute(type | NESTED, Buffer.concat(inner));

/** Addresses, protocol and ports of one direction (linux/netfilter/nfnetlink_conntrack.h). */
function tuple(type: number, from: number, to: number, protocol: number, ports: readonly number[]): Buffer {
  const [source = 0, destination = 0] = ports;
  return nested(
    type,
    nested(1, attribute(1, number(from, 4)), attribute(2, number(to, 4))),
    nested(
      2,
      attribute(1, number(protocol, 1)),
      attribute(2, number(source, 2)),
      attribute(3, number(destination, 2)),
    ),
  );
}

/** A new entry that has seen packets both ways and is assured; redirected ones lead to a container. */
function connection(n: number, redirected: boolean): Message {
  const [client, alias] = [FIRST_CLIENT + n, FIRST_ALIAS + (n % ALIASES)];
  const protocol = n % 3 === 2 ? 17 : 6;
  const state = n % 3 === 0 ? 3 : 7;
  const body = [
    Buffer.from([2, 0, 0, 0]),
    tuple(1, client, alias, protocol, [40_000, 80]),
    tuple(2, alias, client, protocol, [80, 40_000]),
    attribute(3, number((1 << 1) | (1 << 2) | (1 << 3), 4)),
    attribute(7, number(3_600, 4)),
  ];
  if (protocol === 6) body.push(nested(4, nested(1, attribute(1, number(state, 1)))));
  if (redirected) body.push(nested(13, attribute(1, number(TARGET, 4)), attribute(2, number(TARGET, 4))));
  return { type: NEW, flags: REQUEST | ACK | CREATE, body: Buffer.concat(body) };
}

function fill(netlink: Netlink, from: number, to: number, redirected: boolean): void {
  for (let n = from; n < to; n += BATCH) {
    const some = Array.from({ length: Math.min(BATCH, to - n) }, (_, i) => connection(n + i, redirected));
    netlink.ask(some, some.length);
  }
}

/** Milliseconds of processor time, of all threads: user and system together, which the kernel counts exactly. */
async function cpuOf(act: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

async function measure(netlink: Netlink, redirected: number, others: number): Promise<string[]> {
  fill(netlink, 0, redirected, true);
  fill(netlink, redirected, redirected + others, false);
  const timeouts = await readTimeouts();
  const host = new Set(Array.from({ length: ALIASES }, (_, i) => fromNumber(FIRST_ALIAS + i)));
  const ignored = ["192.168.1.0/24", "192.168.7.9"].map((cidr) => parseCidr(cidr) as Range);
  const services = [...host].map((alias) => ({ alias, container: [fromNumber(TARGET)], ignored }));
  const [looks, lists, readings]: [number[], number[], number[]] = [[], [], []];
  for (let i = -LOOKS; i < LOOKS; i++) {
    await sleep(PAUSE_MS);
    let flows = 0;
    const look = await cpuOf(() => {
      const all = readFlows(netlink);
      flows = all.length;
      return usage(all, timeouts, countsFor(services, host));
    });
    if (flows !== redirected) throw new Error(`${flows} of ${redirected} connections were listed`);
    const list = await cpuOf(() => netlink.list(flowsQuestion(), () => undefined));
    const reading = await cpuOf(readTimeouts);
    if (i < 0) continue;
    looks.push(look);
    lists.push(list);
    readings.push(reading);
  }
  const ms = (values: readonly number[]): string =>
    `${median(values).toFixed(1)} (${Math.max(...values).toFixed(1)})`;
  const mean = looks.reduce((sum, value) => sum + value, 0) / looks.length;
  return [
    String(redirected),
    String(others),
    ms(looks),
    median(lists).toFixed(1),
    ms(readings),
    `${(mean / INTERVAL_S / 10).toFixed(3)} %`,
    load(),
  ];
}

const HEAD = [
  "redirected",
  "others",
  "CPU a look, ms",
  "of it the kernel's list, not read",
  "CPU of the timeouts' files, ms",
  `of a core, a look in ${INTERVAL_S} s`,
  "load",
];

if (process.argv[2] === "inside") {
  const opened = openNetlink(NETLINK_NETFILTER);
  if ("reason" in opened) throw new Error(opened.reason);
  const [redirected, others] = process.argv.slice(3).map(Number);
  say(JSON.stringify(await measure(opened.calls, redirected ?? 0, others ?? 0)));
  opened.calls.close();
} else {
  const rows: string[][] = [];
  for (const size of SIZES) {
    const inside = [process.execPath, fileURLToPath(import.meta.url), "inside", ...size.map(String)];
    rows.push(JSON.parse((await execa("unshare", ["--net", ...inside], { stderr: "inherit" })).stdout));
  }
  const buckets = readFileSync("/proc/sys/net/netfilter/nf_conntrack_buckets", "latin1").trim();
  say(`median (worst) of ${LOOKS} looks; ${ALIASES} aliases; the kernel's table has ${buckets} buckets\n`);
  table(HEAD, rows);
}
