/** The methods of a container: what it can be asked to do, where each was found, and how it is run. */
import { clip } from "../clip.ts";
import { parseDuration } from "../duration.ts";
import { endpoint, type HttpEndpoint } from "../lifecycle/health.ts";
import type { Metadata } from "./metadata.ts";
import { readCommand } from "./words.ts";

/** In the order in which they are shown. */
export const METHODS = ["start", "update", "validate", "monitor", "metrics"] as const;
export type MethodName = (typeof METHODS)[number];

/** What is run inside the container; METRICS may be read by HTTP instead. */
export type Action = { readonly argv: readonly string[] } | { readonly http: HttpEndpoint };

export interface Method {
  readonly name: MethodName;
  readonly action: Action;
  /** As it was written; untrusted. */
  readonly text: string;
  /** Where it was found, in words: `label ocdd.validate`. Untrusted where a file is named. */
  readonly source: string;
  /** Seconds. */
  readonly timeout: number;
}

export interface MethodSources {
  readonly labels: ReadonlyMap<string, string>;
  /** The metadata files of the image, oldest first. */
  readonly metadata: readonly Metadata[];
  /** Path of an executable `container` in its PATH, or null. */
  readonly script: string | null;
  /** The image's environment. */
  readonly environment: ReadonlyMap<string, string>;
}

export interface Methods {
  readonly found: ReadonlyMap<MethodName, Method>;
  /** One line for each that cannot be read. Such a method is not looked for elsewhere: another one may not be meant. */
  readonly problems: readonly string[];
}

/** Seconds that a method may run where its container does not say. */
const TIMEOUT = 60;

/** The script answers these. */
const OF_SCRIPT: ReadonlySet<MethodName> = new Set(["update", "validate"]);

/** Looks for each method: label, metadata files (the image's own before its ancestors'), script, the image's environment. */
export function methodsOf(sources: MethodSources): Methods {
  const found = new Map<MethodName, Method>();
  const problems: string[] = [];
  for (const name of METHODS) {
    const written = writtenOf(name, sources);
    if (written === undefined) continue;
    const { text, source } = written;
    const action = actionOf(name, text);
    if ("problem" in action)
      problems.push(`${name} (${clip(source)}) cannot be read: ${action.problem}: "${clip(text)}"`);
    else found.set(name, { name, action, text, source, timeout: timeoutOf(name, sources.labels, problems) });
  }
  return { found, problems };
}

interface Written {
  readonly text: string;
  readonly source: string;
}

function writtenOf(name: MethodName, sources: MethodSources): Written | undefined {
  const { labels, metadata, script, environment } = sources;
  const label = labels.get(`ocdd.${name}`);
  if (label !== undefined) return { text: label, source: `label ocdd.${name}` };
  const file = metadata.findLast(({ methods }) => methods[name] !== undefined);
  if (file !== undefined) return { text: file.methods[name] ?? "", source: file.source };
  if (script !== null && OF_SCRIPT.has(name))
    return { text: JSON.stringify([script, `--${name}`]), source: script };
  const variable = `${name.toUpperCase()}_METHOD`;
  const value = environment.get(variable) ?? "";
  return value === "" ? undefined : { text: value, source: `image ENV ${variable}` };
}

function actionOf(name: MethodName, text: string): Action | { readonly problem: string } {
  if (name === "metrics" && /^https?:/i.test(text.trim())) {
    const http = endpoint(text);
    return http === undefined ? { problem: "it is no URL of the form http://:PORT/PATH" } : { http };
  }
  return readCommand(text);
}

function timeoutOf(name: MethodName, labels: ReadonlyMap<string, string>, problems: string[]): number {
  const key = `ocdd.${name}.timeout`;
  const text = labels.get(key);
  const seconds = text === undefined ? TIMEOUT : parseDuration(text);
  if (seconds === undefined) problems.push(`label ${key} cannot be read and is ignored: "${clip(text)}"`);
  return seconds ?? TIMEOUT;
}
