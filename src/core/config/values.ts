/** Readers of one value each: text → value, or Bad with what is wrong with it. */
import { parseNotifyTarget, parseTransferPeer } from "../../dns/text/peers.ts";
import { type Ipv4, mergeRanges, parseCidr, parseIpv4, type Range, toCidrs } from "../addresses/ipv4.ts";
import { parseDuration } from "../duration.ts";
import { normal } from "../paths.ts";
import { type Name, toName } from "../services/name.ts";
import { readPart, unusable } from "./pool.ts";

/** What is wrong with a value: "is 31, must be 1 to 30". */
export class Bad extends Error {}

/** An address to listen on; `HOST_IP` means the host's own. */
export type ListenAddress = Ipv4 | "HOST_IP";

export function flag(value: string): boolean {
  if (value !== "0" && value !== "1") throw new Bad(`is "${value}", must be 0 or 1`);
  return value === "1";
}

export function text(value: string): string {
  if (/[\p{Cc}]/u.test(value)) throw new Bad("holds a control character");
  return value;
}

/** Text about the server in a DNS answer: it is one string there, and must be short. */
export function identity(value: string): string {
  if (!/^[\x20-\x7e]{0,64}$/.test(value))
    throw new Bad(`is "${value}", must be at most 64 printable ASCII characters`);
  return value;
}

/** An absolute path without `//` and `.`; empty stays empty. `..` stays: behind a link it leads elsewhere than by the text. */
export function path(value: string): string {
  // what a reader of UTF-8 puts in the place of other octets: the path would be another one than in bash
  if (value.includes("\ufffd")) throw new Bad(`is "${value}", and holds octets that are not UTF-8`);
  if (value !== "" && !/^\/[^\p{Cc}]*$/u.test(value))
    throw new Bad(`is "${value}", must be an absolute path`);
  return value === ""
    ? ""
    : `/${value
        .split("/")
        .filter((part) => part !== "" && part !== ".")
        .join("/")}`;
}

/** A directory that is OCDD's alone. */
export function ownDirectory(value: string): string {
  const read = path(value);
  if (normal(read) === "/") throw new Bad('is "/", must be a directory of its own');
  return read;
}

/** For keys without which nothing can start; unset ones are reported as "is not set". */
export function required<T>(parse: (value: string) => T): (value: string) => T {
  return (value) => {
    if (value === "") throw new Bad("is empty");
    return parse(value);
  };
}

export function integer(least: number, most: number): (value: string) => number {
  return (value) => {
    const n = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (!(n >= least && n <= most))
      throw new Bad(`is "${value}", must be a whole number from ${least} to ${most}`);
    return n;
  };
}

export function optional<T>(parse: (value: string) => T): (value: string) => T | null {
  return (value) => (value === "" ? null : parse(value));
}

export function optionalInteger(least: number, most: number): (value: string) => number | null {
  return optional(integer(least, most));
}

/** `30s`, `10m`, `2h`, `1d`, or a bare number of seconds. Gives seconds. */
export function duration(value: string): number {
  const seconds = parseDuration(value);
  if (seconds === undefined)
    throw new Bad(`is "${value}", must be a duration from 1s to 365d, such as 30s, 10m, 2h`);
  return seconds;
}

export function oneOf<T extends string>(...words: readonly T[]): (value: string) => T {
  return (value) => {
    const word = words.find((w) => w === value);
    if (word === undefined) throw new Bad(`is "${value}", must be one of ${words.join(", ")}`);
    return word;
  };
}

export function address(value: string): Ipv4 {
  const parsed = parseIpv4(value);
  if (parsed === undefined) throw new Bad(`is "${value}", must be an IPv4 address`);
  return parsed;
}

/** Linux: 1 to 15 octets, no slash, no blank, neither "." nor "..". */
export function device(value: string): string {
  if (!/^[^\s/:]{1,15}$/.test(value) || value === "." || value === "..") {
    throw new Bad(`is "${value}", must be the name of a network device (1 to 15 characters)`);
  }
  return value;
}

/** A container image as Docker names it: `ocdd`, `registry.example.com/ocdd:2.0.0`, with or without a digest. */
export function image(value: string): string {
  if (!/^[a-z0-9][\w./:@-]{0,254}$/i.test(value))
    throw new Bad(`is "${value}", must be the name of an image`);
  return value;
}

/** First three octets; a whole /24 or its first address says the same. */
export function subnet(value: string): string {
  if (value === "") return "";
  const octets = /^(\d+\.\d+\.\d+)(?:\.0(?:\/24)?)?$/.exec(value)?.[1];
  if (octets === undefined || parseIpv4(`${octets}.0`) === undefined) {
    throw new Bad(
      `is "${value}", must be the first three octets of an address, such as 192.168.122; for another network than a /24 set IP_RANGE`,
    );
  }
  return octets;
}

export function parts(value: string): string[] {
  return value
    .split(/[\s,]+/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

export function ranges(value: string): Range[] {
  const found = value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const range = readPart(part);
      if (typeof range === "string") throw new Bad(`holds "${part}", ${range}`);
      return range;
    });
  const pool = mergeRanges(found);
  const message = value === "" ? null : unusable(pool);
  if (message !== null) throw new Bad(message);
  return pool;
}

export function label(value: string): Name {
  const name = toName(value);
  if (name === undefined || name !== value.toLowerCase()) {
    throw new Bad(`is "${value}", must be one label of letters, digits and hyphens`);
  }
  return name;
}

/** RFC 1123 §2.1 labels; short enough that every `name.zone` stays under 253 octets. */
export function domain(value: string): string {
  const zone = value.toLowerCase().replace(/\.$/, "");
  if (!isDomain(zone)) {
    throw new Bad(
      `is "${value}", must be a domain name of letters, digits, hyphens and dots, at most 189 octets`,
    );
  }
  return zone;
}

/** One that leaves room for a name of 63 octets before it. */
export function isDomain(text: string): boolean {
  const lower = text.toLowerCase();
  return lower.length <= 189 && lower.split(".").every((part) => toName(part) === part);
}

export function email(value: string): string {
  const [local = "", at, more] = value.split("@");
  const sound = /^[A-Za-z0-9._+-]{1,63}$/.test(local) && at !== undefined && isDomain(at);
  if (value !== "" && (!sound || more !== undefined)) {
    throw new Bad(`is "${value}", must be a mailbox such as hostmaster@example.com`);
  }
  return value;
}

export function listen(value: string): ListenAddress[] {
  return parts(value).map((part) => {
    if (part === "HOST_IP") return part;
    if (part === "0.0.0.0")
      throw new Bad("holds 0.0.0.0, which would answer from a wrong address; name each address");
    return address(part);
  });
}

export function peers(value: string): string[] {
  return parts(value).map((part) => {
    if (parseTransferPeer(part) === undefined) {
      throw new Bad(`holds "${part}", which is neither an address, a network (10.0.0.0/8) nor key:NAME`);
    }
    return part;
  });
}

/** Networks (`10.0.0.0/8`) and addresses; as few CIDRs as possible. */
export function networks(value: string): string[] {
  return toCidrs(
    parts(value).map((part) => {
      const range = parseCidr(part);
      if (range === undefined)
        throw new Bad(`holds "${part}", which is neither an address nor a network (10.0.0.0/8)`);
      return range;
    }),
  );
}

/** Host names and addresses, as a browser would send them. */
export function hostNames(value: string): string[] {
  const names = parts(value.toLowerCase());
  const bad = names.find((name) => !isDomain(name));
  if (bad !== undefined) throw new Bad(`holds "${bad}", which is no host name`);
  return names;
}

/** `192.0.2.53`, `192.0.2.53@5353`, `192.0.2.53 key:NAME`, comma separated. */
export function notifyTargets(value: string): string[] {
  const targets = value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const bad = targets.find((target) => parseNotifyTarget(target) === undefined);
  if (bad !== undefined) throw new Bad(`holds "${bad}", which is not ADDRESS[@PORT] [key:NAME]`);
  return targets;
}
