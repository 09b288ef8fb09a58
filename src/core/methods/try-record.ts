/** What is stored of a container of `ocdd try` before it is created, and when what a killed one has left is removed. */
import { isTryName } from "./try.ts";

export interface TryRecord {
  /** Of the container, and the value of its label `ocdd.try`. */
  readonly name: string;
  /** The process that removes it when it ends. */
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

const SCHEMA_VERSION = 1;

export const renderTryRecord = (record: TryRecord): string =>
  `${JSON.stringify({ schemaVersion: SCHEMA_VERSION, ...record })}\n`;

/** `newer` is the record of a newer version, which is left alone. */
export function parseTryRecord(text: string): TryRecord | "invalid" | "newer" {
  let item: Record<string, unknown>;
  try {
    item = (JSON.parse(text) ?? {}) as Record<string, unknown>;
  } catch {
    return "invalid";
  }
  const { schemaVersion, name, pid, started, pidNamespace, bootId, writtenAt } = item;
  if (typeof schemaVersion === "number" && schemaVersion > SCHEMA_VERSION) return "newer";
  if (schemaVersion !== SCHEMA_VERSION || typeof name !== "string" || !isTryName(name)) return "invalid";
  if (!Number.isSafeInteger(pid) || (pid as number) < 1 || !Number.isFinite(writtenAt)) return "invalid";
  const texts = [started, pidNamespace, bootId];
  if (!texts.every((one) => typeof one === "string")) return "invalid";
  return { name, pid, started, pidNamespace, bootId, writtenAt } as TryRecord;
}

/** The host and one of its processes, as the reaper sees them. Empty texts are not known. */
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
export function hasEnded(record: TryRecord, seen: ProcessSeen): boolean {
  if (isEarlierBoot(record, seen)) return true;
  const isOtherNamespace =
    record.pidNamespace !== "" && seen.pidNamespace !== "" && record.pidNamespace !== seen.pidNamespace;
  if (isOtherNamespace) return false;
  return !seen.exists || (seen.started !== null && seen.started !== record.started);
}

const isEarlierBoot = ({ bootId, writtenAt }: TryRecord, seen: ProcessSeen): boolean =>
  (bootId !== "" && seen.bootId !== "" && bootId !== seen.bootId) || writtenAt > seen.uptime + 1;

/** Seconds for which Docker may still be creating the container of a process that has ended. */
export const CREATION_SECONDS = 300;

/**
 * What is done about a record: `remove` the container and the record, `forget` the record, or `leave` both. `found` says whether a
 * container of that name with that label exists.
 */
export function fateOf(record: TryRecord, seen: ProcessSeen, found: boolean): "remove" | "forget" | "leave" {
  if (!hasEnded(record, seen)) return "leave";
  if (found) return "remove";
  const isOver = isEarlierBoot(record, seen) || seen.uptime - record.writtenAt > CREATION_SECONDS;
  return isOver ? "forget" : "leave";
}
