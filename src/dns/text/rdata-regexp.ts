/** The substitution expression of NAPTR (RFC 3402 §3.2): one that BIND cannot read ends a transfer. */

const BRACKETS = String.raw`\[\^?\]?(?:\[:(?:alnum|digit|punct|alpha|graph|space|blank|lower|upper|cntrl|print|xdigit):\]|[^\[\]])*\]`;
/** A token of a POSIX extended regular expression: an escaped octet, brackets, how often, or any other octet. */
const TOKENS = new RegExp(String.raw`\\.|${BRACKETS}|\{[^}]*\}|.`, "gs");

/** True if these octets are such an expression or none: a delimiter, pattern, delimiter, replacement, delimiter, flags. */
export function regexpFits(octets: Uint8Array): boolean {
  if (octets.length === 0) return true;
  const text = Buffer.from(octets).toString("latin1");
  const delimiter = text.charAt(0);
  if (text.includes("\0") || /[0-9\\i]/.test(delimiter)) return false;
  const parts = [""];
  for (const [unit] of text.slice(1).matchAll(/\\?./gs)) {
    if (unit === delimiter) parts.push("");
    else parts[parts.length - 1] += unit;
  }
  const [pattern = "", replacement = "", flags = "?", ...more] = parts;
  if (more.length > 0 || !/^i*$/.test(flags) || /(?:^|[^\\])(?:\\\\)*\\$/.test(replacement)) return false;
  const groups = groupsOf(pattern);
  const used = [...replacement.matchAll(/\\(.)/gs)].map(([, unit]) => unit ?? "");
  return groups >= 0 && used.every((unit) => unit !== "0" && (!/[1-9]/.test(unit) || Number(unit) <= groups));
}

/** Groups of a POSIX extended regular expression, -1 for what is none, or is written in a way that programs differ on. */
function groupsOf(pattern: string): number {
  let groups = 0;
  let open = 0;
  /** Something that can be repeated is before. */
  let atom = false;
  /** What is before ends a branch, or a whole expression. */
  let full = false;
  for (const [token] of pattern.matchAll(TOKENS)) {
    const counts = /^\{([0-9]+)(?:,([0-9]*))?\}$/.exec(token);
    if (token === "(") {
      groups++;
      open++;
      [atom, full] = [false, false];
    } else if (token === ")" || token === "|") {
      if (!full || (token === ")" && open-- === 0)) return -1;
      [atom, full] = [token === ")", token === ")"];
    } else if (token === "^" || token === "$") [atom, full] = [false, true];
    else if (/^[*+?]$/.test(token) || counts) {
      const [low, high] = [Number(counts?.[1] ?? 0), Number(counts?.[2] || 255)];
      if (!atom || low > high || high > 255) return -1;
      atom = false;
    } else if (/^[[{}\\]$/.test(token) || token.startsWith("{") || !rangesFit(token)) return -1;
    else if (/^\\[1-9]$/.test(token) && Number(token[1]) > groups) return -1;
    else [atom, full] = [true, true];
  }
  return open === 0 && full ? groups : -1;
}

/** The ranges of a bracket expression rise, and a hyphen is else its first or last character. */
function rangesFit(token: string): boolean {
  if (!token.startsWith("[") || token.length === 1) return true;
  const inner = token
    .slice(1, -1)
    .replace(/^\^/, "")
    .replace(/\[:\w+:\]/g, "\0");
  const ranges = inner.replace(/^-|-$/g, "").match(/.-.|./gs) ?? [];
  return (
    (ranges.length > 0 || /^\[\^?-/.test(token)) &&
    ranges.every(
      (one) =>
        one !== "-" &&
        (one.length === 1 ||
          (one.charAt(0) <= one.charAt(2) && !/[\0-]/.test(one.charAt(0) + one.charAt(2)))),
    )
  );
}
