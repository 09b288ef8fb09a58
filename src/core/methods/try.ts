/** What `ocdd try` is asked for: its container's name, mounts, environment, and the command with its name and address. */
import { toName } from "../services/name.ts";

/** Octets of a label in a zone (RFC 1035 §2.3.4). */
const MOST_OCTETS = 63;

/**
 * `try-<name>-<digits>`, at most 63 octets. `digits` are four hexadecimal ones, so that two at the same time differ; of an image's
 * reference its last part without tag and digest counts.
 */
export function tryName(name: string, digits: string): string {
  const last = name.replace(/@.*$/s, "").split("/").at(-1) ?? "";
  const label = toName(last.replace(/:.*$/s, "")) ?? "container";
  const room = MOST_OCTETS - "try--".length - digits.length;
  return `try-${label.slice(0, room).replace(/-+$/, "")}-${digits}`;
}

/** The form of such a name. */
export const isTryName = (text: string): boolean =>
  text.length <= MOST_OCTETS && /^try-[a-z0-9-]+-[0-9a-f]{4}$/.test(text);

/** A directory or file of this host, in the container. */
export interface TryMount {
  /** As it was written; absolute once it has been looked up. */
  readonly source: string;
  readonly destination: string;
  readonly readOnly: boolean;
}

/** `SRC:DST`, `SRC:DST:ro`; undefined for anything else. The source may hold a colon. */
export function readMount(text: string): TryMount | undefined {
  const [, source = "", destination = "", mode] = /^(.+?):(\/[^:]*)(?::(ro|rw))?$/s.exec(text) ?? [];
  const isRoot = normalPath(destination) === "/";
  if (source === "" || isRoot || text.includes("\0")) return undefined;
  return { source, destination: normalPath(destination), readOnly: mode === "ro" };
}

/** An absolute path without `//`, `.`, `..` and a slash at its end, as Docker compares destinations. */
export function normalPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** Whether a text is `NAME=value`, as an environment holds it. */
export const isVariable = (text: string): boolean => /^[^=\s]+=/.test(text) && !text.includes("\0");

/** The variables of `more` in place of those of the same name, the others behind them. */
export function withVariables(environment: readonly string[], more: readonly string[]): string[] {
  const nameOf = (line: string): string => line.slice(0, line.indexOf("=") >>> 0);
  const all = new Map([...environment, ...more].map((line) => [nameOf(line), line]));
  return [...all.values()];
}

/** A command with `{name}` and `{address}` replaced in each argument. What is put in is not looked at again. */
export function filled(
  argv: readonly string[],
  place: { readonly name: string; readonly address: string },
): string[] {
  return argv.map((word) => word.replace(/\{(name|address)\}/g, (_, key: "name" | "address") => place[key]));
}
