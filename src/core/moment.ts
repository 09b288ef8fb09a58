/** 9999-12-31 23:59:59 UTC: later times have no form with four digits of a year. */
const LATEST = 253_402_300_799;

/** Whether a value from Docker or a file is a time that can be printed: seconds since the epoch, up to the year 9999. */
export function isMoment(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= LATEST;
}
