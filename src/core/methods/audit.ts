/** Conditions on metadata documents: `meta.openssl<3`, `labels.org.opencontainers.image.version>=1.2`, `gitref=abc`. */

export interface Condition {
  /** As it was written. */
  readonly text: string;
  readonly path: string;
  readonly operator: Operator;
  readonly value: string;
}

const OPERATORS = ["!=", "<=", ">=", "~", "=", "<", ">"] as const;
type Operator = (typeof OPERATORS)[number];

/** Characters of a condition. */
const MOST_LENGTH = 1_000;

/** A name, and more of them with dots between. */
const PATH = String.raw`[\w@][\w/@-]*(?:\.[\w/@-]+)*`;
const CONDITION = new RegExp(`^\\s*(${PATH})\\s*(?:(!=|<=|>=|==|~|=|<|>)\\s*(.*?)\\s*)?$`, "s");

/** `PATH OP VALUE`; a path alone holds where the field is there. Undefined where it cannot be read. */
export function readCondition(text: string): Condition | undefined {
  const parts = CONDITION.exec(text);
  if (parts === null || text.length > MOST_LENGTH) return undefined;
  const [, path = "", operator = "", value = ""] = parts;
  // `=>` and `<<` are no operators, and nothing compares with nothing; `!=` alone is a field that is not empty
  if (/^[=<>~]/.test(value) || (value === "" && operator !== "" && operator !== "!=")) return undefined;
  const known = operator === "==" ? "=" : operator || "!=";
  return { text: text.trim(), path, operator: known as Operator, value };
}

/**
 * Whether the document matches. A field that is absent matches nothing but `!=`. Of a list one item is enough. `<` and its like compare
 * versions and numbers part by part; `~` is a part of the text, without regard to case.
 */
export function matches(document: unknown, { path, operator, value }: Condition): boolean {
  const found = valueAt(document, path);
  if (found === undefined || found === null || found === "") return operator === "!=" && value !== "";
  const items = Array.isArray(found) ? found : [found];
  const test = (item: unknown): boolean => compares(textOf(item), operator, value);
  return operator === "!=" ? items.every(test) : items.some(test);
}

function compares(text: string, operator: Operator, value: string): boolean {
  switch (operator) {
    case "=":
      return text === value;
    case "!=":
      return text !== value;
    case "~":
      return text.toLowerCase().includes(value.toLowerCase());
    case "<":
      return compareVersions(text, value) < 0;
    case ">":
      return compareVersions(text, value) > 0;
    case "<=":
      return compareVersions(text, value) <= 0;
    case ">=":
      return compareVersions(text, value) >= 0;
  }
}

/** Text of a value; an object is written as JSON. */
export const textOf = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);

/**
 * Runs of digits as numbers, all else as text: 1.9 before 1.10, 1.1.1f before 1.1.1w, 3 before 3.0.1. A pre-release comes before its
 * release (1.0-rc1 before 1.0; Semantic Versioning §11). A leading `v` does not count.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const order = compareParts(left[at], right[at]);
    if (order !== 0) return order;
  }
  return 0;
}

/** Characters of a version that are compared. */
const MOST_VERSION = 256;

const partsOf = (text: string): string[] =>
  text
    .slice(0, MOST_VERSION)
    .replace(/^v(?=\d)/i, "")
    .match(/\d+|[a-z]+|-(?=[a-z])/gi) ?? [];

function compareParts(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return b === "-" ? 1 : /^0+$/.test(b ?? "") ? 0 : -1;
  if (b === undefined) return -compareParts(b, a);
  const [first, second] = [isNumber(a), isNumber(b)];
  if (first && second) return a.length === b.length ? order(a, b) : Number(a) - Number(b);
  if (first !== second) return first ? 1 : -1;
  return order(a.toLowerCase(), b.toLowerCase());
}

const isNumber = (part: string): boolean => /^\d/.test(part);
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The value at a path of names with dots between them; a name may hold dots itself, as those of labels do. */
export function valueAt(document: unknown, path: string): unknown {
  if (typeof document !== "object" || document === null) return undefined;
  if (Object.hasOwn(document, path)) return (document as Record<string, unknown>)[path];
  // the longest name first
  for (let end = path.lastIndexOf("."); end > 0; end = path.lastIndexOf(".", end - 1)) {
    const name = path.slice(0, end);
    if (!Object.hasOwn(document, name)) continue;
    const found = valueAt((document as Record<string, unknown>)[name], path.slice(end + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}
