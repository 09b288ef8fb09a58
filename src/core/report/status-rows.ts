/** Rows of the overview: what runs, and what a run would change. */
import { clip } from "../clip.ts";
import type { HostError } from "../errors.ts";
import { age, agoText, counted } from "../text.ts";
import type { Tone } from "./paint.ts";
import type { Refusal, WatchStats } from "./watch-stats.ts";

/** Whether the two servers answer: while the UDP thread answers DNS, the page may not answer. */
export interface ServerAnswers {
  readonly dns: boolean;
  /** Null: there is no page (WEB_ENABLED=0). */
  readonly web: boolean | null;
  /** Those of the two that answer, but with something else than OCDD's files hold: they count as not answering. */
  readonly other?: readonly ("dns" | "web")[];
}

/** A line of the overview; with a tone where its text has a colour, and with what helps where it is not good. */
export type Row = readonly [
  title: string,
  text: string,
  tone?: Tone | undefined,
  remedy?: string | undefined,
];

/** What starts the two processes of OCDD on this host. */
export interface Starts {
  readonly watch: string;
  readonly serve: string;
}

/** Characters of an error's message. */
export const LONG = 200;

/** What `watch` has recorded; `watching` says whether it runs. */
export function watchRows(
  stats: WatchStats | null,
  watching: boolean | null,
  now: number,
  { watch }: Starts,
): Row[] {
  const start = `${watch}; not needed where cron or a timer runs \`ocdd\``;
  if (stats === null)
    return watching === true
      ? [["watch", "runs, and has recorded nothing yet", "good"]]
      : [["watch", "has not run on this host", "warn", start]];
  const { since, changes, repaired, lastRepair, lastError, refused } = stats;
  const when = lastRepair === null ? "" : `, the last ${agoText(lastRepair, now)}`;
  const done = `${counted(changes, "change")} in ${age(Math.max(0, now - since))}, ${counted(repaired, "repair")}${when}`;
  return [
    watching === null
      ? ["watch", done]
      : watching
        ? ["watch", `runs: ${done}`, "good"]
        : ["watch", `does not run; before it ended: ${done}`, "warn", start],
    ...(lastError === null ? [] : [errorRow(lastError, now)]),
    ...(refused === null || watching === false ? [] : [refusedRow(refused, now)]),
  ];
}

/** What helps where a configuration cannot be read. */
export const CORRECT = "correct the configuration and reload `ocdd watch`; `ocdd config` checks it";

function refusedRow({ at, message, remedy }: Refusal, now: number): Row {
  const text = `refused ${agoText(at, now)}, the old configuration stays: ${clip(message, LONG)}`;
  return ["reload", text, "bad", remedy ?? CORRECT];
}

function errorRow({ at, over, message }: NonNullable<WatchStats["lastError"]>, now: number): Row {
  const when = agoText(at, now);
  return over
    ? ["last error", `${when}, recovered since: ${clip(message, LONG)}`]
    : [
        "last error",
        `${when}: ${clip(message, LONG)}`,
        "bad",
        "`ocdd doctor` finds the cause; `ocdd` tries again now",
      ];
}

/** What `ocdd serve` answers. */
export function serverRows(server: ServerAnswers | undefined, { serve }: Starts): Row[] {
  const row = (title: string, which: "dns" | "web", answers: boolean): Row => {
    if (answers) return [title, "answers", "good"];
    const other = server?.other?.includes(which) === true;
    if (other) return [title, "is not OCDD's, or out of date: see `ocdd doctor`", "bad"];
    return [title, "does not answer", "bad", `${serve}; if it runs, its log says why`];
  };
  if (server === undefined)
    return [
      ["name server", UNASKED],
      ["page", UNASKED],
    ];
  const { dns, web } = server;
  return [
    row("name server", "dns", dns),
    web === null ? ["page", "off (WEB_ENABLED=0)"] : row("page", "web", web),
  ];
}

const UNASKED = "unknown (the host has no address yet)";

/** What a run would change; null where that is not known, or where a run is refused. */
export function driftRow(
  drift: readonly string[] | null,
  refused: HostError | null,
  dockerDown: boolean,
): Row {
  if (refused !== null) return ["drift", `a run is refused: ${refused.message}`, "bad", refused.remedy];
  if (drift === null)
    return ["drift", dockerDown ? "unknown (Docker is down; rules stay in place)" : "unknown (needs root)"];
  if (drift.length === 0) return ["drift", "none"];
  return ["drift", `${counted(drift.length, "change")} for the next run`, "warn", "`ocdd` makes them now"];
}

/** Where systemd is to start both, and `ocdd initialize` has written no units for that, with what helps. */
export const NO_UNITS =
  "nothing starts `watch` and `serve` on this host: the systemd units that `ocdd initialize` writes are not there";
export const WRITE_UNITS =
  "run `ocdd initialize`, or set SERVICES=none where both are started in another way";

/** What helps where there is no guard. */
export const UNGUARDED = "apt-get install nftables, on a kernel with nf_tables' bridge family";

/** Why the guard cannot be in force; null when it can, undefined when that is not known. */
export function guardRow(unguarded: string | null | undefined): Row {
  if (unguarded === undefined) return ["guard", "unknown (needs root)"];
  return unguarded === null
    ? ["guard", "available on this host", "good"]
    : ["guard", `not guarded: ${clip(unguarded, LONG)}`, "warn", UNGUARDED];
}
