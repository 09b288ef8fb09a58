/** What the kernel holds once a plan has been carried out: a look's text and lists, brought up to date without a look. */
import type { BridgePort, DeviceAddress, TableName } from "../model.ts";
import type { Plan } from "../plan.ts";

/** What only a program can tell of the host, each taking longer than everything else of a look. */
export interface Kernel {
  readonly links: {
    readonly devices: readonly string[];
    readonly addresses: readonly DeviceAddress[];
    readonly bridgePorts: readonly BridgePort[];
  };
  /** Text of iptables-save by table. */
  readonly tables: ReadonlyMap<TableName, string>;
}

/** The same after the plan; undefined where its text does not tell: jumps are put in, or chains go. */
export function afterwards(before: Kernel, plan: Plan): Kernel | undefined {
  const key = (a: DeviceAddress): string => `${a.device} ${a.address} ${a.prefix}`;
  const gone = new Set(plan.removed.map(key));
  const tables = new Map(before.tables);
  for (const { table, text } of plan.tables) {
    const saved = replaced(tables.get(table) ?? "", text);
    if (saved === undefined) return undefined;
    tables.set(table, saved);
  }
  const hairpin = (port: BridgePort): boolean =>
    plan.hairpinsOn.includes(port.name) || (port.hairpin && !plan.hairpinsOff.includes(port.name));
  const { devices, addresses, bridgePorts } = before.links;
  const links = {
    devices,
    addresses: [...addresses.filter((a) => !gone.has(key(a))), ...plan.added],
    bridgePorts: bridgePorts.map((port) => ({ ...port, hairpin: hairpin(port) })),
  };
  return { links, tables };
}

/** The saved text with the chains that the transaction declares filled as it fills them. */
function replaced(saved: string, transaction: string): string | undefined {
  const lines = transaction.split("\n").filter((line) => line !== "");
  const body = lines.slice(1, -1);
  if (body.some((line) => !line.startsWith(":") && !line.startsWith("-A "))) return undefined;
  const declared = body.filter((line) => line.startsWith(":")).map((line) => line.slice(1).split(" ")[0]);
  const ofDeclared = (line: string): boolean =>
    declared.some((chain) => line.startsWith(`:${chain} `) || line.startsWith(`-A ${chain} `));
  const kept = saved.split("\n").filter((line) => !ofDeclared(line));
  const end = kept.lastIndexOf("COMMIT");
  return end < 0 ? undefined : [...kept.slice(0, end), ...body, ...kept.slice(end)].join("\n");
}
