/**
 * Reports, in the host's network namespace and by netfilter's notifications, when a forward and its bridge port become
 * active and are removed: as rules of iptables-nft or as elements of nft's maps and sets.
 *
 *     kernel-eye.ts   → a line of JSON each: Seen; first of all {"ready":true}
 */

import { execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { clock } from "./clock.ts";

export interface Seen {
  readonly alias: string;
  /** `forward`: where new connections are sent. `port`: the element that lets them out to the container. */
  readonly what: "forward" | "port";
  readonly there: boolean;
  /** Milliseconds on `clock`, of the first notification of the transaction. */
  readonly at: number;
}

/** Everything in force: the kernel's key → the alias. */
const rules = new Map<string, string>();
const elements = new Map<string, { readonly alias: string; readonly what: Seen["what"] }>();
const touched = new Set<string>();
const before = new Set<string>();

const ruleOf = (text: string): string | undefined => /ip daddr ([\d.]+) .*dnat to /.exec(text)?.[1];

/** The alias that an element is about. */
function elementOf(family: string, body: string): { alias: string; what: Seen["what"] } | undefined {
  if (family === "bridge") {
    const mark = /^0x([0-9a-f]{8}) \. /.exec(body)?.[1];
    if (mark === undefined) return undefined;
    const alias = [0, 2, 4, 6].map((at) => Number.parseInt(mark.slice(at, at + 2), 16)).join(".");
    return { alias, what: "port" };
  }
  const alias = /^([\d.]+)(?: \. .*)? : \d+\.\d+\./.exec(body)?.[1];
  return alias === undefined ? undefined : { alias, what: "forward" };
}

function seed(): void {
  const listing = execFileSync("nft", ["-n", "-a", "list", "ruleset"], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  let [family, table] = ["", ""];
  for (const line of listing.split("\n")) {
    const opens = /^table (\S+) (\S+) \{/.exec(line);
    if (opens !== null) [family, table] = [opens[1] ?? "", opens[2] ?? ""];
    const alias = ruleOf(line);
    const handle = / handle (\d+)$/.exec(line)?.[1];
    if (alias !== undefined && handle !== undefined) rules.set(`${family} ${table} ${handle}`, alias);
    if (!/(elements = \{|^\t\t\t)/.test(line)) continue;
    for (const body of line.replace(/.*\{|\}.*/g, "").split(",")) addElement(family, table, body.trim());
  }
  touched.clear();
}

function addElement(family: string, table: string, body: string): void {
  const about = elementOf(family, body.replace(/ (counter|timeout|comment) .*$/, ""));
  if (about === undefined) return;
  elements.set(`${family} ${table} ${body}`, about);
  touched.add(`${about.what} ${about.alias}`);
}

function removeElement(family: string, table: string, body: string): void {
  const key = `${family} ${table} ${body}`;
  const about = elements.get(key) ?? elementOf(family, body);
  elements.delete(key);
  if (about !== undefined) touched.add(`${about.what} ${about.alias}`);
}

/** A transaction has ended: what it has added and removed. */
function tell(at: number): void {
  const there = new Set([...rules.values()].map((alias) => `forward ${alias}`));
  for (const { what, alias } of elements.values()) there.add(`${what} ${alias}`);
  for (const key of touched) {
    const now = there.has(key);
    if (before.has(key) === now) continue;
    if (now) before.add(key);
    else before.delete(key);
    const [what, alias] = key.split(" ") as [Seen["what"], string];
    process.stdout.write(`${JSON.stringify({ alias, what, there: now, at } satisfies Seen)}\n`);
  }
  touched.clear();
}

let began: number | undefined;
function heard(line: string): void {
  if (line.startsWith("# new generation")) {
    if (touched.size > 0) tell(began ?? clock());
    began = undefined;
    return;
  }
  began ??= clock();
  const rule = /^(add|insert|delete) rule (\S+) (\S+) .*?(?:# )?handle (\d+)$/.exec(line);
  if (rule !== null) {
    const key = `${rule[2]} ${rule[3]} ${rule[4]}`;
    const alias = rule[1] === "delete" ? rules.get(key) : ruleOf(line);
    if (rule[1] === "delete") rules.delete(key);
    else if (alias !== undefined) rules.set(key, alias);
    if (alias !== undefined) touched.add(`forward ${alias}`);
    return;
  }
  const element = /^(add|delete) element (\S+) (\S+) \S+ \{ (.*) \}/.exec(line);
  if (element === null) return;
  const [, verb, family = "", table = "", bodies = ""] = element;
  for (const body of bodies.split(", "))
    (verb === "add" ? addElement : removeElement)(family, table, body.trim());
}

const monitor = spawn("nft", ["-n", "-a", "monitor"], { stdio: ["ignore", "pipe", "ignore"] });
createInterface({ input: monitor.stdout }).on("line", heard);
// what changes between the two is seen twice, and counted once
setTimeout(() => {
  seed();
  for (const alias of rules.values()) before.add(`forward ${alias}`);
  for (const { what, alias } of elements.values()) before.add(`${what} ${alias}`);
  process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
}, 300);
process.stdin.on("end", () => {
  monitor.kill();
  process.exit(0);
});
process.stdin.resume();
