/** Headers that protect readers of pages. Texts are octets, one a character, as files are read. */
import { createHash } from "node:crypto";

/** On every reply. The page loads nothing from other servers and may not be framed. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** Content-Security-Policy of anything that is no page. */
export const STRICT_POLICY =
  "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/**
 * Content-Security-Policy of a page: the styles and scripts in its head, by hash, and its own server. Untrusted text
 * is in the body only, so that a script that got into it would not be allowed by its own hash.
 */
export function policyOf(html: string): string {
  const elements = headElements(html);
  const hashes = (name: string): string =>
    elements
      .filter((element) => element.name === name)
      // browsers hash the text as they parse it (HTML §13.2.3.5)
      .map(({ inside }) => createHash("sha256").update(inside.replace(/\r\n?/g, "\n"), "latin1"))
      .map((hash) => `'sha256-${hash.digest("base64")}'`)
      .join(" ") || "'none'";
  return [
    "default-src 'none'",
    `style-src ${hashes("style")}`,
    `script-src ${hashes("script")}`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}

interface HeadElement {
  /** In lower case. */
  readonly name: string;
  /** The text between its tags. */
  readonly inside: string;
}

/** The rest of a tag: attributes, whose values may hold `>` between quotes (HTML §13.1.2.3). */
const REST = `(?=[\\s/>])(?:[^>=]|=\\s*(?:"[^"]*"|'[^']*'|(?!["'\\s])))*>`;
/** A comment; an element that holds text, with its end; or any other tag. */
const PART = new RegExp(
  `<!--(?:-?>|[^]*?--!?>)|<(title|style|script|template)${REST}([^]*?)</\\1(?=[\\s/>])[^>]*>|</?([a-z][^\\s/>]*)${REST}`,
  "gi",
);
/** Tags behind which a head goes on. */
const OF_HEAD: ReadonlySet<string> = new Set(["html", "head", "base", "link", "meta", "noscript"]);

/**
 * The elements of a page's head that hold text, in their order. The head ends at its end tag, or, since that may be left out, at the
 * first tag that is of no head (HTML §13.2.6.4.4).
 */
function headElements(html: string): HeadElement[] {
  const elements: HeadElement[] = [];
  for (const [whole, name, inside = "", other] of html.matchAll(PART)) {
    if (name !== undefined) elements.push({ name: name.toLowerCase(), inside });
    if (/^<\/(?:head|html)/i.test(whole) || (other !== undefined && !OF_HEAD.has(other.toLowerCase()))) break;
  }
  return elements;
}
