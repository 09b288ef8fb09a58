/** Where `watch` leaves word of what it has done, for `ocdd status`. */
import {
  afterFailure,
  afterRun,
  freshTally,
  parseTally,
  type Tally,
  tallyText,
} from "../../core/report/watch-stats.ts";
import { readText, writeWhole } from "./file.ts";

export interface TallyKeeper {
  /** A run ended well with so many changes; `drift` tells that no container had changed. */
  ran(changes: number, drift: boolean): void;
  /** A run failed of this. */
  failed(message: string): void;
  /** Resolves when what was told last is on disk, or cannot be. */
  readonly written: () => Promise<void>;
}

/** Counts from now on. `now` gives seconds since the epoch. Never throws: what cannot be written is no reason to stop. */
export function keepTally(file: string, now: () => number): TallyKeeper {
  let tally = freshTally(now());
  let told: Tally | undefined;
  let written = Promise.resolve();
  const tell = (next: Tally): void => {
    tally = next;
    written = written.then(async () => {
      const latest = tally;
      if (told === latest) return;
      // a report needs no fsync; a disk that is full is tried again with the next word
      await writeWhole(file, tallyText(latest), "utf8", "later").then(
        () => {
          told = latest;
        },
        () => undefined,
      );
    });
  };
  return {
    ran: (changes, drift) => tell(afterRun(tally, changes, drift, now())),
    failed: (message) => tell(afterFailure(tally, message, now())),
    written: () => written,
  };
}

/** What was left there; null when there is none that can be read. */
export async function readTally(file: string): Promise<Tally | null> {
  const text = await readText(file).catch(() => undefined);
  return text === undefined ? null : parseTally(text);
}
