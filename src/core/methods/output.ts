/** What a command in a container prints, made safe for a terminal, a log or a page. It is untrusted: any octets, without end. */

/** Characters of a line; a longer one is given in pieces. */
const LINE_LENGTH = 4_096;

/** Escape sequences of terminals: CSI, the strings of OSC and its like (ECMA-48 §5.4, §5.6), and the short ones (ECMA-35 §13.2). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const SEQUENCES = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]/g;

/** One line without escape sequences; other control characters are replaced, but a tab stays. */
export const printable = (line: string): string =>
  line
    .replace(SEQUENCES, "")
    .replace(/\r$/, "")
    .replace(/[^\P{C}\t]|[\u2028\u2029]/gu, "\ufffd");

export interface Lines {
  push(octets: Uint8Array): void;
  /** The last line, where no line break has ended it. */
  end(): void;
}

/** Cuts octets of UTF-8 into printable lines. Keeps one line in memory. */
export function lines(onLine: (line: string) => void): Lines {
  const decoder = new TextDecoder();
  let rest = "";
  // a carriage return begins a line anew, as programs do that show their progress
  const give = (line: string): void => {
    const parts = line.split("\r").filter((part) => part !== "");
    for (const part of parts.length === 0 ? [""] : parts) onLine(printable(part));
  };
  const take = (text: string): void => {
    rest += text;
    let from = 0;
    for (let end = rest.indexOf("\n"); ; ) {
      const isWhole = end >= 0 && end - from <= LINE_LENGTH;
      if (!isWhole && rest.length - from <= LINE_LENGTH) break;
      const to = isWhole ? end : pieceEnd(rest, from);
      give(rest.slice(from, to));
      from = isWhole ? to + 1 : to;
      if (isWhole) end = rest.indexOf("\n", from);
    }
    rest = rest.slice(from);
  };
  return {
    push: (octets) => take(decoder.decode(octets, { stream: true })),
    end() {
      take(decoder.decode());
      if (rest !== "") give(rest);
      rest = "";
    },
  };
}

/** Not between the two halves of a character. */
function pieceEnd(text: string, from: number): number {
  const to = from + LINE_LENGTH;
  return text.slice(from, to).isWellFormed() ? to : to - 1;
}

export interface Tail {
  add(line: string): void;
  /** The last lines, in order. */
  text(): string;
  first(): string;
  last(): string;
}

/** The end of an output: so many characters at most, whole lines. Its first and last line that are not empty are known as well. */
export function tail(most: number): Tail {
  let kept: string[] = [];
  let length = 0;
  let first = "";
  let last = "";
  return {
    add(line) {
      if (line.trim() !== "") {
        if (first === "") first = line;
        last = line;
      }
      kept.push(line);
      length += line.length + 1;
      // cut now and then, not at each line
      if (length < 2 * most) return;
      kept = cut(kept, most);
      length = kept.reduce((sum, one) => sum + one.length + 1, 0);
    },
    text: () => cut(kept, most).join("\n"),
    first: () => first,
    last: () => last,
  };
}

function cut(all: readonly string[], most: number): string[] {
  let left = most;
  const from = all.findLastIndex((line) => {
    left -= line.length + 1;
    return left < 0;
  });
  return all.slice(from + 1);
}
