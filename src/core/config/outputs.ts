/** Which of the files that OCDD would write hold something that neither OCDD nor the bash script before it wrote. */

import type { Problem } from "../errors.ts";
import type { State } from "../model.ts";
import { isMarked } from "../page/mark.ts";
import { pathsOf } from "../paths.ts";
import type { Config } from "./config.ts";

/** The files that the configuration names and every run may write. */
export type Output = "zone" | "page" | "services";

/** Their content; empty where there is no file. */
export type OutputTexts = Pick<State, "zone" | "page">;

/** In the place of a text: what is there is a directory, device, pipe or socket. No file of OCDD's has this text. */
export const NO_FILE = "\0no file";

/** Those that must not be written over. */
export function foreignOutputs({ zone, page }: OutputTexts): ReadonlySet<Output> {
  const foreign = new Set<Output>();
  if (!isBlank(zone.text) && !isZone(zone.text)) foreign.add("zone");
  if (!isBlank(page.services) && !isListing(page.services)) foreign.add("services");
  if (!isBlank(page.html) && !isPage(page.html)) foreign.add("page");
  return foreign;
}

/** The same for people, by the key that names the file. */
export function outputProblems(config: Config, texts: OutputTexts): Problem[] {
  const problem = (key: "DNS_ZONE_FILE" | "WEB_INDEX_FILE", path: string, text: string): Problem => {
    const what =
      text === NO_FILE
        ? "is a directory, device, pipe or socket and not a file"
        : "holds something that OCDD did not write";
    const message = `${path} ${what}; move it away, or set ${key} to another file`;
    return { where: config.where.get(key) ?? "default", key, message };
  };
  const { zone, page } = texts;
  const problems: Readonly<Record<Output, Problem>> = {
    zone: problem("DNS_ZONE_FILE", config.zoneFile, zone.text),
    page: problem("WEB_INDEX_FILE", config.indexFile, page.html),
    services: problem("WEB_INDEX_FILE", pathsOf(config).services, page.services),
  };
  return [...foreignOutputs(texts)].map((output) => problems[output]);
}

const isBlank = (text: string): boolean => text.trim() === "";

/** A master file: a directive (RFC 1035 §5.1) or a record with its class, as in a zone file written by hand. */
function isZone(text: string): boolean {
  const directive = /^\$(ORIGIN|TTL)[ \t]+\S/im;
  const record =
    /^[^\s;]*[ \t]+(\w+[ \t]+)?IN[ \t]+(\w+[ \t]+)?(SOA|NS|A|AAAA|CNAME|MX|TXT|SRV|PTR|CAA)[ \t]/im;
  return text.includes("ADDED-BY-OCDD-SCRIPT") || directive.test(text) || record.test(text);
}

/** OCDD's by its mark; the bash script's by its head or its lines. */
function isPage(text: string): boolean {
  const head = /^\s*<title>([^<]*)<\/title>\s*<h1>\1<\/h1>\s*<hr>/i;
  const line = /^<br>\* - [a-z0-9.-]*$/im;
  return isMarked(text) || head.test(text) || line.test(text);
}

/** services.json as renderListing begins it (docs/services-json.md): not parsed, since it is checked at each run. */
function isListing(text: string): boolean {
  return /^\{\s*"schemaVersion": ?\d+,\s*"version": ?"[0-9a-f]{14}",/.test(text);
}
