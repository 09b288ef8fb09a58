/** Names of records, relative to the zone. */
import type { Statement } from "../../dns/text/zonefile.ts";
import type { RecordStatement } from "../../dns/text/zonefile-meaning.ts";
import { formatName, parseName } from "../../dns/wire/name.ts";

/** Owner relative to the zone in lower case, without needless escapes; `@` for the apex, null when it lies outside. */
export function relative(owner: string, zone: string): string | null {
  const name = (owner.includes("\\") ? formatName(parseName(owner)) : owner).toLowerCase();
  if (name === `${zone}.`) return "@";
  return name.endsWith(`.${zone}.`) ? name.slice(0, -zone.length - 2) : null;
}

/** The zone's own SOA record (RFC 1035 §3.3.13). */
export const isSoa = (statement: Statement, zone: string): statement is RecordStatement =>
  statement.kind === "record" && statement.type === "SOA" && relative(statement.owner, zone) === "@";

/** The labels of an owner relative to the zone; a dot that belongs to a label is escaped. */
const labelsOf = (owner: string): string[] => (owner === "@" ? [] : (owner.match(/(?:\\.|[^.\\])+/gs) ?? []));

/** How many labels an owner has below the apex. */
export const depthOf = (owner: string): number => labelsOf(owner).length;

/** The owners that one lies below, the apex left out, from the topmost to the nearest. */
export function ancestorsOf(owner: string): string[] {
  const labels = labelsOf(owner);
  return labels.slice(1).map((_, i) => labels.slice(labels.length - 1 - i).join("."));
}
