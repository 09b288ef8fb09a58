/** What is stored of a container of `ocdd try` before it is created, and when what a killed one has left is removed. */
import {
  hasEnded,
  isEarlierBoot,
  type ProcessRecord,
  type ProcessSeen,
  readProcessRecord,
} from "../process-record.ts";
import { isTryName } from "./try.ts";

/** With the process that removes it when it ends. */
export interface TryRecord extends ProcessRecord {
  /** Of the container, and the value of its label `ocdd.try`. */
  readonly name: string;
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
  const { schemaVersion, name } = item;
  if (typeof schemaVersion === "number" && schemaVersion > SCHEMA_VERSION) return "newer";
  if (schemaVersion !== SCHEMA_VERSION || typeof name !== "string" || !isTryName(name)) return "invalid";
  const process = readProcessRecord(item);
  return process === undefined ? "invalid" : { name, ...process };
}

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
