/** Addresses that name a service by path or cookie, as other routers have them: each leads to the service's own URL. */
import { safeTarget } from "../../core/page/target.ts";

/** A service's own URL, `http` or `https`, by each of its names in the zone. */
export type ServiceUrls = ReadonlyMap<string, string>;

/** What is read of a request: the target with its query, and the header Cookie. */
export interface Asked {
  readonly url: string;
  readonly cookie: string | undefined;
}

/**
 * Where a request leads that is for no document of the page, or for `/`: `/go/NAME[/path]`, `/NAME[/path]`, and at `/` the cookie
 * `instance=NAME`. Path and query are kept. Undefined where no service has the name; of `/go/` that is `fallback`.
 */
export function redirectOf(asked: Asked, urls: ServiceUrls, fallback: string): string | undefined {
  const [path = "/"] = asked.url.split("?", 1);
  const query = asked.url.slice(path.length);
  if (path === "/") return lead(urls.get(instanceOf(asked.cookie)), "", query);
  const [, go, name = "", rest = ""] = /^\/(go\/)?([^/]*)(.*)$/s.exec(path) ?? [];
  const to = lead(urls.get(name.toLowerCase()), rest, query);
  return to ?? (go === undefined ? undefined : fallback);
}

function lead(url: string | undefined, path: string, query: string): string | undefined {
  if (url === undefined || ((path === "" || path === "/") && query === "")) return url;
  return new URL(url).origin + safeTarget((path || "/") + query);
}

/** The name in the cookie `instance`; empty where there is none. */
function instanceOf(cookie = ""): string {
  const value = /(?:^|;)\s*instance\s*=\s*"?([^";\s]*)/.exec(cookie)?.[1] ?? "";
  return value.toLowerCase();
}

/** The URLs in `services` of a services.json, whose content is not trusted. A name of its own comes before a further name. */
export function serviceUrls(services: readonly unknown[], zone: unknown): ServiceUrls {
  const urls = new Map<string, string>();
  const known = services.flatMap((service) => {
    const { name, names, url, fqdn } = (service ?? {}) as Record<string, unknown>;
    if (typeof name !== "string" || typeof fqdn !== "string") return [];
    const to = webUrl(url) ?? webUrl(`http://${fqdn}/`);
    const further = Array.isArray(names) ? names.map(String) : [];
    return to === undefined ? [] : [{ name, further, to }];
  });
  const put = (name: string, to: string): void => void (urls.has(name) || urls.set(name, to));
  for (const { name, to } of known) put(name, to);
  for (const { further, to } of known)
    for (const name of further) if (name.endsWith(`.${zone}`)) put(name.slice(0, -`.${zone}`.length), to);
  return urls;
}

function webUrl(text: unknown): string | undefined {
  const url = typeof text === "string" ? URL.parse(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) ? url.href : undefined;
}
