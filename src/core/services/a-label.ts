/** Names that begin with `xn--`: browsers show them as other letters, so that one may look like another name. */

/** Decoded code points at most; a label has 63 octets. */
const MOST = 63;

/** Scripts of living languages (Unicode UAX 31, table 5), by their codes of ISO 15924. */
const SCRIPTS =
  "Latn Cyrl Grek Armn Geor Hebr Arab Thaa Deva Beng Guru Gujr Orya Taml Telu Knda Mlym Sinh Thai Laoo Tibt Mymr Ethi Khmr".split(
    " ",
  );
/** Sets of scripts that may be mixed in one label: those of Chinese, Japanese and Korean together, with Latin (UTS 39 §5.2). */
const TOGETHER = [...SCRIPTS.map((one) => [one]), ["Latn", "Hani", "Hira", "Kana"], ["Latn", "Hani", "Hang"]];
const ONE_SCRIPT = TOGETHER.map(
  (scripts) => new RegExp(`^(?:[-0-9]|${scripts.map((one) => `\\p{scx=${one}}`).join("|")})+$`, "u"),
);
/** Lower-case letters, letters without case, marks and digits (RFC 5892 §2.1), beginning with no mark. */
const LETTERS = /^[\p{Ll}\p{Lo}\p{Nd}][\p{Ll}\p{Lo}\p{Lm}\p{Mn}\p{Mc}\p{Nd}-]*$/u;
/** Letters of other scripts that are drawn like Latin ones, with the digits and hyphens between them. */
const LIKE_LATIN = /^[-0-9аеорсухіјѕһӏԁԛԝѵοναιρυκχօսոհց]+$/u;

/**
 * True for a lower-case `xn--` label that is an A-label (RFC 5890 §2.3.2.1) of letters of one script which do not look like
 * Latin ones.
 */
export function isALabel(label: string): boolean {
  const decoded = label.startsWith("xn--") ? decodePunycode(label.slice(4)) : undefined;
  return (
    decoded !== undefined &&
    /[^\0-\x7f]/.test(decoded) &&
    decoded.normalize("NFC") === decoded &&
    LETTERS.test(decoded) &&
    ONE_SCRIPT.some((pattern) => pattern.test(decoded)) &&
    !LIKE_LATIN.test(decoded)
  );
}

// RFC 3492 §5
const [BASE, TMIN, TMAX, SKEW, DAMP, INITIAL_BIAS, INITIAL_N] = [36, 1, 26, 38, 700, 72, 0x80];

/** The text that lower-case Punycode encodes, or undefined where it is no Punycode (RFC 3492 §6.2). */
export function decodePunycode(text: string): string | undefined {
  const basic = text.lastIndexOf("-");
  const points = basic < 1 ? [] : [...text.slice(0, basic)].map((c) => c.charCodeAt(0));
  let [n, at, bias] = [INITIAL_N, 0, INITIAL_BIAS];
  for (let next = basic < 1 ? 0 : basic + 1; next < text.length; ) {
    const before = at;
    for (let k = BASE, weight = 1; ; k += BASE) {
      const digit = digitOf(text.charCodeAt(next++));
      if (digit === undefined) return undefined;
      at += digit * weight;
      const threshold = Math.min(Math.max(k - bias, TMIN), TMAX);
      if (digit < threshold) break;
      weight *= BASE - threshold;
    }
    const length = points.length + 1;
    bias = adapt(at - before, length, before === 0);
    n += Math.floor(at / length);
    at %= length;
    if (n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff) || length > MOST) return undefined;
    points.splice(at++, 0, n);
  }
  return String.fromCodePoint(...points);
}

/** a to z are 0 to 25, 0 to 9 are 26 to 35. */
function digitOf(code: number): number | undefined {
  if (code >= 0x61 && code <= 0x7a) return code - 0x61;
  return code >= 0x30 && code <= 0x39 ? code - 0x30 + 26 : undefined;
}

/** RFC 3492 §6.1. */
function adapt(delta: number, length: number, first: boolean): number {
  let left = Math.floor(delta / (first ? DAMP : 2));
  left += Math.floor(left / length);
  let k = 0;
  for (; left > ((BASE - TMIN) * TMAX) / 2; k += BASE) left = Math.floor(left / (BASE - TMIN));
  return k + Math.floor(((BASE - TMIN + 1) * left) / (left + SKEW));
}
