/** The target of a request (RFC 9112 §3.2) as text for a Location header. Targets are octets, one a character, as Node has them. */

/** Path and query of a request, `/` where the target is no path. What a client could read as another part of a URL is percent-encoded. */
export function safeTarget(target: string): string {
  if (!target.startsWith("/")) return "/";
  // programs read a backslash as a slash (WHATWG URL §4.4), and leave out line breaks
  return target.replace(
    /[^\x21-\x7e]|[\\#]/g,
    (octet) => `%${(octet.charCodeAt(0) & 255).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/** The same as a reference that cannot lead to another host: `//evil` names a host (RFC 3986 §4.2), `/.//evil` a path. */
export function sameHostTarget(target: string): string {
  const safe = safeTarget(target);
  return safe.startsWith("//") ? `/.${safe}` : safe;
}
