/** An nftables in memory: tables as the text they were written with, and the elements of the sets that change. */

import type { Ipv4 } from "../../src/core/addresses/ipv4.ts";
import { markOf } from "../../src/core/forwards/nft.ts";

interface Table {
  /** The constant part. */
  text: string;
  /** Set → element's key → the element as it was written. */
  readonly sets: Map<string, Map<string, string>>;
  stamp: string;
}

const CHANGING = ["leased", "bridge-ports"];

export class FakeNft {
  /** By family. */
  tables: Map<string, Table> = new Map();

  /** `nft -f -`: all of it or nothing. Throws what nft would say. */
  apply(input: string): void {
    const next = structuredClone(this.tables);
    const lines = input.split("\n");
    for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
      const [, family = "", name = ""] = /^table (\S+) (ocdd|ocdd-trial) \{$/.exec(line) ?? [];
      if (family === "") command(next, line);
      else {
        const end = lines.indexOf("}");
        const text = lines.splice(0, end + 1).join("\n");
        if (name === "ocdd-trial") continue;
        const declared = [...text.matchAll(/^\t(?:set|map) (\S+) \{$/gm)].map((match) => match[1] ?? "");
        next.set(family, { text, sets: new Map(declared.map((name) => [name, new Map()])), stamp: "" });
      }
    }
    this.tables = next;
  }

  /** `nft -j list table`; undefined when there is none. */
  list(family: string): string | undefined {
    const table = this.tables.get(family);
    if (table === undefined) return undefined;
    const { text, sets, stamp } = table;
    const nftables = [
      { metainfo: { version: "1.0.6" } },
      { table: { family, name: "ocdd" } },
      { rule: { family, chain: "constant", text } },
      ...poolOf(text).map((elem) => ({ set: { family, name: "pool", elem } })),
      ...CHANGING.filter((name) => sets.has(name)).map((name) => ({
        set: { family, name, elem: [...(sets.get(name)?.values() ?? [])].map(printed) },
      })),
      ...(stamp === "" ? [] : [{ rule: { family, chain: "written", comment: stamp } }]),
    ];
    return JSON.stringify({ nftables });
  }

  /** Whether the guard lets a packet to an alias out through a bridge port. */
  passes(alias: Ipv4, bridgePort: string): boolean {
    const ports = this.tables.get("bridge")?.sets.get("bridge-ports");
    const leased = this.tables.get("ip")?.sets.get("leased")?.has(alias) === true;
    return leased && ports?.has(`${markOf(alias)} . "${bridgePort}"`) === true;
  }

  /** True while both tables are as the director writes them. */
  guards(): boolean {
    const { ip, bridge } = Object.fromEntries(this.tables);
    return ip !== undefined && bridge?.text.includes("meta mark @aliases counter drop") === true;
  }
}

function command(tables: Map<string, Table>, line: string): void {
  const [verb = "", what = "", family = "", , name = ""] = line.split(" ");
  const table = tables.get(family);
  if (line === "" || line.endsWith(" ocdd-trial")) return;
  if (verb === "add" && what === "table") {
    if (table === undefined) tables.set(family, { text: "", sets: new Map(), stamp: "" });
    return;
  }
  if (table === undefined) throw new Error(`No such file or directory: ${line}`);
  if (verb === "delete" && what === "table") tables.delete(family);
  else if (what === "element") {
    const set = table.sets.get(name);
    if (set === undefined) throw new Error(`no such set: ${line}`);
    for (const element of /\{ (.*) \}$/.exec(line)?.[1]?.split(", ") ?? []) {
      const key = element.replace(/ comment .*$/, "");
      if (verb === "add") set.set(key, set.get(key) ?? element);
      else if (!set.delete(key)) throw new Error(`no such element: ${line}`);
    }
  } else if (verb === "flush" && what === "chain" && name === "written") table.stamp = "";
  else if (verb === "add" && what === "rule" && name === "written")
    table.stamp = /comment "(.*)"$/.exec(line)?.[1] ?? "";
  else throw new Error(`not understood: ${line}`);
}

/** Elements of the pool as nft prints them. */
function poolOf(text: string): unknown[][] {
  const [, ranges] = /set pool \{[^}]*elements = \{ ([^}]*) \}/.exec(text) ?? [];
  return ranges === undefined
    ? []
    : [ranges.split(", ").map((one) => (one.includes("-") ? { range: one.split("-") } : one))];
}

function printed(element: string): unknown {
  const pair = /^(0x\w+) \. "(.*)"$/.exec(element);
  if (pair !== null) return { concat: [Number(pair[1]), pair[2]] };
  const [val, comment] = element.split(" comment ");
  return comment === undefined ? val : { elem: { val, comment: comment.slice(1, -1) } };
}
