/** Decides in the UDP thread whether the main thread hangs. Pure: time and heartbeats are arguments. */

/** Milliseconds between heartbeats of the main thread. */
export const BEAT_MS = 1_000;
/** Milliseconds without a heartbeat until the process is replaced; as long as for a silent UDP thread. */
export const HANG_MS = 30_000;
/** A round that comes later than this after the previous one: the whole process was stopped (SIGSTOP, a suspended host). */
const STOPPED_MS = 3_000;

/** One round, at most a second after the previous one: true once the main thread hangs. `now`: monotonic milliseconds. */
export type HangCheck = (now: number, beats: number) => boolean;

/** A check that reports a hang after `hangMs` milliseconds without a heartbeat. */
export function hangCheck(hangMs: number, start: number): HangCheck {
  let seen = 0;
  let since = start;
  let last = start;
  return (now, beats) => {
    const stopped = now - last > STOPPED_MS;
    last = now;
    if (beats !== seen || stopped) since = now;
    seen = beats;
    return now - since >= hangMs;
  };
}
