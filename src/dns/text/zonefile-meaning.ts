/** The meaning of one logical line of a master file. */
import { formatName, parseName, type WireName } from "../wire/name.ts";
import { type OctetWriter, read32 } from "../wire/octets.ts";
import { CLASS, isDataType, notAType, TYPE, typeCode, typeName } from "../wire/types.ts";
import { ZoneTextError } from "./error.ts";
import { writeRdata } from "./rdata.ts";
import { fieldsOf } from "./rdata-fields.ts";
import { parsePeriod } from "./rdata-token.ts";
import type { LogicalLine } from "./zonefile-line.ts";

/** What every logical line of a master file has. */
interface Span {
  /** First physical line, counted from 1. */
  readonly line: number;
  readonly lastLine: number;
  /** The physical text, verbatim, line end included: the texts of all statements joined give the file. */
  readonly text: string;
  /** Comment without its semicolon, trimmed; "" when there is none. */
  readonly comment: string;
}

/** A resource record as the file has it. */
export interface RecordStatement extends Span {
  readonly kind: "record";
  /** Absolute, with its trailing dot; case kept. */
  readonly owner: string;
  /** The line leaves its owner to the one before. */
  readonly ownerOmitted: boolean;
  /** Seconds; where the line has none, from $TTL or the record before. */
  readonly ttl: number;
  readonly ttlExplicit: boolean;
  /** Mnemonic in upper case, or TYPEnnn. */
  readonly type: string;
  /** Master-file tokens, quotes and escapes kept, names absolute. */
  readonly rdata: readonly string[];
}

/** A $ORIGIN or a $TTL. */
export interface DirectiveStatement extends Span {
  readonly kind: "directive";
  /** The name that $ORIGIN sets: absolute, with its trailing dot. */
  readonly origin?: string;
  /** Seconds that $TTL sets. */
  readonly defaultTtl?: number;
}

/** A blank or comment line, or one that cannot be read (its problem says why). */
export interface OtherStatement extends Span {
  readonly kind: "blank" | "unreadable";
}

/** Something wrong with one line of a master file. */
export interface ZoneProblem {
  readonly line: number;
  readonly message: string;
}

/** What the lines so far have set. */
export interface Context {
  origin: WireName;
  originText: string;
  owner: string | undefined;
  ownerWire: WireName;
  defaultTtl: number | undefined;
  lastTtl: number | undefined;
  /** A $ORIGIN could not be read: what follows it would get wrong names. */
  originLost: boolean;
}

/** What a line means. */
export type Understood =
  | Omit<RecordStatement, keyof Span>
  | Omit<DirectiveStatement, keyof Span>
  | { readonly kind: "blank" };

/** The master-file name made absolute, escapes kept as written. */
export function absolute(token: string, originText: string): string {
  if (token === "@") return originText;
  const trailing = /(\\*)\.$/.exec(token);
  if (trailing && (trailing[1] as string).length % 2 === 0) return token;
  return originText === "." ? `${token}.` : `${token}.${originText}`;
}

/** The same for an owner or origin, whose wire form is known: one in quotes is escaped instead, so that more can follow it. */
function absoluteName(token: string, name: WireName, originText: string): string {
  return token.includes('"') ? formatName(name) : absolute(token, originText);
}

const NO_ORIGIN = "a $ORIGIN before it cannot be read";

function directive(tokens: readonly string[], context: Context): Understood {
  const [word, argument, ...more] = tokens as [string, string?];
  switch (word.toUpperCase()) {
    case "$ORIGIN":
      // a relative one continues the one before
      if (context.originLost && argument?.endsWith(".") !== true) throw new ZoneTextError(NO_ORIGIN);
      context.originLost = true;
      if (argument === undefined || more.length > 0) throw new ZoneTextError("$ORIGIN takes one name");
      context.origin = parseName(argument, context.origin);
      context.originLost = false;
      context.originText = absoluteName(argument, context.origin, context.originText);
      return { kind: "directive", origin: context.originText };
    case "$TTL": {
      // RFC 2308 §4.
      const seconds = parsePeriod(argument ?? "");
      if (seconds === undefined || more.length > 0)
        throw new ZoneTextError("$TTL takes one number of seconds");
      context.defaultTtl = seconds;
      return { kind: "directive", defaultTtl: seconds };
    }
    case "$INCLUDE":
      throw new ZoneTextError("$INCLUDE: not allowed, a zone is one file");
    case "$GENERATE":
      throw new ZoneTextError("$GENERATE: not supported, write the records out");
    default:
      throw new ZoneTextError(`${word}: not a directive of RFC 1035 or RFC 2308`);
  }
}

/** Understand one line; a record's wire form is appended to `out`. */
export function understand(line: LogicalLine, context: Context, out: OctetWriter): Understood {
  const { tokens } = line;
  const [first] = tokens;
  const isDirective = !line.indented && first?.startsWith("$") === true;
  // The lines below an owner that cannot be read are not those of the owner before it.
  if (!line.indented && !isDirective && (first !== undefined || line.problem !== undefined))
    context.owner = undefined;
  if (line.problem !== undefined) throw new ZoneTextError(line.problem);
  if (first === undefined) return { kind: "blank" };
  if (isDirective) return directive(tokens, context);
  if (context.originLost) throw new ZoneTextError(NO_ORIGIN);
  let at = 0;
  if (!line.indented) {
    context.ownerWire = parseName(first, context.origin);
    context.owner = absoluteName(first, context.ownerWire, context.originText);
    at = 1;
  }
  const { owner } = context;
  if (owner === undefined) throw new ZoneTextError("a record without an owner, and none before it");
  let explicit: number | undefined;
  let classSeen = false;
  // RFC 1035 §5.1: [TTL] [class] type, or [class] [TTL] type.
  for (; at < tokens.length; at++) {
    const token = tokens[at] as string;
    const period = explicit === undefined ? parsePeriod(token) : undefined;
    if (period !== undefined) explicit = period;
    else if (!classSeen && /^(in|ch|hs|cs|class[0-9]+)$/i.test(token)) {
      if (!/^(in|class1)$/i.test(token)) throw new ZoneTextError(`class ${token}: only IN is served`);
      classSeen = true;
    } else break;
  }
  const word = tokens[at++];
  if (word === undefined) throw new ZoneTextError(`${owner}: the type is missing`);
  const type = typeCode(word);
  if (type === undefined) throw new ZoneTextError(notAType(word));
  if (!isDataType(type)) throw new ZoneTextError(`${word}: not a type that a zone can hold`);
  const rdata = tokens.slice(at);
  out.raw(context.ownerWire);
  out.u16(type);
  out.u16(CLASS.IN);
  const ttlAt = out.length;
  out.u32(0);
  const start = out.length + 2;
  out.u16(0);
  writeRdata(out, type, rdata, context.origin);
  out.patch16(start - 2, out.length - start);
  // A first SOA without any TTL to go by takes its own MINIMUM, as BIND does.
  const ttl =
    explicit ??
    context.defaultTtl ??
    context.lastTtl ??
    (type === TYPE.SOA ? read32(out.bytes, out.length - 4) : undefined);
  if (ttl === undefined) throw new ZoneTextError(`${owner}: no TTL, no $TTL and no record before it`);
  out.patch16(ttlAt, ttl >>> 16);
  out.patch16(ttlAt + 2, ttl);
  context.lastTtl = ttl;
  const fields = rdata[0] === "\\#" ? undefined : fieldsOf(type);
  return {
    kind: "record",
    owner,
    ownerOmitted: line.indented,
    ttl,
    ttlExplicit: explicit !== undefined,
    type: typeName(type),
    rdata: fields
      ? rdata.map((token, i) => (fields[i] === "name" ? absolute(token, context.originText) : token))
      : rdata,
  };
}
