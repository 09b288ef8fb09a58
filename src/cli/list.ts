/** The command that lists services. */
import { clip } from "../core/clip.ts";
import type { Config } from "../core/config/config.ts";
import type { Decision } from "../core/model.ts";
import { ANY, type Filter, isPattern, type Listed, listed } from "../core/report/filter.ts";
import { listText, namesText } from "../core/report/list.ts";
import type { Paint } from "../core/report/paint.ts";
import { listDocument, noServices } from "../core/report/report.ts";
import { type StoppedService, stoppedServices } from "../core/report/stopped.ts";
import { someOf } from "../core/text.ts";
import type { Answer } from "./commands.ts";
import { containersOf, type Look, lookAtServices } from "./select.ts";
import { toldSetUp } from "./set-up.ts";

export interface ListOptions {
  readonly filter: Filter;
  /** Also services whose container has stopped. */
  readonly all: boolean;
  readonly form: "text" | "wide" | "name" | "json";
  readonly paint: Paint;
}

/** The services as they are. Needs Docker's socket, not root. Throws HostError, also for a name that nothing has. */
export async function runList(config: Config, options: ListOptions): Promise<Answer> {
  const look = await lookAtServices(config);
  const now = Math.floor(Date.now() / 1000);
  return toldSetUp(config, look.seen, () => listAnswer(config, look, options, now));
}

/** `now` is in seconds since the epoch. Throws HostError "refused" for a name that nothing has. */
export function listAnswer(config: Config, look: Look, options: ListOptions, now: number): Answer {
  const { filter, form, paint } = options;
  const stopped = stoppedServices(config, look.decision, look.seen, now);
  const all = options.all || filter.state === "stopped";
  const list = listed(look.decision, all ? stopped : undefined, filter);
  const document = listDocument(config, { ...look.decision, services: list.services }, list.stopped);
  const filtered = Object.values(filter).some((one) => one !== undefined && one.length > 0);
  const warnings = filtered
    ? [...unserved(config, look, filter.names, stopped), ...(isEmpty(list) ? ["no service matches"] : [])]
    : warningsOf(config, look.decision);
  if (form === "json") return { out: `${JSON.stringify(document, null, 2)}\n`, warnings, status: 0 };
  if (form === "name") return { out: namesText(list), warnings, status: 0 };
  const none = filtered ? "" : `${noServices(config, look.decision)}\n`;
  return {
    out: isEmpty(list) ? none : listText(list, { wide: form === "wide", now, paint }),
    warnings,
    status: 0,
  };
}

const isEmpty = ({ services, stopped = [] }: Listed): boolean => services.length + stopped.length === 0;

/** Several about containers are counted in one line, unless DEBUG is set. Of two that want one name `list` says which gets another. */
function warningsOf({ debug }: Pick<Config, "debug">, { warnings, desired }: Decision): string[] {
  const counts = (line: string): boolean =>
    line.startsWith('container "') && !line.includes('" is renamed to "');
  const about = warnings.filter(counts);
  const isShort = about.length > 1 && !debug;
  return [
    ...(isShort ? warnings.filter((line) => !counts(line)) : warnings),
    ...(isShort ? [`${about.length} warnings about ${namedIn(about)}: see \`ocdd show NAME\``] : []),
    ...desired.table.conflicts.map(({ address }) => `${address} is in use by another machine on the network`),
  ];
}

/** Containers named in one line. */
const NAMED = 5;

/** The containers that warnings begin with, some by name. */
function namedIn(warnings: readonly string[]): string {
  const names = [...new Set(warnings.flatMap((line) => /^container "([^"]*)"/.exec(line)?.[1] ?? []))];
  return `${names.length === 1 ? "container" : "containers"} ${someOf(names, NAMED)}`;
}

/** A line for each name of a container that exists and is not served. Throws HostError for a name that nothing has. */
function unserved(
  config: Config,
  look: Look,
  names: readonly string[],
  stopped: readonly StoppedService[],
): string[] {
  return names.flatMap((name) => {
    if (isPattern(name) || !isEmpty(listed(look.decision, stopped, { ...ANY, names: [name] }))) return [];
    containersOf(name, config, look);
    return [`${clip(name)} is not served: see ocdd show ${clip(name)}`];
  });
}
