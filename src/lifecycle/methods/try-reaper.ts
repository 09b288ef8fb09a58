/** Removes what an `ocdd try` that was killed has left. */
import { clip } from "../../core/clip.ts";
import { fateOf } from "../../core/methods/try-record.ts";
import type { Say } from "../../daemon/log.ts";
import type { EventLog } from "../../host/disk/event-log.ts";
import { readTryRecords, removeTryRecord } from "../../host/disk/try-records.ts";
import type { DockerCreation } from "../../host/docker/creation.ts";
import { reasonOf } from "../../host/docker/error.ts";
import { look } from "../../host/kernel/process-owner.ts";
import { commandEvent } from "../event-texts.ts";

export interface ReaperMeans {
  /** Of the records. */
  readonly directory: string;
  readonly docker: () => Pick<DockerCreation, "labelled" | "remove">;
  readonly events: Pick<EventLog, "add">;
}

/** The label that says which record a container has. */
export const TRY_LABEL = "ocdd.try";

/**
 * Removes each container that has both the label and a record, and whose process has ended, and the record. Resolves with a line for
 * each that was removed or could not be. Docker is not asked where there is no record. Never rejects.
 */
export async function reapTries(means: ReaperMeans): Promise<string[]> {
  const lines: string[] = [];
  try {
    for (const record of await readTryRecords(means.directory, Date.now())) {
      const seen = await look(record.pid);
      // one that runs costs no question to Docker
      if (fateOf(record, seen, true) === "leave") continue;
      const line = await reap(record.name, (found) => fateOf(record, seen, found), means);
      if (line !== undefined) lines.push(line);
    }
  } catch (error) {
    lines.push(`what an ended ocdd try has left cannot be removed: ${reasonOf(error)}`);
  }
  return lines;
}

/** The same in a long-running process: one at a time, so that a Docker that hangs keeps nothing waiting. */
export function backgroundReaper(means: ReaperMeans, say: Say): () => void {
  let isBusy = false;
  return () => {
    if (isBusy) return;
    isBusy = true;
    void reapTries(means).then((lines) => {
      isBusy = false;
      for (const line of lines) say("warning", line);
    });
  };
}

async function reap(
  name: string,
  fate: (found: boolean) => ReturnType<typeof fateOf>,
  { directory, docker, events }: ReaperMeans,
): Promise<string | undefined> {
  try {
    const id = await docker().labelled(name, TRY_LABEL, name);
    const decided = fate(id !== undefined);
    if (decided === "leave") return undefined;
    if (id !== undefined) {
      await docker().remove(id);
      events.add(commandEvent({ name }, "remove", "its ocdd try has ended without removing it", Date.now()));
    }
    await removeTryRecord(directory, name);
    return id === undefined ? undefined : `${name} is removed: its ocdd try has ended without removing it`;
  } catch (error) {
    return `${clip(name, 63)}, which an ended ocdd try has left, cannot be removed: ${reasonOf(error)}`;
  }
}
