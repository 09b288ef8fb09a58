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

/** Left out: what only the operator can set, and what is worked out from the zone and STORAGE_DIR. */
const LEFT_OUT = new Set<string>([
  "NETWORK_DEVICE",
  "IP_RANGE",
  "TOOLBOX_SUBDOMAIN_NAME",
  "DNS_ZONE_FILE",
  "WEB_INDEX_FILE",
]);

/** The three keys of the bash script, which one key replaces. */
const THREE_KEYS = /^IP_SUBNET=.*\nIP_RANGE_START=.*\nIP_RANGE_END=.*$/m;
const RANGE = "IP_RANGE=192.168.122.11-192.168.122.30";

/**
 * The example as a first configuration: each key with its meaning, the state where a distribution keeps it, and what is to
 * be asked of IT left out, so that nothing can start by an oversight.
 */
export function firstConf(): string {
  const lines = textOf("ocdd.conf.example").trimEnd().replace(THREE_KEYS, RANGE).split("\n");
  const keys = lines.map((line) => {
    const name = line.slice(0, line.indexOf("=")) as KeyName;
    const value = name === "STORAGE_DIR" ? `STORAGE_DIR=${STATE}` : line;
    const doc =
      name === "IP_RANGE" ? "the range that IT granted: ranges and CIDRs, comma separated" : KEYS[name].doc;
    return `# ${doc}\n${LEFT_OUT.has(name) ? "#" : ""}${value}\n`;
  });
  return [
    "# Configuration of OCDD: see ocdd.conf(5). Write the device, the range and the zone that IT gave you,",
    "# then run: ocdd initialize (on a terminal it proposes them, as long as neither range nor zone is set here)",
    "",
    ...keys,
  ].join("\n");
}
