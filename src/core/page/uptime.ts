/**
 * Since when a container runs. Docker's list says it only in words ("Up 2 hours"); asking for each container would
 * block while one starts. The words are bounds, and a time published once is kept while it agrees with them, so that the
 * page does not change every minute.
 */

/** Between these moments a container was started; seconds since the epoch. */
export interface StartBounds {
  readonly earliest: number;
  readonly latest: number;
}

/** Seconds by which a clock and Docker's words may differ. */
const SLACK = 2;

const UNITS: ReadonlyMap<string, readonly [seconds: number, before: number]> = new Map([
  ["second", [1, 0]],
  ["minute", [60, 0]],
  // Docker rounds hours to the nearest, everything else down
  ["hour", [3_600, 1_800]],
  ["day", [86_400, 1_800]],
  ["week", [604_800, 1_800]],
  ["month", [2_592_000, 1_800]],
  ["year", [31_536_000, 1_800]],
]);

/** `Up 2 hours (healthy)`, read at `now` → bounds; undefined when the text says something else. */
export function startBounds(status: string, now: number): StartBounds | undefined {
  if (/^Up Less than a second/.test(status)) return { earliest: now - 1, latest: now };
  const [, count, unit = ""] = /^Up (About an?|\d{1,6}) ([a-z]+?)s?(?: \(|$)/.exec(status) ?? [];
  const scale = UNITS.get(unit);
  if (count === undefined || scale === undefined) return undefined;
  const [seconds, before] = scale;
  const n = /^\d/.test(count) ? Number(count) : 1;
  return { earliest: now - (n + 1) * seconds, latest: now - Math.max(n * seconds - before, 0) };
}

/** Whether both may be of one start. */
export const sameStart = (one: StartBounds | undefined, other: StartBounds | undefined): boolean =>
  one === undefined || other === undefined
    ? one === other
    : one.earliest - SLACK <= other.latest && other.earliest - SLACK <= one.latest;

/** Seconds since the epoch; `before` is what was published last time. Null when nothing is known. */
export function runningSince(
  started: StartBounds | undefined,
  created: number,
  before: number | null,
): number | null {
  if (started === undefined) return null;
  const { earliest, latest } = started;
  const agrees = (moment: number, within: number): boolean =>
    earliest - within <= moment && moment <= latest + within;
  if (before !== null && agrees(before, SLACK)) return before;
  // most containers start when they are created; without slack, so that narrower bounds agree later
  if (agrees(created, 0)) return created;
  return Math.max(created, latest - earliest > SLACK ? Math.ceil((earliest + latest) / 2) : latest);
}
