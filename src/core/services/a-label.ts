/** Names that begin with `xn--`: browsers show them as other letters, so that one may look like another name. */

/** Decoded code points at most; a label has 63 octets. */
const MOST = 63;

/** Scripts of living languages (Unicode UAX 31, table 5), by their codes of ISO 15924. */
const SCRIPTS =
  "Latn Cyrl Grek Armn Geor Hebr Arab Thaa Deva Beng Guru Gujr Orya Taml Telu Knda Mlym Sinh Thai Laoo Tibt Mymr Ethi Khmr".split(
    " ",
  );
/**
 * Latin letters of written languages (UTS 39 §3.1, Identifier_Status Allowed). Not those of phonetics and of old texts, which are
 * doubles of common ones: ɑ ɡ ɩ ȷ ᴊ ꜱ. No combining marks: letters with an accent are characters of their own.
 */
const LATIN = "a-zß-öø-žơưǎ-ǜǟ-ǣǧ-ǰǵǹ-țȟȧ-ȳəḁ-ẙạ-ỹ";
const lettersOf = (script: string): string => (script === "Latn" ? LATIN : `\\p{scx=${script}}`);
/** Sets of scripts that may be mixed in one label: those of Chinese, Japanese and Korean together, with Latin (UTS 39 §5.2). */
const TOGETHER = [...SCRIPTS.map((one) => [one]), ["Latn", "Hani", "Hira", "Kana"], ["Latn", "Hani", "Hang"]];
const ONE_SCRIPT = TOGETHER.map((scripts) => new RegExp(`^[-0-9${scripts.map(lettersOf).join("")}]+$`, "u"));
/** Lower-case letters, letters without case, marks and digits (RFC 5892 §2.1). A mark is behind a letter, and not there twice. */
const LETTERS = /^(?!.*(?:^|[-\p{Nd}])\p{M})(?!.*(\p{M})\1)[\p{Ll}\p{Lo}\p{Lm}\p{Mn}\p{Mc}\p{Nd}-]+$/u;
/** What is not seen, parts of old Korean syllables, and both kinds of Arabic digits (RFC 5892 §2.3, §2.9, appendices A.8 and A.9). */
const NEVER =
  /[\p{Default_Ignorable_Code_Point}\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]|[\u0660-\u0669].*[\u06f0-\u06f9]|[\u06f0-\u06f9].*[\u0660-\u0669]/u;
/** A hyphen at the start, at the end, or in the third and fourth place (RFC 5891 §4.2.3.1). */
const BAD_HYPHENS = /^-|-$|^..--/u;
/**
 * Letters and digits that are drawn like those of ASCII (UTS 39 §4), with ASCII's own: of Latin, Cyrillic, Greek, Armenian, Georgian,
 * Hebrew, Arabic, Chinese and Japanese, of Indian scripts, Burmese and Ethiopic. Digits of other scripts count as well.
 */
const LIKE_ASCII = new RegExp(
  `^[-a-z\\p{Nd}${[
    "ıĸ",
    "агԁеԍһіјӏорԛѕԝпхсуүьҽѡѵꙇ",
    "αγικνορσυχ",
    "ագզհոռսցքօ",
    "იოყჿ",
    "וטןס",
    "اه",
    "ー一丨",
    "ଠഠဝሀዐ",
    // a second dot on і
    "\\u0307",
  ].join("")}]+$`,
  "u",
);

/**
 * True for a lower-case `xn--` label that is an A-label (RFC 5890 §2.3.2.1) of letters of one script which do not all look like
 * those of ASCII.
 */
export function isALabel(label: string): boolean {
  const decoded = label.startsWith("xn--") ? decodePunycode(label.slice(4)) : undefined;
  return (
    decoded !== undefined &&
    isStable(decoded) &&
    LETTERS.test(decoded) &&
    !BAD_HYPHENS.test(decoded) &&
    !NEVER.test(decoded) &&
    ONE_SCRIPT.some((pattern) => pattern.test(decoded)) &&
    // of ASCII alone it is no A-label
    !LIKE_ASCII.test(decoded) &&
    // letters of one direction (RFC 5893), and the only spelling of this name: as browsers have it (WHATWG URL §3.3)
    URL.parse(`http://${decoded}/`)?.hostname === label
  );
}

/** False where a program may change it, and so make another name of it (RFC 5892 §2.2). */
const isStable = (text: string): boolean => text.normalize("NFKC").toLowerCase().normalize("NFKC") === text;

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
