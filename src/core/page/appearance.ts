/**
 * The labels that say how a service looks on the page. `homepage.*`, `homarr.*` and the image's own are read too, so
 * that labels for other dashboards can be kept. `homepage.widget.*` holds API keys: only the keys named here are ever read.
 */

import { readBoolean } from "../services/boolean.ts";
import { field } from "../text.ts";
import { type Icon, iconOf } from "./icon.ts";
import { type Logo, logoOf } from "./logo.ts";

export interface Card {
  readonly title: string | null;
  readonly description: string | null;
  readonly group: string | null;
  readonly icon: Icon;
  /** Shown in place of the icon. */
  readonly logo: Logo | null;
  /** A path, or an http or https URL: where the service's link leads; null is worked out from the ports. */
  readonly url: string | null;
  /** Where the image comes from, an http or https URL. */
  readonly about: string | null;
  readonly version: string | null;
  /** Place in its group: the lowest first. */
  readonly weight: number;
  readonly hidden: boolean;
}

/** Reads the labels. Never throws; a value that cannot be read counts as absent. */
export function readCard(labels: ReadonlyMap<string, string>, image: string): Card {
  const first = <T>(read: (text: string | undefined) => T | null, ...keys: readonly string[]): T | null => {
    for (const key of keys) {
      const value = read(labels.get(key));
      if (value !== null) return value;
    }
    return null;
  };
  const oci = (key: string): string => `org.opencontainers.image.${key}`;
  return {
    title: first(field, "ocdd.title", "homepage.name", oci("title")),
    description: first(field, "ocdd.description", "homepage.description", oci("description")),
    group: first(field, "ocdd.group", "homepage.group"),
    icon: iconOf(labels.get("ocdd.icon"), labels.get("homepage.icon"), image),
    logo: logoOf(labels.get("ocdd.icon"), labels.get("homepage.icon"), image),
    url: first((text) => safePath(text) ?? safeUrl(text), "ocdd.url", "homepage.href"),
    about: first(safeUrl, oci("url")),
    version: first(field, oci("version")),
    weight: first(weight, "homepage.weight") ?? 0,
    hidden: isHidden(labels),
  };
}

/** An http or https URL without credentials, in its ASCII form of at most 256 octets; else null. */
export function safeUrl(text: string | undefined): string | null {
  const trimmed = (text ?? "").slice(0, 2_000).trim();
  if (!/^https?:\/\//i.test(trimmed) || !URL.canParse(trimmed)) return null;
  const { protocol, username, password, href } = new URL(trimmed);
  if (protocol !== "http:" && protocol !== "https:") return null;
  // text before the @ can imitate a host name
  if (username !== "" || password !== "" || href.length > 256) return null;
  return href;
}

/** A path of the service itself: `//host` and `/\host` would leave it. */
function safePath(text: string | undefined): string | null {
  const trimmed = (text ?? "").slice(0, 2_000).trim();
  if (!/^\/(?![/\\])/.test(trimmed)) return null;
  const { host, pathname, search, hash } = new URL(trimmed, "http://service.invalid");
  // the URL parser removes a tab inside the text
  if (host !== "service.invalid") return null;
  const path = `${pathname}${search}${hash}`;
  return path.length > 256 || path.startsWith("//") ? null : path;
}

function weight(text: string | undefined): number | null {
  return /^-?\d{1,6}$/.test(text?.trim() ?? "") ? Number(text) : null;
}

/** Whether a container is to be left out of the page, served or not. */
export const isHidden = (labels: ReadonlyMap<string, string>): boolean =>
  readBoolean(labels.get("ocdd.hide") ?? "") === true || hiddenInHomarr(labels.get("homarr.hide"));

/** In Homarr any value hides a service, also an empty one; here only a clear "no" shows it. */
function hiddenInHomarr(text: string | undefined): boolean {
  return text !== undefined && readBoolean(text) !== false;
}
