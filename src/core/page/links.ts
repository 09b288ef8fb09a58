/** A service's ports → links. What speaks HTTP is guessed from the port's number. */

import type { Service } from "../model.ts";
import type { Port, Protocol } from "../ports.ts";
import type { Card } from "./appearance.ts";

export interface PortLink {
  readonly protocol: Protocol;
  /** At the service's own address. */
  readonly port: number;
  /** The container's port, where it is another one. */
  readonly to: number | null;
  /** Null where the port is not expected to speak HTTP. */
  readonly url: string | null;
}

/** The ports of a service that can be reached at its address, those asked for by `ocdd.map` first. */
export function portLinks(service: Pick<Service, "fqdn" | "forward" | "ports">): PortLink[] {
  const { fqdn, forward } = service;
  const offered = (p: Port): boolean =>
    forward === null ||
    forward.ports === null ||
    forward.ports.some((o) => o.protocol === p.protocol && o.port === p.port);
  const mapped = (forward?.map ?? []).filter(offered);
  const behind = new Set(mapped.flatMap((m) => [`${m.port}/${m.protocol}`, `${m.to}/${m.protocol}`]));
  const plain = (forward?.ports ?? service.ports).filter((p) => !behind.has(`${p.port}/${p.protocol}`));
  return [...mapped, ...plain.map((p) => ({ ...p, to: p.port }))].map(({ protocol, port, to }) => {
    const scheme = protocol === "tcp" ? (schemeOf(port) ?? schemeOf(to)) : null;
    const url = scheme === null ? null : `${scheme}://${fqdn}${isDefault(scheme, port) ? "" : `:${port}`}/`;
    return { protocol, port, to: to === port ? null : to, url };
  });
}

/** Where the service's name leads, and a link to elsewhere that its labels ask for. */
export function serviceLinks(
  service: Pick<Service, "fqdn" | "names" | "address" | "kind">,
  card: Pick<Card, "url">,
  ports: readonly PortLink[],
  zone: string,
): { readonly url: string | null; readonly elsewhere: string | null } {
  const byPort = (n: number): PortLink | undefined => ports.find((p) => p.port === n && p.url !== null);
  const base =
    (byPort(80) ?? byPort(443) ?? ports.find((p) => p.url !== null))?.url ??
    // an image that declares no port may answer on 80, where that is its own: at the host's address OCDD's page answers
    (ports.length === 0 && (service.kind === "alias" || service.kind === "direct")
      ? `http://${service.fqdn}/`
      : null);
  if (card.url === null) return { url: base, elsewhere: null };
  if (card.url.startsWith("/"))
    return { url: new URL(card.url, base ?? `http://${service.fqdn}/`).href, elsewhere: null };
  const { hostname } = new URL(card.url);
  const own = new Set([...service.names.map((name) => `${name}.${zone}`), service.address as string]);
  // a link shown as this service must lead to this service: any other is shown with its host
  return own.has(hostname) ? { url: card.url, elsewhere: null } : { url: base, elsewhere: card.url };
}

function isDefault(scheme: string, port: number): boolean {
  return port === (scheme === "http" ? 80 : 443);
}

/** Usual ports of web servers; all others are shown as text. */
const HTTP: readonly (readonly [first: number, last: number])[] = [
  [80, 90],
  [591, 591],
  [1880, 1880],
  [2368, 2368],
  [3000, 3010],
  [3080, 3080],
  [4000, 4000],
  [4200, 4200],
  [5000, 5001],
  [5173, 5173],
  [5601, 5601],
  [7474, 7474],
  [8000, 8124],
  [8126, 8299],
  [8384, 8384],
  [8500, 8500],
  [8765, 8765],
  [8800, 8882],
  [8884, 8999],
  [9000, 9041],
  [9043, 9091],
  [9093, 9200],
  [9411, 9411],
  [9600, 9600],
  [10000, 10000],
  [11434, 11434],
  [15672, 15672],
  [16686, 16686],
  [19999, 19999],
  [32400, 32400],
];
const HTTPS: ReadonlySet<number> = new Set([443, 4443, 5443, 6443, 8443, 9443, 10443]);

function schemeOf(port: number): "http" | "https" | null {
  if (HTTPS.has(port)) return "https";
  return HTTP.some(([first, last]) => first <= port && port <= last) ? "http" : null;
}
