/** Counters of queries, answers and events, shared between threads. */
import { typeName } from "../../dns/wire/types.ts";

/** Types counted one by one; the others together. */
const COUNTED = [1, 2, 5, 6, 12, 15, 16, 28, 33, 43, 65, 251, 252, 255];
const OTHER = COUNTED.length;
const RCODES = 24;
/** Slots after the types and the rcodes. */
const EVENTS = [
  "udp",
  "tcp",
  "malformed",
  "silent",
  "dropped",
  "slipped",
  "truncated",
  "transfers",
  "incremental",
  "connections",
  "aborted",
  "unanswered",
  "forwarded",
] as const;

/** Events that are counted beside types and rcodes. */
export type DnsEvent = (typeof EVENTS)[number];

/** Counts since the start, as a plain object for metrics. */
export interface DnsCounters {
  /** Queries by QTYPE mnemonic; `other` for the rest. */
  readonly types: Readonly<Record<string, number>>;
  /** Responses by RCODE number. */
  readonly rcodes: Readonly<Record<string, number>>;
  readonly events: Readonly<Record<DnsEvent, number>>;
}

/** Counts in shared memory: each thread has its own row, reading adds them up, nothing is locked. */
export type CounterRow = Float64Array;

const WIDTH = OTHER + 1 + RCODES + EVENTS.length;
/** Octets of one row. */
export const COUNTER_OCTETS: number = WIDTH * 8;

const slotOfType = new Uint8Array(512).fill(OTHER);
for (const [slot, type] of COUNTED.entries()) slotOfType[type] = slot;

/** Count a query of this type and the RCODE it was answered with. */
export function countAnswer(row: CounterRow, qtype: number, rcode: number): void {
  const slot = qtype < 512 ? (slotOfType[qtype] as number) : OTHER;
  row[slot] = (row[slot] as number) + 1;
  const at = OTHER + 1 + (rcode < RCODES ? rcode : RCODES - 1);
  row[at] = (row[at] as number) + 1;
}

const slotOfEvent = Object.fromEntries(EVENTS.map((event, i) => [event, OTHER + 1 + RCODES + i])) as Record<
  DnsEvent,
  number
>;

/** Count an event. */
export function countEvent(row: CounterRow, event: DnsEvent, times = 1): void {
  const at = slotOfEvent[event];
  row[at] = (row[at] as number) + times;
}

/** A fresh row in memory that threads can share. */
export function counterRow(): CounterRow {
  return new Float64Array(new SharedArrayBuffer(COUNTER_OCTETS));
}

/** Add rows up. */
export function readCounters(rows: readonly CounterRow[]): DnsCounters {
  const sum = (at: number) => rows.reduce((total, row) => total + (row[at] as number), 0);
  const types = [...COUNTED.map((type, slot) => [typeName(type), sum(slot)]), ["other", sum(OTHER)]];
  const rcodes = Array.from(
    { length: RCODES },
    (_, rcode) => [String(rcode), sum(OTHER + 1 + rcode)] as const,
  );
  const events = EVENTS.map((event, i) => [event, sum(OTHER + 1 + RCODES + i)]);
  return {
    types: Object.fromEntries(types) as Record<string, number>,
    rcodes: Object.fromEntries(rcodes.filter(([, count]) => count > 0)),
    events: Object.fromEntries(events) as Record<DnsEvent, number>,
  };
}
