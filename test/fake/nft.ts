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
  /** By family and name. */
  tables: Map<string, Table> = new Map();

  /** `nft -f -`: all of it or nothing. Throws what nft would say. */
  apply(input: string): void {
    const next = structuredClone(this.tables);
    const lines = input.split("\n");
    for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
      const [, name = ""] = /^table (\S+ \S+) \{$/.exec(line) ?? [];
      if (name === "") command(next, line);
      else {
        const end = lines.indexOf("}");
        const text = lines.splice(0, end + 1).join("\n");
        const declared = [...text.matchAll(/^\t(?:set|map) (\S+) \{$/gm)].map((match) => match[1] ?? "");
        next.set(name, { text, sets: new Map(declared.map((name) => [name, new Map()])), stamp: "" });
      }
    }
    this.tables = next;
  }

  /** `nft -j list table`; undefined when there is none. */
  list(family: string): string | undefined {
    const table = this.tables.get(`${family} ocdd`);
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
    const ports = this.tables.get("bridge ocdd")?.sets.get("bridge-ports");
    const leased = this.tables.get("ip ocdd")?.sets.get("leased")?.has(alias) === true;
    return leased && ports?.has(`${markOf(alias)} . "${bridgePort}"`) === true;
  }

  /** True while both tables are as the director writes them. */
  guards(): boolean {
    const bridge = this.tables.get("bridge ocdd");
    return this.tables.has("ip ocdd") && bridge?.text.includes("meta mark @aliases counter drop") === true;
  }
}

function command(tables: Map<string, Table>, line: string): void {
  const [verb = "", what = "", family = "", of = "", name = ""] = line.split(" ");
  const key = `${family} ${of}`;
  const table = tables.get(key);
  if (line === "") return;
  if (verb === "add" && what === "table") {
    if (table === undefined) tables.set(key, { text: "", sets: new Map(), stamp: "" });
    return;
  }
  if (table === undefined) throw new Error(`No such file or directory: ${line}`);
  if (verb === "delete" && what === "table") tables.delete(key);
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

/** The elements of the set `pool`, as nft prints them. */
function poolOf(text: string): unknown[][] {
  const elements = /^\tset pool \{[^}]*elements = \{ (.*) \}$/m.exec(text)?.[1];
  const one = (element: string): unknown => (element.includes("-") ? { range: element.split("-") } : element);
  return elements === undefined ? [] : [elements.split(", ").map(one)];
}

function printed(element: string): unknown {
  const pair = /^(0x\w+) \. "(.*)"$/.exec(element);
  if (pair !== null) return { concat: [Number(pair[1]), pair[2]] };
  const [val, comment] = element.split(" comment ");
  return comment === undefined ? val : { elem: { val, comment: comment.slice(1, -1) } };
}
