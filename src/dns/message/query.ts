/** Received queries: header, question, EDNS, TSIG, in bounded time. */
import { read16, read32 } from "../wire/octets.ts";
import { OPCODE, RCODE, TYPE } from "../wire/types.ts";

/** What an OPT record asks for (RFC 6891 §6.1). */
export interface Edns {
  readonly version: number;
  /** Octets of UDP payload the client accepts; sizes under 512 count as 512 (§6.2.3). */
  readonly size: number;
  readonly dnssecOk: boolean;
  /** COOKIE option's octets (RFC 7873). */
  readonly cookie?: Uint8Array;
  readonly nsid: boolean;
  readonly keepalive: boolean;
  /** Lengths of its options do not add up, or an option has an invalid length: FORMERR. */
  readonly broken: boolean;
}

/** A received message, parsed as far as the server needs it. Offsets are into the message. */
export interface Query {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  /** Where the question ends; 12 when there is none that can be echoed. */
  readonly questionEnd: number;
  readonly qtype: number;
  readonly qclass: number;
  readonly edns: Edns | undefined;
  /** The message cannot be parsed: FORMERR. */
  readonly malformed: boolean;
  /** Where a TSIG record starts (its owner), or 0. */
  readonly tsig: number;
  /** Serial of a SOA in the authority section (IXFR, RFC 1995 §3). */
  readonly serial: number | undefined;
}

/** Records that a query may carry: OPT, TSIG, the SOA of an IXFR, and a reserve. */
const MAX_RECORDS = 16;

/** End of the QNAME at 12, or 0 when it is no name: a pointer, 0x40 or 0x80 labels, above 255 octets, or cut off. */
function questionNameEnd(message: Uint8Array): number {
  let at = 12;
  while (at < message.length) {
    const size = message[at] as number;
    if (size === 0) return at - 12 < 255 ? at + 1 : 0;
    if (size > 63) return 0;
    at += size + 1;
  }
  return 0;
}

/** End of the owner at `at`; pointers must look back and are not followed; 0 when it is no name. */
export function ownerEnd(message: Uint8Array, at: number): number {
  const start = at;
  let i = at;
  while (i < message.length && i - start < 256) {
    const size = message[i] as number;
    if (size === 0) return i + 1;
    if (size >= 0xc0) {
      const target = ((size & 0x3f) << 8) | (message[i + 1] ?? 0);
      return i + 1 < message.length && target >= 12 && target < start ? i + 2 : 0;
    }
    if (size > 63) return 0;
    i += size + 1;
  }
  return 0;
}

/** Read an OPT record whose fixed part starts at `at`; options of another version are not read. */
function readEdns(message: Uint8Array, at: number, end: number): Edns {
  const version = message[at + 5] as number;
  let cookie: Uint8Array | undefined;
  let nsid = false;
  let keepalive = false;
  let broken = false;
  for (let i = at + 10; i < end && version === 0; ) {
    const code = read16(message, i);
    const size = read16(message, i + 2);
    // RFC 7873 §5.2.2: a client cookie is 8 octets, a server cookie 8 to 32 more.
    broken = i + 4 > end || i + 4 + size > end || (code === 10 && size !== 8 && (size < 16 || size > 40));
    if (broken) break;
    if (code === 3) nsid = true;
    else if (code === 11) keepalive = true;
    else if (code === 10) cookie ??= message.slice(i + 4, i + 4 + size);
    i += 4 + size;
  }
  return {
    version,
    size: Math.max(512, read16(message, at + 2)),
    dnssecOk: ((message[at + 6] as number) & 0x80) !== 0,
    ...(cookie === undefined ? {} : { cookie }),
    nsid,
    keepalive,
    broken,
  };
}

/**
 * Parse a message in time bounded by its header: at most one QNAME and 16 records are read and no pointer is followed,
 * so a crafted message costs no more than an ordinary one. Undefined means no answer: too short for a header,
 * or itself a response (RFC 1035 §7.3; answering those makes a loop between two servers).
 */
export function parseQuery(message: Uint8Array): Query | undefined {
  if (message.length < 12 || (message[2] as number) & 0x80) return undefined;
  const opcode = ((message[2] as number) >>> 3) & 15;
  const query = {
    id: read16(message, 0),
    opcode,
    recursionDesired: ((message[2] as number) & 1) !== 0,
    questionEnd: 12,
    qtype: 0,
    qclass: 0,
    edns: undefined as Edns | undefined,
    // The content of an UPDATE or of another opcode is not checked: only its OPT and TSIG are read.
    malformed: opcode === OPCODE.QUERY || opcode === OPCODE.NOTIFY,
    tsig: 0,
    serial: undefined as number | undefined,
  };
  // RFC 9619: a query has exactly one question. A message without one is still read, for its OPT.
  const questions = read16(message, 4);
  if (questions > 1) return query;
  if (questions === 1) {
    const nameEnd = questionNameEnd(message);
    if (nameEnd === 0 || nameEnd + 4 > message.length) return query;
    query.questionEnd = nameEnd + 4;
    query.qtype = read16(message, nameEnd);
    query.qclass = read16(message, nameEnd + 2);
  }
  const counts = [read16(message, 6), read16(message, 8), read16(message, 10)] as const;
  const total = counts[0] + counts[1] + counts[2];
  if (total > MAX_RECORDS) return query;
  let at = query.questionEnd;
  for (let record = 0; record < total; record++) {
    const start = at;
    const fixed = ownerEnd(message, at);
    if (fixed === 0 || fixed + 10 > message.length) return query;
    const type = read16(message, fixed);
    const end = fixed + 10 + read16(message, fixed + 8);
    if (end > message.length) return query;
    const additional = record >= counts[0] + counts[1];
    if (type === TYPE.OPT) {
      // RFC 6891 §6.1.1: in the additional section, once, owned by the root.
      if (!additional || query.edns !== undefined || message[start] !== 0) return query;
      query.edns = readEdns(message, fixed, end);
    } else if (type === TYPE.TSIG) {
      // RFC 8945 §5.1: the last record of the additional section.
      if (!additional || record !== total - 1) return query;
      query.tsig = start;
    } else if (type === TYPE.SOA && record >= counts[0] && !additional && end - fixed >= 32) {
      query.serial = read32(message, end - 20);
    }
    at = end;
  }
  // Octets after the last record are no part of any message.
  query.malformed &&= questions === 0 || at !== message.length || query.edns?.broken === true;
  return query;
}

/** Where the TSIG of a response starts, parsed with the same checks as a query; 0 when it has none. */
export function tsigOfResponse(message: Uint8Array): number {
  const request = Uint8Array.from(message);
  request[2] = (message[2] ?? 0) & 0x7f;
  return parseQuery(request)?.tsig ?? 0;
}

/** RCODE for what only the header and the question decide; NOERROR when the zone is to be asked. */
export function headerRcode(query: Query): number {
  if (query.opcode !== OPCODE.QUERY) return RCODE.NOTIMP;
  if (query.malformed) return RCODE.FORMERR;
  if (query.edns !== undefined && query.edns.version > 0) return RCODE.BADVERS;
  return RCODE.NOERROR;
}
