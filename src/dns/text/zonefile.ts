/** Master files (RFC 1035 §5): read as statements or as wire records, written as lines. */
import { formatName, parseName, type WireName, wireNameEnd, writeName } from "../wire/name.ts";
import { OctetWriter } from "../wire/octets.ts";
import { CLASS, typeCode, typeName } from "../wire/types.ts";
import { ZoneTextError } from "./error.ts";
import { writeRdata } from "./rdata.ts";
import { formatRdata } from "./rdata-format.ts";
import { cutLine, type LogicalLine } from "./zonefile-line.ts";
import {
  absolute,
  type Context,
  type DirectiveStatement,
  type OtherStatement,
  type RecordStatement,
  type Understood,
  understand,
  type ZoneProblem,
} from "./zonefile-meaning.ts";
import { type Quick, quickLine } from "./zonefile-quick.ts";

/** One logical line: physical lines joined by parentheses. */
export type Statement = RecordStatement | DirectiveStatement | OtherStatement;

/** U+FEFF in UTF-8: editors on Windows begin a file with it. */
const BOM = "\xef\xbb\xbf";

/** Beginning of the message of an error that no rule of the reader explains. */
export const UNEXPECTED = "cannot be read";

/** Walk the logical lines; each visit gets the line's number, its cut and what it means, or the problem with it. */
function walk(
  text: string,
  origin: string,
  out: OctetWriter,
  visit: (at: number, line: number, cut: LogicalLine, meaning: Understood | ZoneTextError) => void,
  quickly?: (line: number) => void,
  defaultTtl?: number,
): void {
  const absoluteOrigin = absolute(origin, ".");
  const context: Context = {
    origin: parseName(absoluteOrigin),
    originText: absoluteOrigin,
    owner: undefined,
    ownerWire: parseName(absoluteOrigin),
    defaultTtl,
    lastTtl: undefined,
    originLost: false,
  };
  const quick: Quick = { origin: context.origin, ttl: -1, lastTtl: -1, textAt: 0, textEnd: 0, wireAt: -1 };
  let line = 1;
  for (let at = text.startsWith(BOM) ? BOM.length : 0; at < text.length; ) {
    if (quickly !== undefined && !context.originLost) {
      const next = quickLine(text, at, quick, out);
      if (next >= 0) {
        quickly(line++);
        at = next;
        continue;
      }
      if (quick.wireAt >= 0) {
        context.owner = absolute(text.slice(quick.textAt, quick.textEnd), context.originText);
        context.ownerWire = out.bytes.slice(quick.wireAt, wireNameEnd(out.bytes, quick.wireAt));
        context.lastTtl = quick.lastTtl;
        quick.wireAt = -1;
      }
    }
    const cut = cutLine(text, at);
    const before = out.length;
    let meaning: Understood | ZoneTextError;
    try {
      meaning = understand(cut, context, out);
    } catch (error) {
      // any exception: one line must not affect the others, nor the program that reads the file
      meaning = error instanceof ZoneTextError ? error : new ZoneTextError(`${UNEXPECTED} (${error})`);
      out.length = before;
    }
    visit(at, line, cut, meaning);
    quick.origin = context.origin;
    quick.ttl = context.defaultTtl ?? -1;
    line += cut.lines;
    at = cut.next;
  }
}

/**
 * Cut a master file (RFC 1035 §5, RFC 2308 §4, RFC 3597 §5) into statements whose texts joined give the file again, without a BOM.
 * Text is octets, one a character; `origin` is absolute with or without its trailing dot; `defaultTtl` (seconds) counts before any $TTL.
 * A line that cannot be read becomes an `unreadable` statement and a problem; the others are not affected.
 */
export function readZoneFile(
  text: string,
  origin: string,
  defaultTtl?: number,
): { statements: Statement[]; problems: ZoneProblem[] } {
  const statements: Statement[] = [];
  const problems: ZoneProblem[] = [];
  const out = new OctetWriter(1024);
  const visit: Parameters<typeof walk>[3] = (at, line, cut, meaning) => {
    out.length = 0;
    const span = {
      line,
      lastLine: line + cut.lines - 1,
      text: text.slice(at, cut.next),
      comment: cut.comment,
    };
    if (meaning instanceof ZoneTextError) {
      problems.push({ line, message: meaning.message });
      statements.push({ ...span, kind: "unreadable" });
    } else statements.push({ ...span, ...meaning });
  };
  walk(text, origin, out, visit, undefined, defaultTtl);
  return { statements, problems };
}

/** The records of a master file in wire form, one after the other and uncompressed. */
export interface ZoneRecords {
  /** Owner, type, class, TTL, RDLENGTH, RDATA of each record (RFC 1035 §3.2.1). */
  readonly wire: Uint8Array;
  /** Where each record starts. */
  readonly starts: readonly number[];
  /** Line of each record. */
  readonly lines: readonly number[];
  readonly problems: readonly ZoneProblem[];
}

/** Read a master file into wire records; text is octets, one a character. */
export function parseZoneFile(text: string, origin: string): ZoneRecords {
  const out = new OctetWriter(text.length + 1024);
  const lines: number[] = [];
  const starts: number[] = [];
  let end = 0;
  const record = (line: number): void => {
    lines.push(line);
    starts.push(end);
    end = out.length;
  };
  const problems: ZoneProblem[] = [];
  walk(
    text,
    origin,
    out,
    (_at, line, _cut, meaning) => {
      if (meaning instanceof ZoneTextError) problems.push({ line, message: meaning.message });
      else if (meaning.kind === "record") record(line);
    },
    record,
  );
  return { wire: out.bytes.subarray(0, out.length), starts, lines, problems };
}

/** One line of a master file, without its line end. */
export function formatRecord(owner: WireName, ttl: number, type: number, rdata: Uint8Array): string {
  return `${formatName(owner)}\t${ttl}\tIN\t${typeName(type)}\t${formatRdata(type, rdata)}`;
}

/** Wire form of one record, from presentation forms; names in `rdata` are completed with `origin`. */
export function parseRecord(
  owner: string,
  ttl: number,
  type: string,
  rdata: string,
  origin = ".",
): Uint8Array {
  const out = new OctetWriter();
  const code = typeCode(type);
  if (code === undefined) throw new ZoneTextError(`${type}: not an RR type`);
  writeName(out, owner, parseName(origin));
  out.u16(code);
  out.u16(CLASS.IN);
  out.u32(ttl);
  const start = out.length + 2;
  out.u16(0);
  writeRdata(out, code, cutLine(rdata, 0).tokens, parseName(origin));
  out.patch16(start - 2, out.length - start);
  return out.take();
}
