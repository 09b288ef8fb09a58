/**
 * What `iptables-save` prints → lines, words and rules. Text of others in a rule (comments, log prefixes, names) may look
 * like any part of one: no other module looks for a word in a rule of others.
 *
 * Quoting is that of iptables 1.8: xtables_save_string() prints letters, digits, `_` and `-` alone as they are, so that a
 * comment may be the word `-j`; all else is in double quotes, `"`, `\` and `'` behind a backslash, a line feed as it is.
 * libxt_string.c escapes `"` alone. Names of devices, sets and recent lists are printed as they are.
 */

/** One word; in quotes or not, `text` is without them. */
export interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

/** An option of a match, with the word behind it. */
export interface Condition {
  readonly option: string;
  /** Empty where nothing follows; the next option for one that has no value. */
  readonly value: string;
  readonly negated: boolean;
}

/** A rule, as far as it can be read without knowing each match. */
export interface SavedRule {
  readonly conditions: readonly Condition[];
  /**
   * The chain or extension that takes the packet; empty for a rule without, undefined where a name that is printed without
   * quotes leaves in doubt which of two it is.
   */
  readonly target: string | undefined;
  /** `-g`: what returns from the target does not come back here. */
  readonly goes: boolean;
  /** It has no condition, except for comments. */
  readonly always: boolean;
}

// a quote at the start of a device's or set's name, or one that does not end a word, is a part of the name
const QUOTED = [
  String.raw`(?<=--string )"[^"\\]*(?:\\"?[^"\\]*)*"(?=[ \n]|$)`,
  String.raw`(?<=^| )(?<!(?:^| )(?:-i|-o|--match-set) )"[^"\\]*(?:\\[\s\S][^"\\]*)*"(?=[ \n]|$)`,
].join("|");
const LINE = new RegExp(`(?:${QUOTED}|[^\\n])+`, "g");
const WORD = new RegExp(`(${QUOTED})|[^ ]+`, "g");

/** Lines that are not empty; a line feed in quotes ends none. */
export function linesOf(saved: string): string[] {
  return saved.includes('"') ? (saved.match(LINE) ?? []) : saved.split("\n").filter((line) => line !== "");
}

/** One table as `iptables-save -t` prints it, of all tables; empty where there is none. */
export function tableOf(saved: string, table: string): string {
  const lines = linesOf(saved);
  const first = lines.indexOf(`*${table}`);
  const last = lines.indexOf("COMMIT", first);
  return first < 0 ? "" : lines.slice(first, last + 1).join("\n");
}

/** The words of a rule. */
export function wordsOf(rule: string): Word[] {
  return [...rule.matchAll(WORD)].map(([word, quoted]) =>
    quoted === undefined
      ? { text: word, quoted: false }
      : { text: quoted.slice(1, -1).replace(/\\(.)/gs, "$1"), quoted: true },
  );
}

/** Options whose value may look like an option. */
const NAMED: ReadonlySet<string> = new Set(["--comment", "-i", "-o", "--match-set"]);

/** A rule without the words `-A CHAIN`. */
export function ruleOf(rule: string): SavedRule {
  const words = wordsOf(rule);
  const conditions: Condition[] = [];
  const jumps: { readonly target: string; readonly goes: boolean }[] = [];
  let negated = false;
  for (let i = 0; i < words.length; i++) {
    const { text: option, quoted } = words[i] as Word;
    const next = words[i + 1];
    const value = next?.text ?? "";
    if (quoted || !/^[-!]/.test(option)) continue;
    if (option === "!") {
      negated = true;
      continue;
    }
    // no chain has a name that begins with - or !
    const isName = next?.quoted === false && !/^[-!]/.test(value);
    if (isName && (option === "-j" || option === "-g")) jumps.push({ target: value, goes: option === "-g" });
    else if (jumps.length === 0) conditions.push({ option, value, negated });
    negated = false;
    if (NAMED.has(option)) i++;
  }
  const [first] = jumps;
  return {
    conditions,
    target: jumps.length > 1 ? undefined : (first?.target ?? ""),
    goes: jumps.length === 1 && first?.goes === true,
    always: conditions.every(isComment),
  };
}

const isComment = ({ option, value }: Condition): boolean =>
  option === "--comment" || (option === "-m" && value === "comment");
