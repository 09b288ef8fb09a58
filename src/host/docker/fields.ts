/**
 * The fields of a JSON object that are wanted, taken from its octets while they arrive: all others are skipped and never
 * held in memory, whatever their size. Any user who starts containers chooses labels, options and notes of any size.
 */
import { QUOTE, stringReader } from "./json-string.ts";

/**
 * What is kept of a value: all of it; a string that matches; or these fields of an object, where `*` is any other whose name has
 * at most MAX_NAME characters, and the items of a list.
 */
export type Wanted = true | RegExp | WantedFields;
export interface WantedFields {
  readonly [field: string]: Wanted;
}

/** Characters of the name of a field that is wanted whatever its name: a network's in Docker's list may have any number. */
export const MAX_NAME = 255;

/** An object as far as it was wanted. */
export interface ReadObject {
  readonly value: unknown;
  /** Names of its own fields that were left out, since what is wanted of them is too large. */
  readonly left: readonly string[];
}

/** Reads one object, or list, from chunks. Both calls throw SyntaxError for what is no JSON. */
export interface FieldReader {
  /** Reads on at `from`, which is the opening bracket at first. The index after the last octet that was read. */
  read(chunk: Buffer, from: number): number;
  /** The object; undefined before its end. */
  taken(): ReadObject | undefined;
}

const [COMMA, COLON] = [0x2c, 0x3a];
const [LIST_OPEN, LIST_CLOSE, OBJECT_OPEN, OBJECT_CLOSE] = [0x5b, 0x5d, 0x7b, 0x7d];
export const isOpen = (octet: number): boolean => octet === OBJECT_OPEN || octet === LIST_OPEN;
export const isClose = (octet: number): boolean => octet === OBJECT_CLOSE || octet === LIST_CLOSE;
/** White space of RFC 8259 §2. */
export const isBlank = (octet: number): boolean =>
  octet === 0x20 || octet === 0x0a || octet === 0x0d || octet === 0x09;

/** An object or a list of which fields or items are chosen. */
interface Frame {
  readonly wanted: WantedFields;
  readonly isObject: boolean;
  /** The field that is read, as JSON; undefined before it, and in a list. */
  key: string | undefined;
  /** Whether its value has begun. */
  hasValue: boolean;
  /** What is wanted of that; undefined for nothing. */
  value: Wanted | undefined;
  /** Fields or items kept so far. */
  kept: number;
}

/** A reader of one object. `maxOctets`: of what is wanted of each of its own fields. */
export function fieldReader(wanted: WantedFields, maxOctets: number): FieldReader {
  const text = keptText(maxOctets);
  const frames: Frame[] = [];
  const string = stringReader();
  let inString = false;
  /** Brackets open within a value that is kept or skipped as a whole. */
  let depth = 0;
  let done: ReadObject | undefined;

  const push = (fields: WantedFields, octet: number): void => {
    const isObject = octet === OBJECT_OPEN;
    frames.push({ wanted: fields, isObject, key: undefined, hasValue: false, value: undefined, kept: 0 });
    text.add(isObject ? "{" : "[");
  };
  const begin = (frame: Frame): void => {
    const { key, isObject } = frame;
    if (frame.hasValue || (isObject && key === undefined)) throw new SyntaxError(NO_JSON);
    frame.hasValue = true;
    frame.value = isObject ? wantedOf(frame.wanted, nameOf(key as string)) : frame.wanted["*"];
    // whether a string matches shows at its end
    if (frame.value !== undefined && !(frame.value instanceof RegExp)) keep(frame);
  };
  const keep = (frame: Frame): void => {
    const { key, kept } = frame;
    if (frames.length === 1 && key !== undefined) text.beginField(key);
    text.add(kept > 0 ? "," : "");
    if (key !== undefined) text.add(`${key}:`);
    frame.kept = kept + 1;
  };
  const end = (frame: Frame): void => {
    if (frame.key !== undefined && !frame.hasValue) throw new SyntaxError(NO_JSON);
    // one that was left out takes its comma with it
    if (frames.length === 1 && text.endField()) frame.kept -= 1;
    frame.key = undefined;
    frame.hasValue = false;
  };
  const close = (frame: Frame, octet: number): void => {
    if (frame.isObject !== (octet === OBJECT_CLOSE)) throw new SyntaxError(NO_JSON);
    end(frame);
    frames.pop();
    text.add(frame.isObject ? "}" : "]");
    if (frames.length === 0) done = text.taken();
  };
  const beginString = (keep: boolean): void => {
    inString = true;
    string.begin(keep);
  };
  const endString = (read: string): void => {
    inString = false;
    const frame = frames.at(-1) as Frame;
    if (depth === 0 && !frame.hasValue) frame.key = read;
    else if (!(frame.value instanceof RegExp)) text.add(read);
    else if (depth === 0 && frame.value.test(decoded(read))) {
      keep(frame);
      text.add(read);
    }
  };
  /** One octet in an object or list of which fields are chosen. */
  const choose = (frame: Frame, octet: number): void => {
    if (octet === QUOTE) {
      const isKey = frame.isObject && frame.key === undefined;
      if (!isKey) begin(frame);
      beginString(isKey || frame.value !== undefined);
    } else if (isOpen(octet)) {
      begin(frame);
      if (typeof frame.value === "object" && !(frame.value instanceof RegExp)) push(frame.value, octet);
      else depth = 1;
      if (frame.value === true) text.add(String.fromCharCode(octet));
    } else if (isClose(octet)) close(frame, octet);
    else if (octet === COMMA) {
      if (!frame.hasValue) throw new SyntaxError(NO_JSON);
      end(frame);
    } else if (octet !== COLON && (!isBlank(octet) || frame.hasValue)) {
      if (!frame.hasValue) begin(frame);
      if (frame.value !== undefined && !(frame.value instanceof RegExp)) text.add(String.fromCharCode(octet));
    }
  };
  /** The rest of a value that is kept or skipped as a whole, up to its next string. */
  const pass = (chunk: Buffer, from: number, keep: boolean): number => {
    let at = from;
    for (; at < chunk.length && depth > 0 && chunk[at] !== QUOTE; at++) {
      const octet = chunk[at] as number;
      if (isOpen(octet)) depth += 1;
      else if (isClose(octet)) depth -= 1;
    }
    if (keep) text.add(chunk.toString("latin1", from, at));
    if (depth === 0 || at === chunk.length) return at;
    beginString(keep);
    return at + 1;
  };
  return {
    read(chunk, from) {
      let at = from;
      if (frames.length === 0) push(wanted, chunk[at++] as number);
      while (at < chunk.length && done === undefined) {
        const frame = frames.at(-1) as Frame;
        if (inString) {
          at = string.read(chunk, at);
          const read = string.taken();
          if (read !== undefined) endString(read);
        } else if (depth > 0) at = pass(chunk, at, frame.value === true);
        else choose(frame, chunk[at++] as number);
      }
      return at;
    },
    taken: () => done,
  };
}

const NO_JSON = "its answer is no JSON";

/** What is wanted of a field with this name. */
export function wantedOf(fields: WantedFields, name: string): Wanted | undefined {
  if (Object.hasOwn(fields, name)) return fields[name];
  return name.length <= MAX_NAME ? fields["*"] : undefined;
}

/** The text of a string of JSON, whose octets are characters of Latin-1. */
const decoded = (json: string): string => JSON.parse(Buffer.from(json, "latin1").toString("utf8"));

/** A field's name; the octets of a short one are as good, where no field that is wanted is written with escapes. */
const nameOf = (key: string): string => (key.length <= MAX_NAME ? key.slice(1, -1) : decoded(key));

interface KeptText {
  /** Octets as characters of Latin-1. */
  add(part: string): void;
  beginField(key: string): void;
  /** Whether it was left out. */
  endField(): boolean;
  taken(): ReadObject;
}

/** The JSON of what is kept, without fields of more than `maxOctets`. */
function keptText(maxOctets: number): KeptText {
  const left: string[] = [];
  let text = "";
  let start = 0;
  let field = "";
  let isLeft = false;
  return {
    add(part) {
      if (isLeft) return;
      text += part;
      if (text.length - start <= maxOctets || field === "") return;
      text = text.slice(0, start);
      left.push(JSON.parse(field));
      isLeft = true;
    },
    beginField(key) {
      start = text.length;
      field = key;
    },
    endField() {
      const was = isLeft;
      isLeft = false;
      field = "";
      return was;
    },
    taken: () => ({ value: JSON.parse(Buffer.from(text, "latin1").toString("utf8")), left }),
  };
}
