/** Durations as they are written in labels and in the configuration. */

const UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["s", 1],
  ["m", 60],
  ["h", 3_600],
  ["d", 86_400],
]);

/** Seconds in the longest duration that is accepted: 365 days. */
const LONGEST = 31_536_000;

/** `30s`, `10m`, `2h`, `1d` or a bare number of seconds → seconds, 1 to 365 days; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^(\d{1,8})([smhd]?)$/.exec(text.trim().toLowerCase()) ?? [];
  const seconds = Number(digits) * (UNITS.get(unit) ?? 0);
  return seconds >= 1 && seconds <= LONGEST ? seconds : undefined;
}
