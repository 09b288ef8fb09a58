/** By what a line of the zone file is known as OCDD's. */
import type { Statement } from "../../dns/text/zonefile.ts";

/** Ends each line of OCDD's. All other lines of the zone file are hand-written. */
export const MARK = "ADDED-BY-OCDD-SCRIPT";

export const isOurs = (statement: Statement): boolean => statement.comment.trim() === MARK;
