/** What packages say of OCDD, where they have things, and the configuration as it is first installed. */

import { KEYS, type KeyName } from "../src/core/config/keys.ts";
import { textOf } from "./surface.ts";

export const HOME = "/usr/lib/ocdd";
export const CONF = "/etc/ocdd/ocdd.conf";
export const STATE = "/var/lib/ocdd";

/** The command's own description without its name. */
export const headline = (summary: string): string => summary.slice(summary.indexOf(":") + 2);

/** Lines of text below the headline. */
export const DESCRIPTION = [
  "OCDD, the OctoCop Director for Docker, gives every container on a Docker host",
  "a name in a DNS zone of its own and an address on the network, reachable on",
  "the ports it listens on: no port mapping and no proxy.",
  "",
  "It contains a director, which follows Docker, and a server, which answers for",
  "the zone and serves an index page. Nothing is started until",
  '/etc/ocdd/ocdd.conf is written and "ocdd initialize" is run.',
] as const;

/** Keys that only the operator can set: there is no run before. */
const ASKED_FOR = new Set<string>([
  "NETWORK_DEVICE",
  "IP_SUBNET",
  "IP_RANGE_START",
  "IP_RANGE_END",
  "TOOLBOX_SUBDOMAIN_NAME",
]);

/**
 * The example as a first configuration: each key with its meaning, the state where a distribution keeps it, and what is to
 * be asked of IT left out, so that nothing can start by an oversight.
 */
export function firstConf(): string {
  const lines = textOf("ocdd.conf.example").trimEnd().split("\n");
  const keys = lines.map((line) => {
    const name = line.slice(0, line.indexOf("=")) as KeyName;
    const value = name === "STORAGE_DIR" ? `STORAGE_DIR=${STATE}` : line;
    // both are worked out from the zone and STORAGE_DIR
    const out = ASKED_FOR.has(name) || name === "DNS_ZONE_FILE" || name === "WEB_INDEX_FILE";
    return `# ${KEYS[name].doc}\n${out ? "#" : ""}${value}\n`;
  });
  return [
    "# Configuration of OCDD: see ocdd.conf(5). Write the device, the range and the zone that IT gave you,",
    "# then run: ocdd initialize (on a terminal it proposes them, as long as none is set here)",
    "",
    ...keys,
  ].join("\n");
}
