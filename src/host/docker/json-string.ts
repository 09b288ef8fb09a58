/** Strings of JSON, read from chunks and bounded. */

/**
 * Octets of one string. Of none more than 4 096 characters are ever used, and JSON takes at most six octets for one. A
 * longer one is read as LONG, which no label's value, no name and no address can be.
 */
export const MAX_STRING_OCTETS: number = 6 * 4_096;
export const LONG: string = `(longer than ${MAX_STRING_OCTETS} octets)`;

export const QUOTE: number = 0x22;
const BACKSLASH = 0x5c;

export interface StringReader {
  /** Begins after the opening quote. */
  begin(keep: boolean): void;
  /** The index after the closing quote, or the chunk's end. */
  read(chunk: Buffer, from: number): number;
  /** The string as JSON, once it has ended; empty where it is not kept. */
  taken(): string | undefined;
}

export function stringReader(): StringReader {
  let keep = false;
  let text = "";
  let hasEnded = false;
  /** An odd number of backslashes stands before the next octet. */
  let escaped = false;
  const take = (chunk: Buffer, from: number, to: number): void => {
    if (keep && text.length <= MAX_STRING_OCTETS)
      text += chunk.toString("latin1", from, Math.min(to, from + MAX_STRING_OCTETS + 1));
  };
  return {
    begin(isKept) {
      [keep, text, hasEnded, escaped] = [isKept, "", false, false];
    },
    read(chunk, from) {
      for (let at = from; ; ) {
        const quote = chunk.indexOf(QUOTE, at);
        const to = quote < 0 ? chunk.length : quote;
        let first = to;
        while (first > from && chunk[first - 1] === BACKSLASH) first--;
        const isEscaped = ((to - first) % 2 === 1) !== (first === from && escaped);
        if (quote >= 0 && isEscaped) at = quote + 1;
        else {
          take(chunk, from, to);
          escaped = isEscaped;
          hasEnded = quote >= 0;
          return hasEnded ? quote + 1 : to;
        }
      }
    },
    taken() {
      if (!hasEnded) return undefined;
      if (!keep) return "";
      return `"${text.length > MAX_STRING_OCTETS ? LONG : text}"`;
    },
  };
}
