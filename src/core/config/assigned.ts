/** Which keys are set, and where: a flag beats `OCDD_<KEY>` in the environment, which beats the file. */
import { clip } from "../clip.ts";
import type { Problem } from "../errors.ts";
import { type Assignment, readConfFile } from "./conf-file.ts";
import { isKey, KEY_NAMES, type KeyName, unknownKey } from "./keys.ts";
import { edits, meant } from "./nearest.ts";

/** What configures OCDD beside the file. */
export interface Outside {
  readonly environment: ReadonlyMap<string, string>;
  /** `KEY=value` from the command line. */
  readonly flags: readonly string[];
}

/** The keys that are set, with the assignment that counts. */
export interface Assigned {
  readonly set: ReadonlyMap<KeyName, Assignment>;
  readonly problems: readonly Problem[];
  /** The keys of lines that could not be read. */
  readonly unread: ReadonlySet<string>;
  /** Every key that is set or was to be set, known or not. */
  readonly named: readonly string[];
}

/**
 * A line for each `OCDD_<KEY>` that is no key and was meant to be one: at most a letter in four is another. Others are not OCDD's
 * to judge: `OCDD_CONF` and further programs have variables of this form.
 */
export function misspelt(environment: ReadonlyMap<string, string>): string[] {
  return [...environment.keys()].flatMap((variable) => {
    const name = /^OCDD_([A-Z_]+)$/.exec(variable)?.[1] ?? "";
    const near = isKey(name) ? null : meant(name, KEY_NAMES);
    return near === null || 4 * edits(name, near) > name.length
      ? []
      : [`${clip(variable)} is not used: there is no such key; the nearest is OCDD_${near}`];
  });
}

export function assigned({
  file,
  text,
  environment,
  flags,
}: Outside & { readonly file: string; readonly text: string }): Assigned {
  const { assignments, problems, helpers, unread } = readConfFile(text, file, environment);
  const all: Assignment[] = [...assignments];
  for (const name of KEY_NAMES) {
    const value = environment.get(`OCDD_${name}`);
    if (value !== undefined) all.push({ key: name, value, where: `environment:OCDD_${name}` });
  }
  for (const flagText of flags) {
    const at = flagText.indexOf("=");
    if (at > 0) all.push({ key: flagText.slice(0, at), value: flagText.slice(at + 1), where: "--set" });
    else problems.push({ where: "--set", message: `"${flagText}" is not KEY=value` });
  }
  const set = new Map<KeyName, Assignment>();
  for (const assignment of all) {
    if (isKey(assignment.key)) set.set(assignment.key, assignment);
    else if (!helpers.has(assignment.key)) {
      problems.push({ where: assignment.where, key: assignment.key, message: unknownKey(assignment.key) });
    }
  }
  return { set, problems, unread, named: [...all.map(({ key }) => key), ...unread] };
}
