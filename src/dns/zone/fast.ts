/** Answers to plain questions, written over the query. */
import { RCODE, TYPE } from "../wire/types.ts";
import { MAX_AMPLIFICATION, MAX_UDP_OCTETS } from "./authority.ts";
import { FAST, findHashed, HEADER, hashStep, NODE, NODE_WORDS, SET_WORDS, type Zone } from "./zone.ts";

const LOWER = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet,
);

/** Nodes whose answer is more than their own RRset. */
const ODD = NODE.CUT | NODE.OCCLUDED | NODE.CNAME;
/** Nodes below which names are answered from the node itself. */
const ODD_BELOW = NODE.CUT | NODE.OCCLUDED | NODE.DNAME;

const starts = new Int32Array(130);
const hashes = new Int32Array(130);

/** What an answered question asked for; one object is used for all of a caller's questions. */
export interface Asked {
  qtype: number;
}

/**
 * Answer the query in `octets[at..at+length)` by writing the answer over it: ID, RD and the name's case need no copy.
 * Returns the answer's octets, or 0 with the message untouched when this is for `respond`: anything but a plain question
 * for a plain RRset, its absence or its name's absence. `most` is the largest answer, 65535 over TCP and MAX_UDP_OCTETS over
 * UDP, where the size that the client offers counts too. There must be room for `most` octets at `at`. `asked` is set with an answer.
 */
export function answerInPlace(
  zones: readonly Zone[],
  octets: Uint8Array,
  at: number,
  length: number,
  most: number,
  asked: Asked,
): number {
  // Opcode QUERY and not a response; one question, no answer or authority records, at most one additional.
  if (length < 17 || (octets[at + 2] as number) & 0xf8 || octets[at + 5] !== 1) return 0;
  if ((octets[at + 4] as number) | (octets[at + 6] as number) | (octets[at + 7] as number)) return 0;
  if ((octets[at + 8] as number) | (octets[at + 9] as number) | (octets[at + 10] as number)) return 0;
  const additional = octets[at + 11] as number;
  const end = at + length;
  const name = at + 12;
  let i = name;
  let labels = 0;
  for (let size = octets[i] as number; size !== 0; size = octets[i] as number) {
    if (size > 63) return 0;
    starts[labels++] = i;
    i += size + 1;
    if (i >= end || i - name > 254) return 0;
  }
  const nameEnd = i + 1;
  const tail = nameEnd + 4;
  if (tail > end || octets[nameEnd + 2] !== 0 || octets[nameEnd + 3] !== 1) return 0;
  const qtype = ((octets[nameEnd] as number) << 8) | (octets[nameEnd + 1] as number);
  if (qtype === 0 || qtype === TYPE.OPT || (qtype >= 128 && qtype <= 255)) return 0;
  let limit = most < MAX_UDP_OCTETS + 1 ? Math.min(512, most) : most;
  let dnssecOk = 0;
  if (additional === 0) {
    if (tail !== end) return 0;
  } else {
    // One OPT of version 0 without options, and nothing after it.
    if (additional !== 1 || end - tail !== 11 || octets[tail] !== 0 || octets[tail + 1] !== 0) return 0;
    if (
      octets[tail + 2] !== TYPE.OPT ||
      octets[tail + 6] !== 0 ||
      octets[tail + 9] !== 0 ||
      octets[tail + 10] !== 0
    )
      return 0;
    const offered = ((octets[tail + 3] as number) << 8) | (octets[tail + 4] as number);
    if (most <= MAX_UDP_OCTETS) limit = offered < 512 ? 512 : Math.min(offered, most);
    dnssecOk = (octets[tail + 7] as number) & 0x80;
  }
  // A query without options holds no cookie that would prove the client's address.
  if (most <= MAX_UDP_OCTETS) limit = Math.min(limit, MAX_AMPLIFICATION * length);
  for (let z = 0; z < zones.length; z++) {
    const zone = zones[z] as Zone;
    const origin = zone.origin;
    const apexAt = nameEnd - origin.length;
    if (apexAt < name) continue;
    let own = 0;
    while (own < labels && (starts[own] as number) < apexAt) own++;
    if ((own < labels ? (starts[own] as number) : nameEnd - 1) !== apexAt) continue;
    let j = origin.length - 1;
    while (j >= 0 && LOWER[octets[apexAt + j] as number] === origin[j]) j--;
    if (j >= 0) continue;
    asked.qtype = qtype;
    return fromZone(zone, octets, at, tail, qtype, own, labels, limit, additional, dnssecOk);
  }
  return 0;
}

function fromZone(
  zone: Zone,
  octets: Uint8Array,
  at: number,
  tail: number,
  qtype: number,
  own: number,
  labels: number,
  limit: number,
  additional: number,
  dnssecOk: number,
): number {
  const { words } = zone;
  let hash = zone.seed;
  for (let label = own - 1; label >= 0; label--) {
    const first = starts[label] as number;
    for (let i = first + (octets[first] as number); i >= first; i--) {
      hash = hashStep(hash, LOWER[octets[i] as number] as number);
    }
    hashes[label] = hash;
  }
  // The name itself, else its closest encloser (RFC 4592 §3.3.1). No owner is deeper than zone.depth.
  let node = zone.apex;
  let label = labels > zone.depth ? labels - zone.depth : 0;
  for (; label < own; label++) {
    const found = findHashed(zone, hashes[label] as number, octets, starts[label] as number, tail - 4);
    if (found !== 0) {
      node = found;
      break;
    }
  }
  let rcode: number = RCODE.NOERROR;
  let set = 0;
  const flags = words[node >>> 2] as number;
  if (label > 0 && own > 0) {
    if (flags & ODD_BELOW) return 0;
    node = words[(node >>> 2) + 1] as number;
    if (node === 0) rcode = RCODE.NXDOMAIN;
    else if ((words[node >>> 2] as number) & (ODD | NODE.DNAME)) return 0;
  } else if (flags & ODD) return 0;
  if (node !== 0) {
    let i = (node >>> 2) + NODE_WORDS;
    for (let left = words[i - 1] as number; left > 0; left--, i += 2) {
      if (words[i] !== qtype) continue;
      set = words[i + 1] as number;
      if (((words[set >>> 2] as number) & FAST) === 0) return 0;
      break;
    }
  }
  const size = set !== 0 ? (words[(set >>> 2) + 3] as number) : (words[HEADER.NEGATIVE_SIZE] as number);
  const total = tail - at + size + 11 * additional;
  if (total > limit) return 0;
  octets[at + 2] = 0x84 | ((octets[at + 2] as number) & 1);
  octets[at + 3] = rcode;
  const from = set !== 0 ? set + 4 * SET_WORDS : (words[HEADER.NEGATIVE] as number);
  // A short copy is faster by hand than by call.
  if (size < 96) for (let i = 0; i < size; i++) octets[tail + i] = zone.octets[from + i] as number;
  else octets.set(zone.octets.subarray(from, from + size), tail);
  if (set !== 0) {
    const count = words[(set >>> 2) + 2] as number;
    octets[at + 6] = count >>> 8;
    octets[at + 7] = count;
  } else {
    octets[at + 9] = 1;
    // The SOA's names end in the apex, which is in the question.
    const apex = tail - 4 - zone.origin.length - at;
    for (let p = 0; p < 3; p++) {
      const pointer = words[HEADER.NEGATIVE_POINTER + p] as number;
      if (p > 0 && pointer === 0) break;
      octets[tail + pointer] = 0xc0 | (apex >>> 8);
      octets[tail + pointer + 1] = apex;
    }
  }
  if (additional === 1) writeOpt(octets, tail + size, dnssecOk);
  return total;
}

/** An OPT record without options (RFC 6891 §6.1.2). */
function writeOpt(octets: Uint8Array, at: number, dnssecOk: number): void {
  octets[at] = 0;
  octets[at + 1] = 0;
  octets[at + 2] = TYPE.OPT;
  octets[at + 3] = MAX_UDP_OCTETS >>> 8;
  octets[at + 4] = MAX_UDP_OCTETS & 0xff;
  octets[at + 5] = 0;
  octets[at + 6] = 0;
  octets[at + 7] = dnssecOk;
  octets[at + 8] = 0;
  octets[at + 9] = 0;
  octets[at + 10] = 0;
}
