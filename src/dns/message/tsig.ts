/** TSIG: signatures of messages (RFC 8945). */
import { createHmac, timingSafeEqual } from "node:crypto";
import { ownerName, plainName } from "../wire/message-name.ts";
import { nameKey, parseName, type WireName, wireNameEnd } from "../wire/name.ts";
import { OctetWriter, read16, read32 } from "../wire/octets.ts";
import { CLASS, RCODE, TYPE } from "../wire/types.ts";
import { addCount } from "../wire/writer.ts";

/** HMAC algorithms by TSIG name (RFC 8945 §6), Node's digest and MAC octets; MD5 is left out, it may not be used (§10). */
const ALGORITHMS = new Map<string, { digest: string; size: number }>([
  ["hmac-sha1", { digest: "sha1", size: 20 }],
  ["hmac-sha224", { digest: "sha224", size: 28 }],
  ["hmac-sha256", { digest: "sha256", size: 32 }],
  ["hmac-sha384", { digest: "sha384", size: 48 }],
  ["hmac-sha512", { digest: "sha512", size: 64 }],
]);

/** Names of the algorithms a key may have. */
export const TSIG_ALGORITHMS: readonly string[] = [...ALGORITHMS.keys()];

/** A shared secret with the name both sides know it by. */
export interface TsigKey {
  readonly name: WireName;
  readonly algorithm: string;
  readonly secret: Uint8Array;
}

/** Keys by nameKey of their name. */
export type TsigKeys = ReadonlyMap<string, TsigKey>;

/** The result of checking a message's TSIG, and all that is needed to sign the answer. */
export interface Verdict {
  /** TSIG error; 0 when the signature is right. */
  readonly error: number;
  /** RCODE that the error asks for. */
  readonly rcode: number;
  /** The key, when the signature is right (or only its time is wrong). */
  readonly key: TsigKey | undefined;
  /** Octets to leave for the answer's TSIG. */
  readonly room: number;
  readonly keyName: WireName;
  readonly algorithm: WireName;
  readonly mac: Uint8Array;
  /** Seconds since 1970 at which the client signed. */
  readonly time: number;
  readonly originalId: number;
}

/** Seconds of clock difference allowed (RFC 8945 §10). */
const FUDGE_S = 300;

const NO_NAME = new Uint8Array();

function broken(): Verdict {
  const none = { keyName: NO_NAME, algorithm: NO_NAME, mac: NO_NAME, time: 0, originalId: 0 };
  return { error: RCODE.FORMERR, rcode: RCODE.FORMERR, key: undefined, room: 0, ...none };
}

/** What a MAC covers beside the message (RFC 8945 §4.3.3). */
interface Variables {
  readonly keyName: WireName;
  readonly algorithm: WireName;
  readonly time: number;
  readonly fudge: number;
  readonly error: number;
  readonly other: Uint8Array;
}

function time48(out: OctetWriter, seconds: number): void {
  out.u16(Math.floor(seconds / 2 ** 32));
  out.u32(seconds >>> 0);
}

/** The MAC over an earlier MAC, the message without its TSIG, and the variables (all of them, or the timers alone). */
function macOf(
  key: TsigKey,
  prior: Uint8Array,
  message: Uint8Array,
  variables: Variables,
  timersOnly: boolean,
): Uint8Array {
  const hmac = createHmac((ALGORITHMS.get(key.algorithm) as { digest: string }).digest, key.secret);
  const out = new OctetWriter(prior.length + 300);
  if (prior.length > 0) {
    out.u16(prior.length);
    out.raw(prior);
    hmac.update(out.take());
    out.length = 0;
  }
  hmac.update(message);
  if (!timersOnly) {
    out.raw(Uint8Array.from(nameKey(variables.keyName), (char) => char.charCodeAt(0)));
    out.u16(CLASS.ANY);
    out.u32(0);
    out.raw(Uint8Array.from(nameKey(variables.algorithm), (char) => char.charCodeAt(0)));
  }
  time48(out, variables.time);
  out.u16(variables.fudge);
  if (!timersOnly) {
    out.u16(variables.error);
    out.u16(variables.other.length);
    out.raw(variables.other);
  }
  return hmac.update(out.take()).digest();
}

/**
 * Check the TSIG that starts at `at` and ends the message: key, MAC, time, then truncation (RFC 8945 §5.2). The MAC of
 * an answer covers that of its request, `prior`.
 */
export function verifyTsig(
  message: Uint8Array,
  at: number,
  keys: TsigKeys | undefined,
  now: number,
  prior: Uint8Array = NO_NAME,
): Verdict {
  const owner = ownerName(message, at);
  if (owner === undefined) return broken();
  const keyName = owner.name;
  const rdata = owner.end + 10;
  // RFC 8945 §4.2: this one is never compressed.
  const algorithm = plainName(message, rdata);
  if (read16(message, owner.end + 2) !== CLASS.ANY || algorithm === undefined) return broken();
  let from = rdata + algorithm.length;
  if (from + 10 > message.length) return broken();
  const time = read16(message, from) * 2 ** 32 + read32(message, from + 2);
  const fudge = read16(message, from + 6);
  const macSize = read16(message, from + 8);
  from += 10 + macSize;
  if (from + 6 > message.length || from + 6 + read16(message, from + 4) !== message.length) return broken();
  const mac = message.slice(from - macSize, from);
  const originalId = read16(message, from);
  const name = nameKey(algorithm);
  const room = keyName.length + algorithm.length + 26 + 64 + 6;
  const common = { keyName, algorithm, mac, time, originalId, room };
  const key = keys?.get(nameKey(keyName));
  if (key === undefined || nameKey(parseName(`${key.algorithm}.`)) !== name) {
    return { ...common, error: RCODE.BADKEY, rcode: RCODE.NOTAUTH, key: undefined };
  }
  const { size } = ALGORITHMS.get(key.algorithm) as { size: number };
  // RFC 8945 §5.2.2.1: longer than the hash, or shorter than half of it, is no MAC at all.
  if (mac.length > size || mac.length < Math.max(10, size / 2)) return broken();
  // Not `slice`, which in a Buffer is the message itself.
  const signed = Uint8Array.from(message.subarray(0, at));
  signed[0] = originalId >>> 8;
  signed[1] = originalId;
  addCount(signed, 10, -1);
  const other = message.subarray(from + 6);
  const want = macOf(
    key,
    prior,
    signed,
    { keyName, algorithm, time, fudge, error: read16(message, from + 2), other },
    false,
  );
  if (!timingSafeEqual(want.subarray(0, mac.length), mac)) {
    return { ...common, error: RCODE.BADSIG, rcode: RCODE.NOTAUTH, key: undefined };
  }
  if (Math.abs(now - time) > fudge) return { ...common, error: RCODE.BADTIME, rcode: RCODE.NOTAUTH, key };
  if (mac.length < size) return { ...common, error: RCODE.BADTRUNC, rcode: RCODE.NOTAUTH, key };
  return { ...common, error: 0, rcode: RCODE.NOERROR, key };
}

/** Append a TSIG record; gives the new size and the MAC. Without a key the record is unsigned (BADKEY, BADSIG: RFC 8945 §5.3.2). */
function append(
  out: Uint8Array,
  size: number,
  key: TsigKey | undefined,
  prior: Uint8Array,
  variables: Variables,
  originalId: number,
  timersOnly: boolean,
): { size: number; mac: Uint8Array } {
  const mac = key === undefined ? NO_NAME : macOf(key, prior, out.subarray(0, size), variables, timersOnly);
  const record = new OctetWriter(256);
  record.raw(variables.keyName);
  record.u16(TYPE.TSIG);
  record.u16(CLASS.ANY);
  record.u32(0);
  record.u16(variables.algorithm.length + 16 + mac.length + variables.other.length);
  record.raw(variables.algorithm);
  time48(record, variables.time);
  record.u16(variables.fudge);
  record.u16(mac.length);
  record.raw(mac);
  record.u16(originalId);
  record.u16(variables.error);
  record.u16(variables.other.length);
  record.raw(variables.other);
  out.set(record.bytes.subarray(0, record.length), size);
  addCount(out, 10, 1);
  return { size: size + record.length, mac };
}

/** Sign the answer to a message that carried a TSIG, as its verdict says; gives the new size. */
export function signResponse(out: Uint8Array, size: number, verdict: Verdict, now: number): number {
  if (verdict.room === 0) return size;
  const badTime = verdict.error === RCODE.BADTIME;
  const other = new OctetWriter(8);
  if (badTime) time48(other, now);
  const variables: Variables = {
    keyName: verdict.keyName,
    algorithm: verdict.algorithm,
    // RFC 8945 §5.2.3: with BADTIME the client's time, so that it can check the MAC; the server's is in Other Data.
    time: badTime ? verdict.time : now,
    fudge: FUDGE_S,
    error: verdict.error,
    other: other.take(),
  };
  return append(out, size, verdict.key, verdict.mac, variables, verdict.originalId, false).size;
}

/** Sign a request of our own; gives the new size, and the MAC that its answer's will cover. */
export function signRequest(
  key: TsigKey,
  out: Uint8Array,
  size: number,
  now: number,
): { size: number; mac: Uint8Array } {
  const algorithm = parseName(`${key.algorithm}.`);
  const variables = { keyName: key.name, algorithm, time: now, fudge: FUDGE_S, error: 0, other: NO_NAME };
  return append(out, size, key, NO_NAME, variables, read16(out, 0), false);
}

/** Signs the messages of a transfer: each MAC covers the one before (RFC 8945 §5.3.1). */
export function tsigStream(
  key: TsigKey,
  requestMac: Uint8Array,
): (out: Uint8Array, size: number, now: number) => number {
  let prior = requestMac;
  let first = true;
  const algorithm = parseName(`${key.algorithm}.`);
  return (out, size, now) => {
    const variables = { keyName: key.name, algorithm, time: now, fudge: FUDGE_S, error: 0, other: NO_NAME };
    const done = append(out, size, key, prior, variables, read16(out, 0), !first);
    prior = done.mac;
    first = false;
    return done.size;
  };
}

/** Octets that a TSIG of this key takes. */
export function tsigRoom(key: TsigKey): number {
  return wireNameEnd(key.name, 0) + key.algorithm.length + 2 + 26 + 64;
}
