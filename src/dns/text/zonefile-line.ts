/** One logical line of a master file, cut into tokens and not yet understood. */
export interface LogicalLine {
  /** Where the next logical line starts. */
  readonly next: number;
  /** Physical lines it spans. */
  readonly lines: number;
  /** Verbatim tokens, escapes and quotes kept. */
  readonly tokens: readonly string[];
  /** Starts with a blank: the owner is the one before (RFC 1035 §5.1). */
  readonly indented: boolean;
  /** Comment text without its semicolon, trimmed; those of several physical lines joined by a blank. */
  readonly comment: string;
  /** Why it cannot be cut. */
  readonly problem?: string;
}

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BLANK = 0x20;
const QUOTE = 0x22;
const OPEN = 0x28;
const CLOSE = 0x29;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;

/** Skips one physical line only: an unmatched quote or parenthesis makes its own line unreadable, not the rest of the file. */
function giveUp(text: string, at: number, problem: string): LogicalLine {
  const end = text.indexOf("\n", at);
  return {
    next: end < 0 ? text.length : end + 1,
    lines: 1,
    tokens: [],
    indented: false,
    comment: "",
    problem,
  };
}

/**
 * Cut the logical line that starts at `at`: parentheses join physical lines (RFC 1035 §5.1), quotes do not, and a parenthesis is
 * not opened twice. So the search for a closing one ends at the next line that opens one, and a file is looked at twice at most.
 */
export function cutLine(text: string, at: number): LogicalLine {
  const tokens: string[] = [];
  const first = text.charCodeAt(at);
  let comment = "";
  let open = false;
  let lines = 1;
  let i = at;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (code === NEWLINE) {
      i++;
      if (!open) break;
      lines++;
    } else if (code === BLANK || code === TAB || code === RETURN) i++;
    else if (code === OPEN) {
      if (open) return giveUp(text, at, "a second opening parenthesis before the first one is closed");
      open = true;
      i++;
    } else if (code === CLOSE) {
      if (!open) return giveUp(text, at, "a closing parenthesis without an opening one");
      open = false;
      i++;
    } else if (code === SEMICOLON) {
      const end = text.indexOf("\n", i);
      const stop = end < 0 ? text.length : end;
      const words = text.slice(i + 1, stop).trim();
      comment = comment === "" ? words : `${comment} ${words}`;
      i = stop;
    } else {
      const start = i;
      i = tokenEnd(text, i);
      if (i < 0) return giveUp(text, at, "a quote is not closed on its line");
      tokens.push(text.slice(start, i));
    }
  }
  if (open) return giveUp(text, at, "an opening parenthesis is never closed");
  return { next: i, lines, tokens, indented: first === BLANK || first === TAB, comment };
}

/** End of the token at `at`; -1 when a quote in it is not closed on its line, as BIND has it ("unbalanced quotes"). */
function tokenEnd(text: string, at: number): number {
  let quoted = false;
  let i = at;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === BACKSLASH) {
      // an escaped line end is a line end
      if (i + 1 < text.length && text.charCodeAt(i + 1) !== NEWLINE) i++;
    } else if (code === QUOTE) {
      // A closing quote ends the token, so that "a""b" are two strings.
      if (quoted) return i + 1;
      quoted = true;
    } else if (quoted) {
      if (code === NEWLINE) return -1;
    } else {
      if (code <= BLANK && (code === BLANK || code === TAB || code === NEWLINE || code === RETURN)) break;
      if (code === SEMICOLON || code === OPEN || code === CLOSE) break;
    }
  }
  return quoted ? -1 : i;
}
