import { fieldsOf, isCompressible } from "../../src/dns/text/rdata-fields.ts";
import { parseName } from "../../src/dns/wire/name.ts";
import { OctetWriter, read16, read32 } from "../../src/dns/wire/octets.ts";
import { TYPE, typeCode } from "../../src/dns/wire/types.ts";

/** What a test query can vary. */
export interface QueryOptions {
  id?: number;
  flags?: number;
  qclass?: number;
  /** Serial of a SOA in the authority section, for IXFR. */
  serial?: number;
  edns?: { size?: number; version?: number; flags?: number; options?: [number, Uint8Array][] };
}

/** A query as a resolver writes it. */
export function makeQuery(name: string, type: string | number, options: QueryOptions = {}): Uint8Array {
  const out = new OctetWriter(64);
  out.u16(options.id ?? 0x1234);
  out.u16(options.flags ?? 0x0100);
  for (const count of [1, 0, options.serial === undefined ? 0 : 1, options.edns ? 1 : 0]) out.u16(count);
  out.raw(parseName(name));
  out.u16(typeof type === "number" ? type : (typeCode(type) as number));
  out.u16(options.qclass ?? 1);
  if (options.serial !== undefined) {
    // The owner is the QNAME; of the SOA only the serial counts.
    out.raw([0xc0, 12, 0, TYPE.SOA, 0, 1, 0, 0, 0, 0, 0, 22, 0, 0]);
    out.u32(options.serial);
    out.raw(new Uint8Array(16));
  }
  if (options.edns) {
    const { size = 1232, version = 0, flags = 0, options: list = [] } = options.edns;
    out.u8(0);
    out.u16(TYPE.OPT);
    out.u16(size);
    out.u16(version);
    out.u16(flags);
    out.u16(list.reduce((sum, [, octets]) => sum + 4 + octets.length, 0));
    for (const [code, octets] of list) {
      out.u16(code);
      out.u16(octets.length);
      out.raw(octets);
    }
  }
  return out.take();
}

/** One record as read from a message, its RDATA's names expanded. */
export interface ReadRecord {
  section: "answer" | "authority" | "additional";
  owner: string;
  type: number;
  class: number;
  ttl: number;
  rdata: Uint8Array;
}

/** A response, read strictly: throws for anything that does not add up. */
export interface ReadMessage {
  id: number;
  flags: number;
  rcode: number;
  aa: boolean;
  tc: boolean;
  questions: { name: string; type: number; class: number }[];
  records: ReadRecord[];
  opt: ReadRecord | undefined;
}

function readName(message: Uint8Array, from: number): { name: string; end: number } {
  let name = "";
  let at = from;
  let end = -1;
  for (let hops = 0; ; ) {
    const size = message[at];
    if (size === undefined) throw new Error("name past the end");
    if (size >= 0xc0) {
      const target = ((size & 0x3f) << 8) | (message[at + 1] as number);
      if (target >= at || hops++ > 20) throw new Error("pointer does not look back");
      if (end < 0) end = at + 2;
      at = target;
    } else if (size === 0) return { name: name || ".", end: end < 0 ? at + 1 : end };
    else {
      name += `${Buffer.from(message.subarray(at + 1, at + 1 + size)).toString("latin1")}.`;
      at += size + 1;
    }
  }
}

/** RDATA with its names written out. */
function expand(message: Uint8Array, type: number, at: number, size: number): Uint8Array {
  if (!isCompressible(type)) return message.slice(at, at + size);
  const out = new OctetWriter(size);
  let from = at;
  for (const field of fieldsOf(type) ?? []) {
    if (field === "name") {
      const { name, end } = readName(message, from);
      for (const label of name.split(".").filter(Boolean))
        out.raw([label.length, ...Buffer.from(label.toLowerCase(), "latin1")]);
      out.u8(0);
      from = end;
    } else {
      const width = field === "u16" ? 2 : 4;
      out.raw(message.subarray(from, from + width));
      from += width;
    }
  }
  if (from !== at + size) throw new Error("RDLENGTH lies");
  return out.take();
}

/** Read a response. */
export function readMessage(message: Uint8Array): ReadMessage {
  const flags = read16(message, 2);
  let at = 12;
  const questions: ReadMessage["questions"] = [];
  for (let i = 0; i < read16(message, 4); i++) {
    const { name, end } = readName(message, at);
    questions.push({ name, type: read16(message, end), class: read16(message, end + 2) });
    at = end + 4;
  }
  const records: ReadRecord[] = [];
  for (const [section, where] of [
    ["answer", 6],
    ["authority", 8],
    ["additional", 10],
  ] as const) {
    for (let i = 0; i < read16(message, where); i++) {
      const { name, end } = readName(message, at);
      const size = read16(message, end + 8);
      if (end + 10 + size > message.length) throw new Error("RDATA past the end");
      const rdata = expand(message, read16(message, end), end + 10, size);
      records.push({
        section,
        owner: name,
        type: read16(message, end),
        class: read16(message, end + 2),
        ttl: read32(message, end + 4),
        rdata,
      });
      at = end + 10 + size;
    }
  }
  if (at !== message.length) throw new Error(`${message.length - at} octets left over`);
  const opts = records.filter((record) => record.type === TYPE.OPT);
  if (opts.length > 1) throw new Error("two OPT");
  const opt = opts[0];
  return {
    id: read16(message, 0),
    flags,
    rcode: (flags & 15) | (opt ? (opt.ttl >>> 24) << 4 : 0),
    aa: (flags & 0x0400) !== 0,
    tc: (flags & 0x0200) !== 0,
    questions,
    records: records.filter((record) => record !== opt),
    opt,
  };
}
