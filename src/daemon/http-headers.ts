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
  const head = html.slice(0, Math.max(html.indexOf("</head>"), 0));
  const hashes = (element: string): string =>
    [...head.matchAll(new RegExp(`<${element}\\b[^>]*>([^]*?)</${element}>`, "g"))]
      .map(([, inside = ""]) => createHash("sha256").update(inside, "latin1").digest("base64"))
      .map((hash) => `'sha256-${hash}'`)
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
