/** The configuration in force: the value of each key, and where it comes from. No file that a key names is read. */
import type { Ipv4 } from "../addresses/ipv4.ts";
import { clip } from "../clip.ts";
import type { Config, KeyName } from "../config/config.ts";
import { KEYS } from "../config/keys.ts";
import { columns } from "./columns.ts";
import { SCHEMA_VERSION } from "./report.ts";

export interface Setting {
  readonly key: string;
  /** `--set`, `OCDD_<KEY>`, `DOCKER_HOST`, `FILE:LINE`, `default`, or the keys that it is worked out from. */
  readonly from: string;
  /** As it was written, else the default; null for none. */
  readonly value: string | null;
}

const THREE_KEYS = ["IP_SUBNET", "IP_RANGE_START", "IP_RANGE_END"];

/** In the order of the manual page. `hostIp`: the address that HOST_IP stands for on this host, where it is known. */
export function settingsOf(config: Config, hostIp?: Ipv4): Setting[] {
  const { texts, where } = config;
  return (Object.keys(KEYS) as KeyName[]).map((key) => {
    const text = texts.get(key);
    // an empty value counts as none for keys whose default is worked out
    const computed = text ? undefined : defaultOf(key, config, hostIp);
    const from = (where.get(key) ?? "default").replace(/^environment:/, "");
    if (computed !== undefined) return { key, ...computed };
    return { key, from, value: (text ?? KEYS[key].fallback) || null };
  });
}

/** The value of a key that is not set and follows from others. */
function defaultOf(key: KeyName, config: Config, hostIp: Ipv4 | undefined): Omit<Setting, "key"> | undefined {
  const { pool, zoneFile, indexFile, soaEmail, webListen, addressHold } = config;
  switch (key) {
    case "IP_RANGE":
      return {
        from: THREE_KEYS.join(", "),
        value: pool.map(({ first, last }) => `${first}-${last}`).join(", "),
      };
    case "HOST_IP":
      return hostIp && { from: "NETWORK_DEVICE", value: hostIp };
    case "DNS_ZONE_FILE":
      return { from: "STORAGE_DIR, TOOLBOX_SUBDOMAIN_NAME", value: zoneFile };
    case "WEB_INDEX_FILE":
      return { from: "STORAGE_DIR", value: indexFile };
    case "SOA_EMAIL":
      return { from: "TOOLBOX_SUBDOMAIN_NAME", value: soaEmail };
    case "WEB_LISTEN":
      return { from: "DNS_LISTEN", value: webListen.join(", ") };
    case "ADDRESS_HOLD":
      return { from: "DNS_TTL", value: String(addressHold) };
    default:
      return undefined;
  }
}

/** One key a line; of the three that IP_RANGE replaces only those that are set all the same. */
export function settingsText(config: Config, hostIp?: Ipv4): string {
  const isReplaced = (key: string): boolean =>
    Boolean(config.texts.get("IP_RANGE")) && THREE_KEYS.includes(key);
  const rows = settingsOf(config, hostIp)
    .filter(({ key, value }) => value !== null || !isReplaced(key))
    .map(({ key, from, value }) => [
      key,
      clip(from, 200),
      `${clip(value ?? "-", 2_000)}${isReplaced(key) ? " (replaced by IP_RANGE)" : ""}`,
    ]);
  return `The configuration file is ${clip(config.file, 500)}\n\n${columns(["KEY", "FROM", "VALUE"], rows)}`;
}

/** The document of `config --json`. */
export const settingsDocument = (config: Config, hostIp?: Ipv4): object => ({
  schemaVersion: SCHEMA_VERSION,
  file: config.file,
  keys: settingsOf(config, hostIp),
});
