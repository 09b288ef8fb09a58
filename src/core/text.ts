/** Texts for the page and the log: untrusted ones bounded and escaped, numbers with their noun. */
import { clip } from "./clip.ts";

/** Octets of a field on the page. */
export const FIELD_OCTETS = 256;

/** One line of at most 256 octets of UTF-8, control and formatting characters replaced; null when nothing is left. */
export function field(text: string | undefined | null): string | null {
  const line = clip(text ?? undefined, FIELD_OCTETS).trim();
  if (line === "") return null;
  let octets = 0;
  let fits = "";
  for (const char of line) {
    const code = char.codePointAt(0) ?? 0;
    octets += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (octets > FIELD_OCTETS) return `${fits}…`;
    // the ellipsis itself takes three
    if (octets <= FIELD_OCTETS - 3) fits += char;
  }
  return line;
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
  ["'", "&#39;"],
]);

/** Text as HTML text or as a quoted attribute's value. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ENTITIES.get(c) ?? c);
}

/** `1 change`, `2 changes`. */
export const counted = (n: number, noun: string, many: string = `${noun}s`): string =>
  `${n} ${n === 1 ? noun : many}`;

/** The first texts in one line, and how many more there are. */
export const someOf = (texts: readonly string[], most: number): string =>
  `${texts.slice(0, most).join(", ")}${texts.length > most ? ` and ${texts.length - most} more` : ""}`;

/** Seconds of each unit, the largest first, and its text. */
const UNITS: readonly (readonly [seconds: number, text: (n: number) => string])[] = [
  [86_400, (n) => counted(n, "day")],
  [3_600, (n) => `${n} h`],
  [60, (n) => `${n} min`],
  [1, (n) => `${n} s`],
];

const inUnit = (seconds: number, fits: (unit: number) => boolean): string => {
  const [unit, text] = UNITS.find(([one]) => fits(one)) ?? [1, (n: number) => `${n} s`];
  return text(Math.floor(seconds / unit));
};

/** How long ago something was, in seconds: `59 s`, `1 min`, `3 h` or `1 day`, in the largest unit that it fills, rounded down. */
export const age = (seconds: number): string => inUnit(seconds, (unit) => seconds >= unit);

/** Seconds by which a time may be after `now` because that was read a moment earlier. */
const READ_EARLIER = 60;

/** When a stored time was, both in seconds since the epoch: `5 min ago`; one in the future was written before the clock was set back. */
export const agoText = (at: number, now: number): string =>
  at > now + READ_EARLIER
    ? `${age(at - now)} in the future (the clock was set back)`
    : `${age(Math.max(0, now - at))} ago`;

/** A set time in seconds, unchanged: `90 s`, `30 min`, `1 day`, in the largest unit of which it is a multiple. */
export const duration = (seconds: number): string =>
  inUnit(seconds, (unit) => seconds >= unit && seconds % unit === 0);

/** A text's name: 53 bits in 14 hexadecimal digits (cyrb53; no secret, only to distinguish contents). */
export function textVersion(text: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(16).padStart(14, "0");
}
