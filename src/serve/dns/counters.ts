/** Counters of queries, answers and events, shared between threads. */
import { rcodeName, typeName } from "../../dns/wire/types.ts";

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

/** Upper bounds of answer times, in seconds. */
export const ANSWER_BOUNDS: readonly number[] = [
  0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1,
];

/** How long answers have taken, from the reading of the query until the answer was given to the kernel. */
export interface AnswerTimes {
  /** Answers for each of ANSWER_BOUNDS, and those that took longer. */
  readonly counts: readonly number[];
  /** Seconds of all of them together. */
  readonly seconds: number;
}

/** Counts since the start, as a plain object for metrics. */
export interface DnsCounters {
  /** Queries by QTYPE mnemonic; `other` for the rest. */
  readonly types: Readonly<Record<string, number>>;
  /** Responses by RCODE mnemonic. */
  readonly rcodes: Readonly<Record<string, number>>;
  readonly events: Readonly<Record<DnsEvent, number>>;
  readonly answers: AnswerTimes;
}

/** Counts in shared memory: each thread has its own row, reading adds them up, nothing is locked. */
export type CounterRow = Float64Array;

const TIMES = OTHER + 1 + RCODES + EVENTS.length;
/** Behind the counts: the sum. */
const SECONDS = TIMES + ANSWER_BOUNDS.length + 1;
const WIDTH = SECONDS + 1;
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

/** Count answers that took so many milliseconds each. Called once for all answers of a batch: a clock is read twice a batch. */
export function countTime(row: CounterRow, answers: number, milliseconds: number): void {
  const seconds = milliseconds / 1000;
  let bound = 0;
  while (bound < ANSWER_BOUNDS.length && seconds > (ANSWER_BOUNDS[bound] as number)) bound++;
  row[TIMES + bound] = (row[TIMES + bound] as number) + answers;
  row[SECONDS] = (row[SECONDS] as number) + answers * seconds;
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
    (_, rcode) => [rcodeName(rcode), sum(OTHER + 1 + rcode)] as const,
  );
  const events = EVENTS.map((event, i) => [event, sum(OTHER + 1 + RCODES + i)]);
  return {
    types: Object.fromEntries(types) as Record<string, number>,
    rcodes: Object.fromEntries(rcodes.filter(([, count]) => count > 0)),
    events: Object.fromEntries(events) as Record<DnsEvent, number>,
    answers: {
      counts: Array.from({ length: ANSWER_BOUNDS.length + 1 }, (_, i) => sum(TIMES + i)),
      seconds: sum(SECONDS),
    },
  };
}
