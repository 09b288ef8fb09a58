/** Judges from the UDP thread whether the main thread hangs. Pure: time and heartbeats are arguments. */

/** Milliseconds between heartbeats of the main thread. */
export const BEAT_MS = 1_000;
/** Milliseconds without a heartbeat until the process is replaced, as after as long a silence of the UDP thread. */
export const HANG_MS = 30_000;
/** A round that comes later than this after the one before: the whole process was stopped (SIGSTOP, a suspended host). */
const STOPPED_MS = 3_000;

/** One round, at most a second after the one before: true once the main thread hangs. `now` is of a monotonic clock. */
export type HangJudge = (now: number, beats: number) => boolean;

/** A judge that gives the main thread `hangMs` milliseconds. */
export function hangJudge(hangMs: number, start: number): HangJudge {
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
