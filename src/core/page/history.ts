/** What is remembered of each service for the page: since when it runs, and how it looked when its container stopped. */

import { isMoment } from "../moment.ts";
import type { Port } from "../ports.ts";
import { field } from "../text.ts";
import { ICONS, type Icon } from "./icon.ts";
import { type Logo, logoNamed } from "./logo.ts";

/** How a service looks on the page, also after its container has stopped. */
export interface Remembered {
  readonly name: string;
  readonly fqdn: string;
  readonly title: string | null;
  readonly icon: Icon;
  readonly logo: Logo | null;
  readonly group: string | null;
  readonly image: string;
  readonly container: string;
  /** First twelve digits of the container's id. */
  readonly containerId: string;
  /** Seconds since the epoch; null when it is not known. */
  readonly since: number | null;
  /** The container's ports, where it may sleep: Docker does not list those of a container that does not run. */
  readonly ports?: readonly Port[];
}

/** By name. */
export type ServiceHistory = ReadonlyMap<string, Remembered>;

export const NO_HISTORY: ServiceHistory = new Map();

const SCHEMA_VERSION = 1;

/** The document on disk, one service a line. */
export function renderHistory(history: ServiceHistory): string {
  const lines = [...history.values()].map((one) => JSON.stringify(one));
  return `{"schemaVersion":${SCHEMA_VERSION},"services":[\n${lines.join(",\n")}\n]}\n`;
}

/** Reads it field by field: it is a cache, and at worst a service counts as unknown. */
export function readHistory(text: string): ServiceHistory {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return NO_HISTORY;
  }
  const { schemaVersion, services } = record(document);
  if (schemaVersion !== SCHEMA_VERSION || !Array.isArray(services)) return NO_HISTORY;
  return new Map(
    services.flatMap((item) => {
      const { name, icon, containerId, since, ports, ...row } = record(item);
      const fqdn = line(row.fqdn);
      if (typeof name !== "string" || fqdn === null) return [];
      const remembered: Remembered = {
        name,
        fqdn,
        title: line(row.title),
        icon: typeof icon === "string" && Object.hasOwn(ICONS, icon) ? (icon as Icon) : "box",
        logo: logoNamed(row.logo),
        group: line(row.group),
        image: line(row.image) ?? "?",
        container: line(row.container) ?? "?",
        containerId: typeof containerId === "string" ? containerId : "",
        since: isMoment(since) ? since : null,
        ...(Array.isArray(ports) ? { ports: ports.flatMap(portOf) } : {}),
      };
      return [[name, remembered]];
    }),
  );
}

function portOf(value: unknown): Port[] {
  const { protocol, port } = record(value);
  const known = protocol === "tcp" || protocol === "udp" || protocol === "sctp";
  return known && typeof port === "number" && Number.isInteger(port) && port > 0 && port < 65_536
    ? [{ protocol, port }]
    : [];
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
const line = (value: unknown): string | null => (typeof value === "string" ? field(value) : null);
