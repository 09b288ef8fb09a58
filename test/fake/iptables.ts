/** A simulated iptables as text: applies input of `iptables-restore --noflush` to a saved ruleset. */
import type { TableName } from "../../src/core/forwards/iptables-render.ts";

/** A saved ruleset cut into its tables, as `iptables-save -t` prints each. */
export function saved(text: string): Map<TableName, string> {
  const tables = new Map<TableName, string>();
  for (const match of text.matchAll(/^\*(\S+)\n([\s\S]*?)^COMMIT$/gm))
    tables.set(match[1] as TableName, match[0]);
  return tables;
}

interface Chain {
  policy: string;
  rules: string[];
}

/** The ruleset after the transactions, one a table; throws where iptables-restore would refuse, and nothing is changed. */
export function applyTransaction(ruleset: string, transactions: string): string {
  const tables = read(ruleset);
  for (const [table, text] of saved(transactions)) {
    const chains = tables.get(table) ?? new Map<string, Chain>();
    tables.set(table, chains);
    for (const line of text.split("\n")) change(chains, line);
    for (const [name, { rules }] of chains) {
      for (const rule of rules) {
        const target = /(?:^| )-[jg] (\S+)/.exec(rule)?.[1] ?? "";
        if (!TARGETS.has(target) && !chains.has(target))
          throw new Error(`${table}/${name}: no target ${target}`);
      }
    }
  }
  return print(tables);
}

const TARGETS = new Set(["NFQUEUE", "ACCEPT", "DROP", "REJECT", "RETURN", "DNAT", "MASQUERADE", ""]);

function read(text: string): Map<string, Map<string, Chain>> {
  const tables = new Map<string, Map<string, Chain>>();
  let chains = new Map<string, Chain>();
  for (const line of text.split("\n")) {
    if (line.startsWith("*")) {
      chains = new Map();
      tables.set(line.slice(1), chains);
    } else if (!line.startsWith("#")) change(chains, line);
  }
  return tables;
}

/** One line of iptables-restore's input. */
function change(chains: Map<string, Chain>, line: string): void {
  const [word = "", name = ""] = line.split(" ", 2);
  const rest = line.slice(word.length + name.length + 2);
  const chain = (): Chain => {
    const found = chains.get(name);
    if (found === undefined) throw new Error(`no chain ${name}: ${line}`);
    return found;
  };
  if (word.startsWith(":")) chains.set(word.slice(1), { policy: name, rules: [] });
  else if (word === "-A") chain().rules.push(rest);
  else if (word === "-I") {
    const place = /^(\d+) (.*)$/.exec(rest);
    const at = Number(place?.[1]) - 1;
    if (!(at >= 0 && at <= chain().rules.length)) throw new Error(`no such place: ${line}`);
    chain().rules.splice(at, 0, place?.[2] ?? "");
  } else if (word === "-D") {
    const at = chain().rules.indexOf(rest);
    if (at < 0) throw new Error(`no such rule: ${line}`);
    chain().rules.splice(at, 1);
  } else if (word === "-F") chain().rules.length = 0;
  else if (word === "-X") {
    if (chain().rules.length > 0) throw new Error(`not empty: ${line}`);
    const user = [...chains].find(([, { rules }]) =>
      rules.some((rule) => new RegExp(`-[jg] ${name}( |$)`).test(rule)),
    );
    if (user !== undefined) throw new Error(`${name} is in use by ${user[0]}`);
    chains.delete(name);
  } else if (word !== "" && !word.startsWith("*") && word !== "COMMIT")
    throw new Error(`not understood: ${line}`);
}

function print(tables: ReadonlyMap<string, ReadonlyMap<string, Chain>>): string {
  const lines: string[] = [];
  for (const [table, chains] of tables) {
    lines.push(`*${table}`);
    for (const [name, { policy }] of chains) lines.push(`:${name} ${policy} [0:0]`);
    for (const [name, { rules }] of chains) for (const rule of rules) lines.push(`-A ${name} ${rule}`);
    lines.push("COMMIT");
  }
  return `${lines.join("\n")}\n`;
}
