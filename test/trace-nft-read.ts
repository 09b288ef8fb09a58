/** nftables rules as text, read for the tracer. Throws at a line it does not know. */

interface Chain {
  hook: string;
  kind: string;
  priority: number;
  readonly rules: string[];
}
/** A table: its chains, and the elements of its sets. */
export interface Table {
  readonly family: string;
  readonly chains: Map<string, Chain>;
  /** Elements as text: keys with the values of maps. */
  readonly sets: Map<string, [key: string, value: string][]>;
}
/** Tables by `family name`. */
export type NftRuleset = ReadonlyMap<string, Table>;

const PRIORITIES: Readonly<Record<string, number>> = { raw: -300, dstnat: -100, filter: 0, srcnat: 100 };

/** Reads input of `nft -f`: tables, and the commands with which OCDD fills them. */
export function readNft(text: string): NftRuleset {
  const tables = new Map<string, Table>();
  let table: Table | undefined;
  let chain: Chain | undefined;
  let set: [string, string][] | undefined;
  const at = (name: string): Table => {
    const found = tables.get(name) ?? {
      family: name.split(" ")[0] ?? "",
      chains: new Map(),
      sets: new Map(),
    };
    tables.set(name, found);
    return found;
  };
  const chainIn = (owner: Table, name: string): Chain => {
    const found = owner.chains.get(name) ?? { hook: "", kind: "", priority: 0, rules: [] };
    owner.chains.set(name, found);
    return found;
  };
  const commands: readonly [RegExp, (found: readonly string[]) => void][] = [
    [/^$|^#|^add table |^(?:type|flags) [^;]*$/, () => undefined],
    [/^delete table (\S+ \S+)$/, ([name = ""]) => void tables.delete(name)],
    [
      /^table (\S+ \S+) \{$/,
      ([name = ""]) => {
        table = at(name);
      },
    ],
    [
      /^(?:set|map) (\S+) \{$/,
      ([name = ""]) => {
        set = [];
        table?.sets.set(name, set);
      },
    ],
    [
      /^chain (\S+) \{$/,
      ([name = ""]) => {
        chain = table && chainIn(table, name);
      },
    ],
    [
      /^type (\S+) hook (\S+) priority (\S+); policy accept;$/,
      ([kind, hook, at = ""]) =>
        void (chain && Object.assign(chain, { kind, hook, priority: PRIORITIES[at] ?? Number(at) })),
    ],
    [/^elements = \{ (.*) \}$/, ([list = ""]) => void set?.push(...elements(list))],
    [
      /^add element (\S+ \S+) (\S+) \{ (.*) \}$/,
      ([name = "", to = "", list = ""]) =>
        void at(name)
          .sets.get(to)
          ?.push(...elements(list)),
    ],
    [/^add chain (\S+ \S+) (\S+)$/, ([name = "", to = ""]) => void chainIn(at(name), to)],
    [/^flush chain (\S+ \S+) (\S+)$/, ([name = "", to = ""]) => void chainIn(at(name), to).rules.splice(0)],
    [
      /^add rule (\S+ \S+) (\S+) (.*)$/,
      ([name = "", to = "", rule = ""]) => void chainIn(at(name), to).rules.push(rule),
    ],
  ];
  const end = (): void => {
    if (chain === undefined && set === undefined) table = undefined;
    chain = undefined;
    set = undefined;
  };
  for (const line of text.split("\n").map((one) => one.trim())) {
    const known = commands.find(([pattern]) => pattern.test(line));
    if (line === "}") end();
    else if (known !== undefined) known[1](known[0].exec(line)?.slice(1) ?? []);
    else if (chain !== undefined) chain.rules.push(line);
    else throw new Error(`a line the tracer does not know: ${line}`);
  }
  return tables;
}

const elements = (text: string): [string, string][] =>
  text.split(", ").map((one): [string, string] => {
    const [key = "", value = ""] = one.replace(/ comment ".*"$/, "").split(" : ");
    return [key.replaceAll('"', ""), value];
  });
