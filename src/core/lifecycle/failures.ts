/** The document in which `watch` stores why starts have failed, for other commands: container id → one line. */
import { field } from "../text.ts";

const SCHEMA_VERSION = 1;

export function renderFailures(failed: ReadonlyMap<string, string>): string {
  const list = [...failed].map(([container, reason]) => ({ container, reason }));
  return `${JSON.stringify({ schemaVersion: SCHEMA_VERSION, failed: list }, null, 1)}\n`;
}

/** Reads it item by item: at worst a failure counts as unknown. */
export function parseFailures(text: string): ReadonlyMap<string, string> {
  try {
    const { schemaVersion, failed } = JSON.parse(text) as { schemaVersion?: unknown; failed?: unknown };
    if (schemaVersion !== SCHEMA_VERSION || !Array.isArray(failed)) return new Map();
    return new Map(
      failed.flatMap((item: unknown): [string, string][] => {
        const { container, reason } = (item ?? {}) as { container?: unknown; reason?: unknown };
        const line = typeof reason === "string" ? field(reason) : null;
        return typeof container === "string" && line !== null ? [[container, line]] : [];
      }),
    );
  } catch {
    return new Map();
  }
}
