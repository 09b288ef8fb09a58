/** One task with the real nft as a process, so that a test can put it into a network namespace. Prints JSON. */
import { execa } from "execa";
import type { DataPath, Forward } from "../../../src/core/forwards/forward.ts";
import { canonical } from "../../../src/core/forwards/forward.ts";
import type { NftStyle } from "../../../src/core/forwards/nft.ts";
import { elementsOf, type Mode, renderElements } from "../../../src/core/forwards/nft-elements.ts";
import { bridgePortsOf, dataPathOf } from "../../../src/core/forwards/nft-parse.ts";
import { NETLINK_NETFILTER, openNetlink, openNotifications } from "../../../src/host/kernel/netlink.ts";
import { commitElements } from "../../../src/host/kernel/nft-batch.ts";
import { openNftTable } from "../../../src/host/kernel/nft-table.ts";
import { traceCommands } from "../../../src/host/kernel/run.ts";
import { forward, pathOf } from "../../core/forwards/iptables.ts";
import { ip } from "../../core/make.ts";

const [task = "", mode = "full", detail = ""] = process.argv.slice(2) as [string, Mode, string];
const style: NftStyle = { mode, markEarly: true };
const nft = async (...args: string[]): Promise<string> => (await execa("nft", args)).stdout;
const A = ip("192.168.122.11");

const of = (n: number, labels: Record<string, string> = {}, port: string | null = `veth${n}`): Forward => ({
  ...forward(`192.168.122.${10 + n}`, `172.17.0.${n + 1}`, labels),
  bridgePort: port,
});
/** A forward of each kind. */
const forwards: readonly Forward[] = [
  of(1),
  of(2, {}, null),
  of(3, {
    "ocdd.map": "80:8080,53:5353/udp",
    "ocdd.ports": "80,443,22,53/udp,9/sctp",
    "ocdd.allow": "10.0.0.0/8,192.0.2.1",
  }),
  of(4, { "ocdd.ports": "22" }),
  of(5, { "ocdd.allow": "192.0.2.0/24" }),
  of(6, { "ocdd.map": "80:8080" }),
];
const desired: DataPath = pathOf(forwards);
const table = openNftTable(openNetlink(NETLINK_NETFILTER));

/** What another process finds, in the form of what was committed. */
async function found(): Promise<unknown> {
  const other = openNftTable(openNetlink(NETLINK_NETFILTER));
  const { tables } = await other.read();
  other.close();
  const path = dataPathOf(tables, style);
  const ports = tables === null ? [] : [...bridgePortsOf(tables)].sort();
  const sorted = [...path.forwards].sort((a, b) => (a.alias < b.alias ? -1 : 1));
  return { ...path, forwards: sorted, ports };
}

const wanted = {
  frame: mode === "full" ? desired.frame : { ...desired.frame, subnets: [] },
  forwards: mode === "full" ? forwards.map(canonical) : [],
  damaged: [],
  ports: forwards.map(({ alias, bridgePort }) => [alias, bridgePort]),
};

/** The tables as text, in any order of their elements. */
const listing = async (): Promise<string> =>
  `${await nft("list", "table", "ip", "ocdd")}${await nft("list", "table", "bridge", "ocdd")}`
    .split(/\n/)
    .map((line) => line.replace(/,$/, "").trim())
    .sort()
    .join("\n");

const EDITS: Readonly<Record<string, string>> = {
  rule: "flush chain bridge ocdd guard; add rule bridge ocdd guard meta mark 0 accept",
  gone: "flush chain ip ocdd stale",
  added: "insert rule ip ocdd stale counter accept",
  set: "add element ip ocdd pool { 10.200.0.1 }",
  foreign: 'add element bridge ocdd bridge-ports { 0x0a090001 . "veth*x" }',
  table: "delete table bridge ocdd",
  tables: "delete table bridge ocdd; delete table ip ocdd",
  stamp: "flush chain ip ocdd written",
  policy: "flush chain ip ocdd to-192.168.122.14",
  element: "delete element ip ocdd leased { 192.168.122.11 }",
};

const tasks: Readonly<Record<string, () => Promise<unknown>>> = {
  identity: async () => {
    const listening = openNotifications(NETLINK_NETFILTER, 7);
    if ("reason" in listening) throw new Error(listening.reason);
    await table.commit(desired, style);
    listening.calls.take();
    const programs: string[] = [];
    traceCommands((line) => programs.push(line));
    await table.commit(desired, style);
    traceCommands(() => undefined);
    const changes = listening.calls.take().messages.length;
    return { programs, changes, found: await found(), wanted };
  },
  /** Another program edits the tables; found by a reading, and repaired by a writer that knows of it and by one that does not. */
  edit: async () => {
    await table.commit(desired, style);
    await nft(EDITS[detail] ?? "");
    const seen = await found();
    const other = openNftTable(openNetlink(NETLINK_NETFILTER));
    await other.read();
    await other.commit(desired, style);
    return { differs: JSON.stringify(seen) !== JSON.stringify(wanted), found: await found(), wanted };
  },
  /** This process does not know of changes by another program since its last reading. */
  behind: async () => {
    await table.commit(desired, style);
    await nft(EDITS[detail] ?? "");
    const next = of(7);
    await table.commit(pathOf([...forwards, next]), style);
    const ports = (await table.read()).tables;
    // an element that is gone already stays so
    await nft(EDITS[detail] ?? "").catch(() => "");
    await table.admit(A, "veth9");
    await table.revoke(forwards.map(({ alias }) => alias));
    const { tables } = await table.read();
    return {
      committed: ports === null ? null : bridgePortsOf(ports).get(next.alias),
      left: tables === null ? null : [...bridgePortsOf(tables).keys()],
    };
  },
  elements: async () => {
    await table.commit(pathOf(forwards.map((one) => ({ ...one, bridgePort: null }))), style);
    const elements = elementsOf(forwards, mode);
    await table.revoke(forwards.map(({ alias }) => alias));
    const opened = openNetlink(NETLINK_NETFILTER);
    if ("reason" in opened) throw new Error(opened.reason);
    commitElements(opened.calls, { gone: [], added: elements });
    const netlink = await listing();
    commitElements(opened.calls, { gone: elements, added: [] });
    await execa("nft", ["-f", "-"], { input: renderElements("add", elements) });
    return { netlink, program: await listing() };
  },
  style: async () => {
    await table.commit(desired, { mode, markEarly: false });
    const seen = (await found()) as { damaged: unknown };
    await table.commit(desired, style);
    return { damaged: seen.damaged, found: await found(), wanted };
  },
  life: async () => {
    await table.commit(desired, style);
    const programs: string[] = [];
    traceCommands((line) => programs.push(line));
    await table.revoke([A, ip("192.168.122.13")]);
    await table.revoke([A]);
    await table.admit(A, "veth9");
    await table.admit(ip("192.168.122.12"), "veth8");
    await table.admit(ip("192.168.122.12"), "bad*");
    traceCommands(() => undefined);
    const { tables } = await table.read();
    const ports = tables === null ? [] : [...bridgePortsOf(tables)].sort();
    await table.commit(desired, style);
    const back = await found();
    await table.refuseAll();
    await table.remove();
    return { programs, ports, back, wanted, left: await nft("list", "ruleset") };
  },
  /** Two forwards that nft takes no rules for. */
  refused: async () => {
    await table.commit(pathOf(forwards.slice(0, 3)), style);
    const [bad, worse] = [7, 9].map((n) => ({
      ...of(n),
      ports: [{ protocol: "tcp", port: 70_000 } as const],
    }));
    const all = [...forwards, bad, of(8), worse].filter((one) => one !== undefined);
    const { refused } = await table.commit(pathOf(all), style);
    return { refused, found: await found() };
  },
  missing: async () => {
    const { refused } = await table.commit(desired, style);
    await table.revoke([A]);
    await table.admit(A, "veth1");
    const { unguarded, tables } = await table.read();
    return { refused, unguarded, tables };
  },
};
console.log(JSON.stringify(await tasks[task]?.()));
table.close();
