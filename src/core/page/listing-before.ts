/** What the last services.json remembers: since when containers run, and how a service looked that has stopped. */

import { field } from "../text.ts";
import { ICONS, type Icon } from "./icon.ts";

/** A service whose container has stopped; its address rests. */
export interface Stopped {
  readonly name: string;
  readonly fqdn: string;
  readonly address: string;
  readonly title: string | null;
  readonly icon: Icon;
  readonly group: string | null;
  readonly image: string;
  readonly container: string;
  /** Seconds since the epoch: until then nobody else gets the address or the name. */
  readonly until: number;
}

export interface Before {
  /** First twelve digits of a container's id → seconds since the epoch. */
  readonly since: ReadonlyMap<string, number>;
  /** Name → what stood in its row. */
  readonly rows: ReadonlyMap<string, Omit<Stopped, "address" | "until">>;
}

export const noBefore: Before = { since: new Map(), rows: new Map() };

/** Reads it field by field: it is a cache, and whatever it holds the worst is that it counts as absent. */
export function readBefore(text: string): Before {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return noBefore;
  }
  const { services, stopped } = record(document);
  const rows = [...list(services), ...list(stopped)].map(record);
  return {
    since: new Map(
      rows.flatMap((row) => {
        const moment = Date.parse(String(row.since)) / 1000;
        return typeof row.containerId === "string" && Number.isFinite(moment)
          ? [[row.containerId, moment]]
          : [];
      }),
    ),
    rows: new Map(
      rows.flatMap((row) => {
        const { name, fqdn } = row;
        if (typeof name !== "string" || typeof fqdn !== "string") return [];
        const icon =
          typeof row.icon === "string" && Object.hasOwn(ICONS, row.icon) ? (row.icon as Icon) : "box";
        return [
          [
            name,
            {
              name,
              fqdn,
              title: line(row.title),
              icon,
              group: line(row.group),
              image: line(row.image) ?? "?",
              container: line(row.container) ?? "?",
            },
          ],
        ];
      }),
    ),
  };
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const line = (value: unknown): string | null => (typeof value === "string" ? field(value) : null);
