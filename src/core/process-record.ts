/** Which process has written something, and whether it has ended since. */

export interface ProcessRecord {
  readonly pid: number;
  /** Clock ticks between boot and its start: a number that is used again has others. */
  readonly started: string;
  /** Where that number counts, as /proc/self/ns/pid has it; empty where it is not known. */
  readonly pidNamespace: string;
  /** Of this boot of the host, as /proc/sys/kernel/random/boot_id has it; empty where it is not known. */
  readonly bootId: string;
  /** Seconds between boot and the writing of this. */
  readonly writtenAt: number;
}

/** Undefined for what is none. */
export function readProcessRecord(item: unknown): ProcessRecord | undefined {
  const { pid, started, pidNamespace, bootId, writtenAt } = (item ?? {}) as Record<string, unknown>;
  if (!Number.isSafeInteger(pid) || (pid as number) < 1 || !Number.isFinite(writtenAt)) return undefined;
  const texts = [started, pidNamespace, bootId];
  if (!texts.every((one) => typeof one === "string")) return undefined;
  return { pid, started, pidNamespace, bootId, writtenAt } as ProcessRecord;
}

/** The host and one of its processes, as another process sees them. Empty texts are not known. */
export interface ProcessSeen {
  /** Whether there is a process of that number. */
  readonly exists: boolean;
  /** Null where /proc does not show it, as to a service with ProtectProc=invisible. */
  readonly started: string | null;
  readonly pidNamespace: string;
  readonly bootId: string;
  /** Seconds since boot. */
  readonly uptime: number;
}

/** Whether the process of a record has ended. What cannot be known for certain counts as not ended. */
export function hasEnded(record: ProcessRecord, seen: ProcessSeen): boolean {
  if (isEarlierBoot(record, seen)) return true;
  const isOtherNamespace =
    record.pidNamespace !== "" && seen.pidNamespace !== "" && record.pidNamespace !== seen.pidNamespace;
  if (isOtherNamespace) return false;
  return !seen.exists || (seen.started !== null && seen.started !== record.started);
}

/** Whether a record was written before the host was started. */
export const isEarlierBoot = ({ bootId, writtenAt }: ProcessRecord, seen: ProcessSeen): boolean =>
  (bootId !== "" && seen.bootId !== "" && bootId !== seen.bootId) || writtenAt > seen.uptime + 1;
