/** 9999-12-31 23:59:59 UTC: later times have no form with four digits of a year. */
const LATEST = 253_402_300_799;

/** Whether a value from Docker or a file is a time that can be printed: seconds since the epoch, up to the year 9999. */
export function isMoment(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= LATEST;
}

/**
 * Whether a stored time is less than `span` seconds from now. One in the future counts by its distance too: after a clock was set back
 * it would else be recent for as long as it was set back.
 */
export const isNear = (at: number, now: number, span: number): boolean => Math.abs(now - at) < span;

/** UTC to the second (RFC 3339 §5.6); null for what is no such time, so that no value from outside ends a run. */
export function iso(seconds: number | null): string | null {
  return isMoment(seconds) ? `${utcOf(seconds * 1000).slice(0, 19)}Z` : null;
}

/** The same to the millisecond, of milliseconds since the epoch. */
export function isoMs(milliseconds: number | null): string | null {
  return milliseconds !== null && isMoment(milliseconds / 1000) ? utcOf(milliseconds) : null;
}

const utcOf = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** Seconds since the epoch, with their fraction, of a time as Docker writes it; null for none: it writes the year 1 for never. */
export function momentIn(text: string): number | null {
  const seconds = Date.parse(text) / 1000;
  return isMoment(seconds) && seconds > 0 ? seconds : null;
}
