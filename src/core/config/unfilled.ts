/** A configuration without range and zone: what is to be done first. */

/** Whether a configuration file sets neither range nor zone: it is to be filled in, as the Debian package installs it. */
export function isUnfilled(text: string): boolean {
  return !/^\s*(export\s+)?(IP_|TOOLBOX_SUBDOMAIN_NAME)/m.test(text);
}

/** What helps where there is no configuration, or one without range and zone. */
export const PROPOSED =
  "run `ocdd initialize`: on a terminal it proposes a configuration, elsewhere it says what to write";

/** What helps where no more than these keys is set; undefined where each mistake says it. */
export const remedyFor = (keys: readonly string[]): string | undefined =>
  isUnfilled(keys.join("\n")) ? PROPOSED : undefined;

/** What to do without a terminal; three lines. */
export function firstSteps(file: string): string {
  return [
    `1. ask IT for an address range beside this host's own, kept out of DHCP, and for a zone delegated to this host`,
    `2. write to ${file}: IP_RANGE=FIRST-LAST, TOOLBOX_SUBDOMAIN_NAME=ZONE and STORAGE_DIR=/var/lib/ocdd, a line each`,
    "3. run `ocdd initialize`; on a terminal it proposes such a file, with a range that is free",
  ].join("\n");
}
