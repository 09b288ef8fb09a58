/** The hand-written lines of a zone file, written behind OCDD's, where each has to mean what it meant in its own place. */
import type { Statement } from "../../dns/text/zonefile.ts";
import type { DirectiveStatement, RecordStatement } from "../../dns/text/zonefile-meaning.ts";
import { clip } from "../clip.ts";

/** Collects them in the order of the file. */
export interface Handwritten {
  /** A directive of OCDD's: not written, but it holds for the lines behind it. */
  own(directive: DirectiveStatement): void;
  directive(directive: DirectiveStatement): void;
  record(record: RecordStatement): void;
  /** With the TTL of another record, in seconds, or without where that one has none; the line as it was is kept in a comment. */
  withTtl(record: RecordStatement, seconds: number, explicit: boolean): void;
  /** One that cannot be served, as a comment with the reason. */
  comment(statement: Statement, reason: string): void;
  /** A blank or comment line. */
  other(statement: Statement): void;
  /** Seconds: where it has none, those that hold in its place, which are DNS_TTL behind OCDD's $TTL whatever that says. */
  ttl(record: RecordStatement): number;
  /** All of them, with a line end. */
  text(): string;
}

/** For a zone (without the final dot) whose file is written with this default TTL, in seconds. */
export function handwrittenLines(zone: string, ttl: number): Handwritten {
  /** Origin and default TTL in the place of the line, and those that the written text has so far. */
  const place = { origin: `${zone}.`, ttl };
  const written = { ...place };
  let owner = "";
  let text = "";
  const sameOrigin = (): void => {
    if (written.origin !== place.origin) text += `$ORIGIN ${place.origin}\n`;
    written.origin = place.origin;
  };
  const sameTtl = (): void => {
    if (written.ttl !== place.ttl) text += `$TTL ${place.ttl}\n`;
    written.ttl = place.ttl;
  };
  return {
    own({ origin, defaultTtl }) {
      place.origin = origin ?? place.origin;
      if (defaultTtl !== undefined) place.ttl = ttl;
    },
    directive({ origin, defaultTtl, text: line }) {
      // a relative $ORIGIN continues the one before
      if (origin !== undefined) sameOrigin();
      text += line;
      for (const at of [place, written]) {
        at.origin = origin ?? at.origin;
        at.ttl = defaultTtl ?? at.ttl;
      }
    },
    record(record) {
      sameOrigin();
      if (!record.ttlExplicit) sameTtl();
      text += record.ownerOmitted && owner !== record.owner ? record.owner + record.text : record.text;
      owner = record.owner;
    },
    withTtl(record, seconds, explicit) {
      sameOrigin();
      // one that follows $TTL goes on to do so when DNS_TTL is changed
      const follows = !explicit && seconds === place.ttl;
      if (follows) sameTtl();
      text += commented(record.text, `with TTL ${seconds}, that of the first of its name and type:`);
      text += `${record.owner}\t${follows ? "" : `${seconds}\t`}IN\t${record.type}\t${record.rdata.join(" ")}\n`;
      owner = record.owner;
    },
    comment(statement, reason) {
      text += commented(statement.text, `not served: ${reason}`);
    },
    other(statement) {
      text += statement.text;
    },
    ttl: (record) => (record.ttlExplicit ? record.ttl : place.ttl),
    text: () => (text === "" || text.endsWith("\n") ? text : `${text}\n`).replace(/^\s*\n/, ""),
  };
}

function commented(text: string, note: string): string {
  const lines = text
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => `; ${line}`);
  return `; ${clip(note, 212).replace(/[^\x20-\x7e]/g, "?")}\n${lines.join("\n")}\n`;
}
