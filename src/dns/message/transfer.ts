/** Zone transfers: AXFR (RFC 5936) and IXFR (RFC 1995). */
import { formatName, nameKey } from "../wire/name.ts";
import { CLASS, OPCODE, TYPE, typeName } from "../wire/types.ts";
import { addCount, MessageWriter } from "../wire/writer.ts";
import type { OwnedSet } from "../zone/answer.ts";
import { type Authority, mayByKey, type Served, type Via, zoneFor } from "../zone/authority.ts";
import type { Change } from "../zone/journal.ts";
import { nodeOwner, nodesOf, readSet, serialOf, setsOf, soaOf, type Zone } from "../zone/zone.ts";
import { answerOpt } from "./edns.ts";
import { parseQuery, type Query } from "./query.ts";
import { tsigRoom, tsigStream, type Verdict, verifyTsig } from "./tsig.ts";

/** Octets of a transfer's messages: a compression pointer cannot reach names past 16384. */
const TRANSFER_MESSAGE_OCTETS = 16384;

const NO_OPT = new Uint8Array();

/** Is `a` after `b` (RFC 1982 §3.2)? */
export function serialAfter(a: number, b: number): boolean {
  return a !== b && (a - b) >>> 0 < 0x80000000;
}

/** The zone's RRsets between its two SOAs (RFC 5936 §2.2). */
function* whole(zone: Zone): Generator<OwnedSet> {
  const soa = { owner: nodeOwner(zone, zone.apex), set: soaOf(zone) };
  yield soa;
  for (const node of nodesOf(zone)) {
    const owner = nodeOwner(zone, node);
    for (const at of setsOf(zone, node)) {
      const set = readSet(zone, at);
      if (set.type !== TYPE.SOA) yield { owner, set };
    }
  }
  yield soa;
}

/** The changes since a serial as RFC 1995 §4 orders them; undefined when the journal does not reach back to it. */
function since(zone: Zone, history: readonly Change[], serial: number): OwnedSet[] | undefined {
  const first = history.findIndex((change) => change.from === serial);
  if (first < 0 || history.at(-1)?.to !== serialOf(zone)) return undefined;
  const soa = { owner: zone.origin, set: soaOf(zone) };
  const steps = history
    .slice(first)
    .flatMap((change) => [change.oldSoa, ...change.removed, change.newSoa, ...change.added]);
  return [soa, ...steps, soa];
}

/** A transfer that may go ahead: its messages, each made when asked for. */
export interface Transfer {
  readonly kind: "AXFR" | "IXFR";
  readonly messages: Generator<Uint8Array>;
}

/**
 * The transfer that a message over TCP asks for, or undefined when it asks for none or is not allowed one
 * (then `respond` answers with the error). A zone block never changes, so a transfer is one consistent snapshot. `clock` gives
 * the seconds since 1970 that each message is signed at: a client may read slowly (RFC 8945 §5.3.1).
 */
export function transfer(
  authority: Authority,
  via: Via,
  message: Uint8Array,
  clock: () => number,
): Transfer | undefined {
  const query = parseQuery(message);
  if (query === undefined || query.malformed || query.opcode !== OPCODE.QUERY || query.qclass !== CLASS.IN)
    return undefined;
  if (query.qtype !== TYPE.AXFR && (query.qtype !== TYPE.IXFR || query.serial === undefined))
    return undefined;
  if (query.edns !== undefined && query.edns.version > 0) return undefined;
  const name = message.slice(12, query.questionEnd - 4);
  const served = zoneFor(authority.zones, name);
  if (served?.zone === undefined || nameKey(served.origin) !== nameKey(name)) return undefined;
  const verdict = query.tsig > 0 ? verifyTsig(message, query.tsig, authority.keys, via.now) : undefined;
  if (verdict !== undefined && (verdict.error !== 0 || verdict.key === undefined)) return undefined;
  if (!via.mayTransfer && !mayByKey(authority, verdict)) return undefined;
  const { kind, sets } = contents(served, served.zone, query);
  // RFC 5936 §2.2.5 wants it in the first message at least; BIND and Knot have it in every one.
  const opt = query.edns === undefined ? NO_OPT : answerOpt(authority, via, query.edns, 0, undefined);
  return { kind, messages: pack(message.slice(0, query.questionEnd), query, sets, opt, verdict, clock) };
}

function contents(
  served: Served,
  zone: Zone,
  query: Query,
): { kind: Transfer["kind"]; sets: Iterable<OwnedSet> } {
  if (query.qtype === TYPE.IXFR && query.serial !== undefined) {
    // RFC 1995 §2: a client with our serial or a later one gets the SOA alone.
    if (!serialAfter(serialOf(zone), query.serial))
      return { kind: "IXFR", sets: [{ owner: zone.origin, set: soaOf(zone) }] };
    const steps = since(zone, served.history ?? [], query.serial);
    if (steps !== undefined) return { kind: "IXFR", sets: steps };
  }
  return { kind: "AXFR", sets: whole(zone) };
}

/**
 * Pack RRsets into messages, as many records in each as fit (RFC 5936 §2.2), every message signed when the query was.
 * @throws RangeError for a record that fits no message; those before it have been given
 */
function* pack(
  head: Uint8Array,
  query: Query,
  sets: Iterable<OwnedSet>,
  opt: Uint8Array,
  verdict: Verdict | undefined,
  clock: () => number,
): Generator<Uint8Array> {
  const key = verdict?.key;
  const room = opt.length + (key === undefined ? 0 : tsigRoom(key));
  const sign = key === undefined || verdict === undefined ? undefined : tsigStream(key, verdict.mac);
  // One record of 65535 octets must fit into a message of its own.
  const out = new Uint8Array(2 * 65535);
  const writer = new MessageWriter();
  writer.keepCase = true;
  const begin = (limit: number) => {
    out.set(head);
    // RFC 5936 §2.2.1: QR and AA set, RD copied.
    out[2] = 0x84 | (query.recursionDesired ? 1 : 0);
    out.fill(0, 3, 12);
    out[5] = 1;
    writer.begin(out, limit - room, head.length);
  };
  const finish = () => {
    out.set(opt, writer.at);
    if (opt.length > 0) addCount(out, 10, 1);
    const size = writer.at + opt.length;
    return out.slice(0, sign === undefined ? size : sign(out, size, clock()));
  };
  let records = 0;
  begin(TRANSFER_MESSAGE_OCTETS);
  for (const { owner, set } of sets) {
    for (const rdata of set.rdata) {
      if (!writer.record(owner, set.type, set.ttl, rdata)) {
        if (records > 0) yield finish();
        records = 0;
        begin(TRANSFER_MESSAGE_OCTETS);
        if (!writer.record(owner, set.type, set.ttl, rdata)) {
          begin(65535);
          // The zone-file reader accepts no such record; an incomplete zone would be worse for the client than none.
          if (!writer.record(owner, set.type, set.ttl, rdata))
            throw new RangeError(`${formatName(owner)} ${typeName(set.type)}: fits no message`);
        }
      }
      addCount(out, 6, 1);
      records++;
    }
  }
  if (records > 0) yield finish();
}
