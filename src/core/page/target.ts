/** The target of a request (RFC 9112 §3.2), and as text for a Location header. Targets are octets, one a character, as Node has them. */

/** The parts of a request's target. */
export interface Target {
  /** Host and port in absolute-form, which count in place of the header Host (RFC 9112 §3.2.2); null in any other form. */
  readonly authority: string | null;
  /** Path and query; where the target has another form than these two it is that as it is, and begins with no slash. */
  readonly path: string;
}

/** Reads a target: `/path?query`, or the same behind `http://host`. */
export function readTarget(target: string): Target {
  const [, authority, path = ""] = /^http:\/\/([^/?]*)(.*)$/is.exec(target) ?? [];
  if (authority === undefined) return { authority: null, path: target };
  return { authority, path: path.startsWith("/") ? path : `/${path}` };
}

/** Path and query of a request, `/` where the target is no path. What a client could read as another part of a URL is percent-encoded. */
export function safeTarget(target: string): string {
  if (!target.startsWith("/")) return "/";
  // programs read a backslash as a slash (WHATWG URL §4.4), and leave out line breaks
  return target.replace(
    /[^\x21-\x7e]|[\\#]/g,
    (octet) => `%${(octet.charCodeAt(0) & 255).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/** The same, of absolute-form too, as a reference that cannot lead to another host: `//evil` names a host (RFC 3986 §4.2), `/.//evil` a path. */
export function sameHostTarget(target: string): string {
  const safe = safeTarget(readTarget(target).path);
  return safe.startsWith("//") ? `/.${safe}` : safe;
}
