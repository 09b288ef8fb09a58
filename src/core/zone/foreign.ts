/** Whether a zone file is this zone's: one of OCDD's or the bash script's, or records that an operator has written for it. */
import { readZoneFile, type Statement } from "../../dns/text/zonefile.ts";
import { clip } from "../clip.ts";
import { isOurs } from "./mark.ts";
import { isSoa, relative } from "./owner.ts";

/** A line that a run would make a comment, and why. */
interface Refused {
  readonly line: number;
  readonly why: string;
}

/**
 * Why a zone file must not be written over, or null. A file with a line of OCDD's is OCDD's. Any other must be a master file (RFC 1035 §5)
 * of this zone without a line that a run would make a comment: else it is another program's, or another zone's.
 */
export function foreignReason(
  text: string,
  statements: readonly Statement[],
  refused: Refused | undefined,
  zone: string,
): string | null {
  const says = statements.filter(({ kind }) => kind === "record" || kind === "directive");
  if (text.trim() === "" || says.some(isOurs)) return null;
  if (refused !== undefined) return `line ${refused.line}: ${clip(refused.why, 200)}`;
  if (says.length === 0) return "it has no record";
  const soa = statements.find((statement) => isSoa(statement, zone));
  return soa === undefined || namesZone(text, zone)
    ? null
    : `line ${soa.line}: a SOA record that does not name ${zone}; where it is that zone's, begin the file with "$ORIGIN ${zone}."`;
}

/** A whole zone whose names are all relative would pass for any zone: its SOA has to name this one by its owner or primary server. */
function namesZone(text: string, zone: string): boolean {
  const { statements } = readZoneFile(text, "invalid.", 0);
  return statements.some(
    (one) =>
      one.kind === "record" &&
      one.type === "SOA" &&
      [one.owner, one.rdata[0] ?? ""].some((name) => relative(name, zone) !== null),
  );
}
