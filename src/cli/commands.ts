/** What each command does. Nothing is printed here: text goes back to the command line, which prints it. */

import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import { HostError } from "../core/errors.ts";
import { pathsOf } from "../core/paths.ts";
import { isEmpty } from "../core/plan.ts";
import type { Paint } from "../core/report/paint.ts";
import { isPartial, runDocument, runReport, SCHEMA_VERSION } from "../core/report/report.ts";
import { statusDocument, statusText } from "../core/report/status.ts";
import { NO_UNITS, WRITE_UNITS } from "../core/report/status-rows.ts";
import { describeAll, removedText } from "../core/report/steps.ts";
import { CONFIRMATION_MS, refusal } from "../director/confirm.ts";
import { reconcile } from "../director/reconcile.ts";
import { eventLog } from "../host/disk/event-log.ts";
import { readOctets } from "../host/disk/file.ts";
import { takeLock } from "../host/disk/lock.ts";
import { connectDocker } from "../host/docker/client.ts";
import { connectCreation, type DockerCreation } from "../host/docker/creation.ts";
import { type Host, openHost } from "../host/host.ts";
import { requireMounted } from "../host/install/compose.ts";
import { requirePrivilege } from "../host/install/privilege.ts";
import { startServices, stopServices } from "../host/install/supervisor.ts";
import { reapTries } from "../lifecycle/methods/try-reaper.ts";
import { requireNoWatch } from "./beside-watch.ts";
import { initialize, prepareFirstRun, teardown } from "./initialize.ts";
import { startsNothing, toldSetUp } from "./set-up.ts";
import { serverAnswers, statusOf } from "./status.ts";

/** Exit status: something is left over, containers are not served, the plan is not empty, Docker does not answer. */
const FAILED = 1;
const PARTIAL = 3;
const CHANGES = 2;
const NO_DOCKER = 69;

/** Options of every command. */
export interface Wish {
  readonly json: boolean;
  readonly yes: boolean;
  /** With `status`: also what the services use. */
  readonly stats?: boolean;
  /** Warnings are read on a terminal, and not mailed by cron. */
  readonly terminal?: boolean;
  /** Colours for `out`. */
  readonly paint?: Paint;
}

export interface Answer {
  /** For stdout, unchanged. */
  readonly out: string;
  /** For stderr, a line each. */
  readonly warnings: readonly string[];
  /** For stderr after `out`, a line each. */
  readonly notes?: readonly string[];
  /** For stderr when debugging. */
  readonly details?: readonly string[];
  readonly status: number;
}

const now = (): number => Math.floor(Date.now() / 1000);
const lines = (list: readonly string[]): string => list.map((line) => `${line}\n`).join("");
const jsonText = (document: object): string => `${JSON.stringify(document, null, 2)}\n`;

/** One run: observe, decide, plan, apply. On a host without `initialize` it prepares the storage first. */
export async function runApply(config: Config, { json, yes, terminal = false }: Wish): Promise<Answer> {
  await requirePrivilege();
  await prepareFirstRun(config, openHost(config));
  const reaped = await reapLeftovers(config);
  const release = await takeLock(pathsOf(config).lock);
  try {
    const options = { now, apply: true, yes, confirmationMs: CONFIRMATION_MS };
    const { decision, plan, warnings } = await reconcile(config, openHost(config), options);
    const changes = describeAll(plan.steps);
    // cron would mail it at each run
    const unstarted = terminal && (await startsNothing(config)) ? [`${NO_UNITS}: ${WRITE_UNITS}`] : [];
    return {
      out: json ? jsonText(runDocument(config, decision, changes)) : `\n${runReport(config, decision)}`,
      warnings: [...unstarted, ...reaped, ...warnings],
      details: changes,
      status: isPartial(decision) ? PARTIAL : 0,
    };
  } finally {
    await release();
  }
}

/** Removes what an `ocdd try` that was killed has left; a line for each. */
export async function reapLeftovers(config: Config): Promise<string[]> {
  const { events: file, tries: directory } = pathsOf(config);
  const events = eventLog(file);
  const docker = (): DockerCreation => connectCreation({ socket: config.dockerSocket, ...config.api });
  const lines = await reapTries({ directory, docker, events });
  await events.written();
  return lines;
}

/** What a run would change, also one that is refused without `--yes`. */
export async function runPlan(
  config: Config,
  { json, yes }: Wish,
  detailed: boolean,
  host: Host = openHost(config),
): Promise<Answer> {
  const options = { now, apply: false, yes: true, confirmationMs: 0 };
  const { seen, decision, plan } = await reconcile(config, host, options);
  const refused = yes ? null : refusal(decision);
  const changes = describeAll(plan.steps);
  return toldSetUp(config, seen, () => ({
    out: json ? jsonText(runDocument(config, decision, changes)) : lines(changes),
    warnings: [
      ...(refused === null ? [] : [`without --yes a run refuses these changes: ${refused.message}`]),
      ...decision.warnings,
    ],
    notes: isEmpty(plan) && !json ? ["nothing to do"] : [],
    status: detailed && !isEmpty(plan) ? CHANGES : 0,
  }));
}

/**
 * Overview: last run, whether the servers answer, containers not served and why, drift, versions. Status 69, and all that
 * is known without Docker, when Docker does not answer.
 */
export async function runStatus(
  config: Config,
  { json, stats = false, paint }: Wish,
  version: string,
): Promise<Answer> {
  const docker = connectDocker({ socket: config.dockerSocket, ...config.api });
  const root = await requirePrivilege().then(
    () => true,
    () => false,
  );
  const { report, notices } = await statusOf(config, {
    host: openHost(config),
    docker,
    root,
    version,
    server: (host) => serverAnswers(config, host),
    unstarted: await startsNothing(config),
    now: now(),
    usage: stats,
  });
  const { trouble, remedy } = report;
  const down = trouble === null ? [] : [`${trouble}${remedy === null ? "" : ` (${remedy})`}`];
  return {
    out: json ? jsonText(statusDocument(config, report)) : statusText(config, report, paint),
    warnings: [...notices, ...down],
    status: trouble === null ? 0 : NO_DOCKER,
  };
}

/** The zone in master-file form, octets as characters. */
export async function runZone(config: Config, { json }: Wish): Promise<Answer> {
  const text = await readOctets(config.zoneFile);
  if (text === undefined) {
    throw new HostError("storage", `there is no zone file ${config.zoneFile}`, {
      remedy: "run `ocdd initialize` first",
    });
  }
  const document = { schemaVersion: SCHEMA_VERSION, zone: config.zone, file: config.zoneFile, text };
  return { out: json ? jsonText(document) : text, warnings: [], status: 0 };
}

/**
 * First set-up; `say` is called with each step as it is done. `ask` puts a question of yes or no; undefined where there is no terminal.
 */
export async function runInitialize(
  config: Config,
  { json, yes }: Wish,
  say: (line: string) => void,
  ask: ((question: string) => Promise<boolean>) | undefined,
): Promise<Answer> {
  await requireMounted(config);
  const kept: string[] = [];
  const accept = async (left: readonly Ipv4[]): Promise<boolean> => {
    const what = `${left.join(", ")}: on ${config.device} without a rule, as OctoCopDD leaves them, and not handed out`;
    if (yes || (ask !== undefined && (await ask(`${what}. Remove?`)))) return true;
    kept.push(`${what}; \`ocdd initialize --yes\` removes them`);
    return false;
  };
  const steps: string[] = [];
  const note = json ? (line: string): void => void steps.push(line) : say;
  const { hostIp, notes } = await initialize(config, { now: now(), say: note, accept, yes });
  const watches = await startServices(config, hostIp, note);
  const next =
    "You can now run ocdd without any parameters, so it can detect any running containers and do its thing!";
  return {
    out: json ? jsonText({ schemaVersion: SCHEMA_VERSION, steps }) : `\n${next}\n${watches ? WATCHES : ""}`,
    warnings: [...kept, ...notes],
    status: 0,
  };
}

/** Below the line of the bash script, which had no `watch`. */
const WATCHES = "`ocdd watch`, which has been started, does that by itself from now on.\n";

/**
 * Removes everything of OCDD; its services first, because they would restore it. Status 1 when they are still there. Throws HostError
 * "busy", and changes nothing, beside a `watch` that is none of these services.
 */
export async function runTeardown(config: Config, { json }: Wish): Promise<Answer> {
  await requirePrivilege();
  await requireNoWatch(config);
  const left = await stopServices(config);
  // what could not be stopped is said, and all the same undone
  if (left.length === 0) await requireNoWatch(config, async () => false);
  const { steps } = await teardown(config, now());
  const changes = describeAll(steps);
  const text = changes.length === 0 ? "nothing of OCDD is on this host\n" : lines(changes);
  const out = json ? jsonText({ schemaVersion: SCHEMA_VERSION, changes }) : text;
  const notes = changes.length === 0 || json ? [] : [removedText(steps)];
  return { out, warnings: left, notes, status: left.length > 0 ? FAILED : 0 };
}
