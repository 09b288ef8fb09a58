/** When a container's methods are to be run by `watch`, as its labels ask. Labels are untrusted: every value is bounded. */
import { clip } from "../clip.ts";
import { parseDuration } from "../duration.ts";
import { perObject } from "../memo.ts";
import type { Container } from "../model.ts";
import { type CronEntry, readCron } from "./cron.ts";

/** Methods that are run at an interval. */
export const REPEATED = ["validate", "update", "monitor", "metrics"] as const;
export type Repeated = (typeof REPEATED)[number];

export interface Cadence {
  /** Seconds between the starts of two runs. */
  readonly intervals: ReadonlyMap<Repeated, number>;
  readonly cron: readonly CronEntry[];
  /** Values that cannot be read and are ignored. */
  readonly notes: readonly string[];
}

/** Written out, so that each is found by who looks for a label. */
const LABEL: Readonly<Record<Repeated, string>> = {
  validate: "ocdd.validate.interval",
  update: "ocdd.update.interval",
  monitor: "ocdd.monitor.interval",
  metrics: "ocdd.metrics.interval",
};

/** Seconds between two collections of a container that names its METRICS and no interval. */
const METRICS_INTERVAL = 60;

const NONE: Cadence = { intervals: new Map(), cron: [], notes: [] };

const CONCERNS = /^ocdd\.(?:metrics$|cron\.|(?:validate|update|monitor|metrics)\.interval$)/;

/** Reads the labels. Never throws. */
export function cadenceOf(labels: ReadonlyMap<string, string>): Cadence {
  // the container of an `ocdd try` has these labels from its image at most
  if (labels.has("ocdd.try") || ![...labels.keys()].some((key) => CONCERNS.test(key))) return NONE;
  const notes: string[] = [];
  const intervals = new Map<Repeated, number>();
  for (const method of REPEATED) {
    const text = labels.get(LABEL[method]);
    if (text === undefined) continue;
    const seconds = parseDuration(text);
    if (seconds === undefined)
      notes.push(
        `label ${LABEL[method]} cannot be read and is ignored: "${clip(text)}" is no duration such as 30s, 10m or 1d`,
      );
    else intervals.set(method, seconds);
  }
  if (labels.has("ocdd.metrics") && !intervals.has("metrics")) intervals.set("metrics", METRICS_INTERVAL);
  const cron = readCron(labels);
  return { intervals, cron: cron.entries, notes: [...notes, ...cron.notes] };
}

const known = perObject<Container, Cadence>();

/** The same for a container, read once. */
export const cadenceOfContainer = (container: Container): Cadence =>
  known(container, "", () => cadenceOf(container.labels));
