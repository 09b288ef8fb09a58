/** Which of the files that OCDD would write hold something that neither OCDD nor the bash script before it wrote. */

import type { Problem } from "../errors.ts";
import type { Observation, PageFiles } from "../model.ts";
import { isMarked } from "../page/mark.ts";
import { pathsOf } from "../paths.ts";
import type { ZoneOnDisk } from "../zone/zone-file.ts";
import type { Config } from "./config.ts";

/** The files that the configuration names and every run may write. */
export type Output = "zone" | "page" | "services" | "lastRun";

/** What they hold; texts are empty where there is no file. */
export interface OutputTexts {
  readonly zone: Pick<ZoneOnDisk, "text" | "foreign">;
  readonly page: PageFiles;
  readonly lastRun: string;
}

/** In the place of a text: what is there is a directory, device, pipe or socket. No file of OCDD's has this text. */
export const NO_FILE = "\0no file";

/** What an observation has found in them. */
export const outputsSeen = ({
  zone,
  actual,
  lastRun = "",
}: Pick<Observation, "zone" | "actual" | "lastRun">): OutputTexts => ({ zone, page: actual.page, lastRun });

/** Those that must not be written over. `name` is the zone's. */
export function foreignOutputs({ zone, page, lastRun }: OutputTexts, name: string): ReadonlySet<Output> {
  const foreign = new Set<Output>();
  if (zone.foreign !== null) foreign.add("zone");
  if (!isBlank(page.services) && !isListing(page.services)) foreign.add("services");
  if (!isBlank(page.html) && !isPage(page.html, name)) foreign.add("page");
  if (!isStamp(lastRun)) foreign.add("lastRun");
  return foreign;
}

/** The same for people, by the key that names the file. */
export function outputProblems(config: Config, texts: OutputTexts): Problem[] {
  const { zone, page } = texts;
  const { services, lastRun } = pathsOf(config);
  const problem = (
    key: "DNS_ZONE_FILE" | "WEB_INDEX_FILE",
    path: string,
    text: string,
    why?: string | null,
  ): Problem => {
    const what =
      text === NO_FILE
        ? "is a directory, device, pipe or socket and not a file"
        : `holds something that OCDD did not write${why ? ` (${why})` : ""}`;
    const isLine = text !== NO_FILE && why?.startsWith("line ") === true;
    const mend = isLine ? "mend that line if the file is this zone's, else move" : "move";
    const message = `${path} ${what}; ${mend} it away, or set ${key} to another file`;
    return { where: config.where.get(key) ?? "default", key, message };
  };
  const problems: Readonly<Record<Output, Problem>> = {
    zone: problem("DNS_ZONE_FILE", config.zoneFile, zone.text, zone.foreign),
    page: problem("WEB_INDEX_FILE", config.indexFile, page.html),
    services: problem("WEB_INDEX_FILE", services, page.services),
    lastRun: problem("WEB_INDEX_FILE", lastRun, texts.lastRun),
  };
  return [...foreignOutputs(texts, config.zone)].map((output) => problems[output]);
}

const isBlank = (text: string): boolean => text.trim() === "";

/** OCDD's by its mark; the bash script's by its head, or by a line that names a service of this zone. */
function isPage(text: string, zone: string): boolean {
  const head = /^\s*<title>([^<]*)<\/title>\s*<h1>\1<\/h1>\s*<hr>/i;
  const lines = text.matchAll(/^<br>\* - [a-z0-9-]+\.([a-z0-9.-]+)[ \t\r]*$/gim);
  return isMarked(text) || head.test(text) || [...lines].some(([, of]) => of?.toLowerCase() === zone);
}

/** The file `last-run`: seconds since the epoch, or the octets that a crash of the machine leaves of them. */
export const isStamp = (text: string): boolean => /^[\d\0]*\n?\0*$/.test(text);

/** services.json as renderListing begins it (docs/services-json.md): not parsed, since it is checked at each run. */
function isListing(text: string): boolean {
  return /^\{\s*"schemaVersion": ?\d+,\s*"version": ?"[0-9a-f]{14}",/.test(text);
}
