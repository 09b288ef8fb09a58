/** The report of `ocdd examine`, in the layout of R.I. Pienaar's container script. */
import { type Metadata, utc } from "./metadata.ts";
import type { Methods } from "./method.ts";
import { printable } from "./output.ts";

export interface Examined {
  /** Seconds since the epoch; null where Docker does not say. */
  readonly firstStarted: number | null;
  readonly methods: Methods;
  /** Oldest first. */
  readonly ancestry: readonly Metadata[];
}

/** Columns of the names of fields. */
const WIDTH = 24;
const SHOWN = ["start", "update", "validate"] as const;

/** Ends with a line break. Untrusted texts are made printable. */
export function examineText({ firstStarted, methods, ancestry }: Examined): string {
  const started = firstStarted === null ? "unknown" : `${utc(firstStarted)} +0000 (${firstStarted})`;
  const supported = [...methods.found.values()].map(
    ({ name, text }) => `   Container supports ${name.toUpperCase()} method using command ${line(text)}`,
  );
  return [
    `Container first started at ${started}`,
    "",
    "Container management methods:",
    "",
    ...(supported.length > 0 ? supported : ["   Container supports no methods"]),
    ...ancestry.flatMap(block),
    "",
  ].join("\n");
}

function block(one: Metadata): string[] {
  const field = (name: string, value: string | null): string =>
    `${name.padStart(WIDTH)}: ${value === null || value === "" ? "not set" : line(value)}`;
  const time =
    one.buildTime === null
      ? null
      : `${one.buildTime}${one.buildTimeStamp === null ? "" : ` (${one.buildTimeStamp})`}`;
  return [
    "",
    `Metadata for image ${line(one.project ?? one.imageName ?? one.source)}`,
    "",
    "  Names:",
    field("Project Name", one.project),
    field("Image Name", one.imageName),
    field("Image Tag Names", one.imageTagNames.join(", ")),
    "",
    "  Build Info:",
    field("CI Run", one.ci === null ? null : String(one.ci)),
    field("Git Hash", one.gitref),
    field("Build Cause", one.buildCause),
    field("Build Time", time),
    field("Build Tag", one.buildTag),
    "",
    "  Actions:",
    ...SHOWN.map((name) => field(name.toUpperCase(), one.methods[name] ?? null)),
  ];
}

/** One line, whatever the image's author has written. */
const line = (text: string): string => printable(text.replace(/[\r\n]+/g, " ")).slice(0, 4_096);
