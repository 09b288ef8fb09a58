/**
 * Since when a container runs. Docker's list says it only in words ("Up 2 hours"); asking for each container would
 * block while one starts. The words are bounds, and a time published once is kept while it agrees with them, so that the
 * page does not change every minute.
 */

/** A container has been up for at least and at most this many seconds. */
export interface UpBounds {
  readonly least: number;
  readonly most: number;
}

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

/** `Up 2 hours (healthy)` → bounds; undefined when the text says something else. */
export function upBounds(status: string): UpBounds | undefined {
  if (/^Up Less than a second/.test(status)) return { least: 0, most: 1 };
  const [, count, unit = ""] = /^Up (About an?|\d{1,6}) ([a-z]+?)s?(?: \(|$)/.exec(status) ?? [];
  const scale = UNITS.get(unit);
  if (count === undefined || scale === undefined) return undefined;
  const [seconds, before] = scale;
  const n = /^\d/.test(count) ? Number(count) : 1;
  return { least: Math.max(n * seconds - before, 0), most: (n + 1) * seconds };
}

/** Seconds since the epoch; `before` is what was published last time. Null when nothing is known. */
export function runningSince(
  up: UpBounds | undefined,
  created: number,
  before: number | null,
  now: number,
): number | null {
  if (up === undefined) return null;
  const slack = 2;
  const agrees = (moment: number, within: number): boolean =>
    now - up.most - within <= moment && moment <= now - up.least + within;
  if (before !== null && agrees(before, slack)) return before;
  // most containers start when they are created; without slack, so that narrower bounds agree later
  if (agrees(created, 0)) return created;
  return Math.max(
    created,
    now - (up.most - up.least > slack ? Math.floor((up.least + up.most) / 2) : up.least),
  );
}
