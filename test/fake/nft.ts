/** A simulated nftables: tables as the text they were written with, the elements of their sets, and the chains that change. */
import { chainJson, elementJson, poolJson, subnetsJson } from "./nft-json.ts";

interface Table {
  /** The constant part. */
  text: string;
  /** Set → element's key → the element as it was written. */
  readonly sets: Map<string, Map<string, string>>;
  /** Chain → its rules, as far as they were added one by one. */
  readonly chains: Map<string, string[]>;
}

const CHANGING = ["leased", "targets", "policies", "bridge-ports"];
/** Such a chain has no rule in the text of the table. */
const STAMP = "written";

export class FakeNft {
  /** By family and name. */
  tables: Map<string, Table> = new Map();

  /** `nft -f -`: all of it or nothing. Throws with nft's message. */
  apply(input: string): void {
    const next = structuredClone(this.tables);
    const lines = input.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
      const [, name = ""] = /^table (\S+ \S+) \{$/.exec(line) ?? [];
      if (name === "") command(next, line);
      else next.set(name, tableOf(lines.splice(0, lines.indexOf("}") + 1).join("\n")));
    }
    this.tables = next;
  }

  /** `nft list tables FAMILY`. */
  names(family: string): string {
    const names = [...this.tables.keys()].filter((name) => name.startsWith(`${family} `));
    return names.map((name) => `table ${name}\n`).join("");
  }

  /** `nft -j list table`; undefined when there is none. */
  list(family: string): string | undefined {
    const table = this.tables.get(`${family} ocdd`);
    if (table === undefined) return undefined;
    const { text, sets, chains } = table;
    const stamp = / comment "(.*)"$/.exec(chains.get(STAMP)?.[0] ?? "")?.[1];
    const changing = [...chains].filter(([name]) => name !== STAMP);
    const nftables = [
      { metainfo: { version: "1.0.6" } },
      { table: { family, name: "ocdd" } },
      { rule: { family, chain: "constant", text } },
      ...subnetsJson(family, text),
      ...poolJson(family, text),
      ...CHANGING.filter((name) => sets.has(name)).map((name) => ({
        set: { family, name, elem: [...(sets.get(name)?.values() ?? [])].map(elementJson) },
      })),
      ...changing.flatMap(([name, rules]) => chainJson(family, name, rules)),
      ...(stamp === undefined ? [] : [{ rule: { family, chain: STAMP, comment: stamp } }]),
    ];
    return JSON.stringify({ nftables });
  }

  /** All of it as input of `nft -f`. */
  text(): string {
    return [...this.tables].map(([name, table]) => textOf(name, table)).join("");
  }
}

function tableOf(text: string): Table {
  const declared = (what: string): string[] =>
    [...text.matchAll(new RegExp(`^\t(?:${what}) (\\S+) \\{$`, "gm"))].map((match) => match[1] ?? "");
  return {
    text,
    sets: new Map(declared("set|map").map((name) => [name, new Map()])),
    chains: new Map(
      declared("chain")
        .filter((name) => name === STAMP)
        .map((name) => [name, []]),
    ),
  };
}

function textOf(name: string, { text, sets, chains }: Table): string {
  const added = [...chains].flatMap(([chain, rules]) => [
    `add chain ${name} ${chain}\n`,
    ...rules.map((rule) => `add rule ${name} ${chain} ${rule}\n`),
  ]);
  const elements = [...sets].flatMap(([set, list]) =>
    list.size === 0 ? [] : [`add element ${name} ${set} { ${[...list.values()].join(", ")} }\n`],
  );
  return [text === "" ? "" : `table ${name} {\n${text}\n`, ...added, ...elements].join("");
}

function command(tables: Map<string, Table>, line: string): void {
  const [verb = "", what = "", family = "", of = "", name = ""] = line.split(" ");
  const key = `${family} ${of}`;
  const table = tables.get(key);
  if (`${verb} ${what}` === "add table") {
    if (table === undefined) tables.set(key, { text: "", sets: new Map(), chains: new Map() });
    return;
  }
  if (table === undefined) throw new Error(`No such file or directory: ${line}`);
  const rules = (): string[] => {
    const found = table.chains.get(name);
    if (found === undefined) throw new Error(`no such chain: ${line}`);
    return found;
  };
  switch (`${verb} ${what}`) {
    case "delete table":
      tables.delete(key);
      break;
    case "add element":
    case "delete element":
      for (const element of /\{ (.*) \}$/.exec(line)?.[1]?.split(", ") ?? [])
        change(table, verb, name, element);
      break;
    case "add chain":
      table.chains.set(name, table.chains.get(name) ?? []);
      break;
    case "flush chain":
      rules().length = 0;
      break;
    case "delete chain":
      if (rules().length > 0 || goesTo(table, name)) throw new Error(`Device or resource busy: ${line}`);
      table.chains.delete(name);
      break;
    case "add rule":
      rules().push(line.split(" ").slice(5).join(" "));
      break;
    default:
      throw new Error(`not understood: ${line}`);
  }
}

const goesTo = ({ sets }: Table, chain: string): boolean =>
  [...(sets.get("policies")?.values() ?? [])].some((element) => element.endsWith(` goto ${chain}`));

function change(table: Table, verb: string, name: string, element: string): void {
  const set = table.sets.get(name);
  if (set === undefined) throw new Error(`no such set: ${name}`);
  const key = element.replace(/ (?:comment|:) .*$/, "");
  if (verb === "delete") {
    if (!set.delete(key)) throw new Error(`no such element: ${name} ${element}`);
    return;
  }
  const chain = / : goto (\S+)$/.exec(element)?.[1];
  if (chain !== undefined && !table.chains.has(chain)) throw new Error(`no such chain: ${element}`);
  const before = set.get(key);
  if (before?.includes(" : ") === true && before !== element) throw new Error(`File exists: ${element}`);
  set.set(key, before ?? element);
}
