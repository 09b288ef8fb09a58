/** Conf file, environment and flags → Config, or a ConfigError with all problems at once. */
import { type Assignment, readConfFile } from "./conffile.ts";
import {
  type ApiUrl,
  address,
  apiUrl,
  Bad,
  device,
  domain,
  email,
  flag,
  integer,
  type ListenAddress,
  label,
  listen,
  oneOf,
  optional,
  optionalInteger,
  path,
  peers,
  ranges,
  required,
  subnet,
  text,
} from "./config-values.ts";
import { ConfigError, type Problem } from "./errors.ts";
import type { Ipv4, Range } from "./ipv4.ts";
import type { Name } from "./name.ts";
import { nearest } from "./nearest.ts";
import { threeKeyRange } from "./pool.ts";

interface Key<T> {
  readonly fallback: string;
  readonly parse: (text: string) => T;
  /** One sentence for the man page and the conf example. */
  readonly doc: string;
}

const key = <T>(fallback: string, parse: (text: string) => T, doc: string): Key<T> => ({
  fallback,
  parse,
  doc,
});

/** Every key there is: default, reader, meaning. An empty default means "worked out, or asked for". */
export const KEYS = {
  DEBUG: key("0", flag, "1 prints every command and decision on stderr"),
  DOCKER_SOCKET: key("/var/run/docker.sock", required(path), "Docker's UNIX socket"),
  DOCKER_API_URL: key(
    "http://localhost/containers/json",
    apiUrl,
    "the list of containers; a version prefix and query filters are honoured",
  ),
  NETWORK_DEVICE: key("", required(device), "the network device that gets the aliases"),
  IP_SUBNET: key("", subnet, "first three octets of the range"),
  IP_RANGE_START: key("", optionalInteger(0, 255), "fourth octet of the range's first address"),
  IP_RANGE_END: key("", optionalInteger(0, 255), "fourth octet of the range's last address, included"),
  IP_RANGE: key("", ranges, "ranges and CIDRs, comma separated, in place of the three keys above"),
  HOST_IP: key("", optional(address), "the host's fixed address; default: the device's own first IPv4"),
  HOST_NAME: key("dockerhost", label, "the host's own name in the zone"),
  TOOLBOX_SUBDOMAIN_NAME: key("", required(domain), "the zone that IT delegated to this host"),
  STORAGE_DIR: key("", required(path), "where leases, zone and page are kept"),
  DNS_ZONE_FILE: key("", path, "the zone file; default: STORAGE_DIR/dns/<zone>.zone"),
  WEB_INDEX_FILE: key("", path, "the index page; default: STORAGE_DIR/www/index.html"),
  SOA_EMAIL: key("", email, "mailbox of the zone's keeper; default: hostmaster@<zone>"),
  DNS_TTL: key("60", integer(1, 86_400), "TTL of every record OCDD writes, in seconds"),
  DNS_LISTEN: key("HOST_IP, 127.0.0.1", listen, "addresses the name server answers on"),
  DNS_PORT: key("53", integer(1, 65_535), "port of the name server"),
  DNS_ALLOW_TRANSFER: key("127.0.0.0/8", peers, "networks and key:NAME that may transfer the zone"),
  WEB_ENABLED: key("1", flag, "0 serves no index page"),
  WEB_LISTEN: key("", listen, "addresses the index page is served on; default: DNS_LISTEN"),
  WEB_PORT: key("80", integer(1, 65_535), "port of the index page"),
  WEB_TITLE: key("The ACME ToolBox server", text, "title of the index page"),
  WEB_TEMPLATE_DIR: key(
    "",
    path,
    "a directory whose index.html, style.css and app.js replace the page's own",
  ),
  ADDRESS_HOLD: key(
    "",
    optionalInteger(0, 31_536_000),
    "seconds that a released address rests; default and minimum: 2 x DNS_TTL + 60",
  ),
  EXPOSE: key("all", oneOf("all", "labelled"), "all containers, or only those labelled ocdd.enable=true"),
  SYNC_INTERVAL: key("60", integer(1, 86_400), "seconds between two full looks of watch"),
  SERVICES: key("auto", oneOf("auto", "systemd", "compose", "none"), "who runs watch and serve"),
} as const;

export type KeyName = keyof typeof KEYS;
type Values = { [K in KeyName]: ReturnType<(typeof KEYS)[K]["parse"]> };

export interface Config {
  readonly debug: boolean;
  readonly dockerSocket: string;
  readonly api: ApiUrl;
  readonly device: string;
  /** The address range, in order, touching parts joined. */
  readonly pool: readonly Range[];
  readonly hostIp: Ipv4 | null;
  readonly hostName: Name;
  /** Lower case, no trailing dot. */
  readonly zone: string;
  readonly storageDir: string;
  readonly zoneFile: string;
  readonly indexFile: string;
  readonly soaEmail: string;
  readonly ttl: number;
  readonly dnsListen: readonly ListenAddress[];
  readonly dnsPort: number;
  readonly allowTransfer: readonly string[];
  readonly webEnabled: boolean;
  readonly webListen: readonly ListenAddress[];
  readonly webPort: number;
  readonly webTitle: string;
  /** Where a site keeps its own page template; empty when it has none. */
  readonly templateDir: string;
  /** Seconds. */
  readonly addressHold: number;
  readonly expose: "all" | "labelled";
  /** Seconds. */
  readonly syncInterval: number;
  readonly services: "auto" | "systemd" | "compose" | "none";
  /** Where each key was set, for problems that only the host can show. */
  readonly where: ReadonlyMap<string, string>;
}

export interface ConfigSources {
  readonly file: string;
  readonly text: string;
  readonly environment: ReadonlyMap<string, string>;
  /** `KEY=value` from the command line. */
  readonly flags: readonly string[];
}

/** Files of OCDD's own in STORAGE_DIR. */
const RESERVED_FILES = ["leases.json", "leases.json.previous", "ocdd.lock", "iplist.txt"];

const KEY_NAMES = Object.keys(KEYS) as KeyName[];
const isKey = (name: string): name is KeyName => Object.hasOwn(KEYS, name);

/** A flag beats `OCDD_<KEY>` in the environment, which beats the file. Throws ConfigError. */
export function readConfig(sources: ConfigSources): Config {
  const { assignments, problems } = readConfFile(sources.text, sources.file, sources.environment);
  const all: Assignment[] = [...assignments];
  for (const name of KEY_NAMES) {
    const value = sources.environment.get(`OCDD_${name}`);
    if (value !== undefined) all.push({ key: name, value, where: `environment:OCDD_${name}` });
  }
  for (const flagText of sources.flags) {
    const at = flagText.indexOf("=");
    if (at > 0) all.push({ key: flagText.slice(0, at), value: flagText.slice(at + 1), where: "--set" });
    else problems.push({ where: "--set", message: `"${flagText}" is not KEY=value` });
  }
  const set = new Map<string, Assignment>();
  for (const assignment of all) {
    if (isKey(assignment.key)) set.set(assignment.key, assignment);
    else {
      const message = `unknown key; the nearest known one is ${nearest(assignment.key, KEY_NAMES)}`;
      problems.push({ where: assignment.where, key: assignment.key, message });
    }
  }
  const values = Object.fromEntries(
    KEY_NAMES.map((name) => {
      const row = KEYS[name] as Key<unknown>;
      const assignment = set.get(name);
      try {
        return [name, row.parse(assignment?.value ?? row.fallback)];
      } catch (error) {
        if (!(error instanceof Bad)) throw error;
        const where = assignment?.where ?? sources.file;
        problems.push({ where, key: name, message: assignment === undefined ? "is not set" : error.message });
        return [name, undefined];
      }
    }),
  ) as Values;
  const where = (name: KeyName): string => set.get(name)?.where ?? sources.file;
  const pool =
    (set.get("IP_RANGE")?.value ? values.IP_RANGE : null) ??
    threeKeyRange(values, (name, message) => problems.push({ where: where(name), key: name, message }));
  const ttl = values.DNS_TTL;
  const least = 2 * ttl + 60;
  const hold = values.ADDRESS_HOLD ?? least;
  if (hold < least) {
    const message = `is ${hold}, must be at least ${least} (2 x DNS_TTL + 60)`;
    problems.push({ where: where("ADDRESS_HOLD"), key: "ADDRESS_HOLD", message });
  }
  const zoneFile = values.DNS_ZONE_FILE || `${values.STORAGE_DIR}/dns/${values.TOOLBOX_SUBDOMAIN_NAME}.zone`;
  const indexFile = values.WEB_INDEX_FILE || `${values.STORAGE_DIR}/www/index.html`;
  for (const [name, path] of [
    ["DNS_ZONE_FILE", zoneFile],
    ["WEB_INDEX_FILE", indexFile],
  ] as const) {
    if (!RESERVED_FILES.some((file) => path === `${values.STORAGE_DIR}/${file}`)) continue;
    problems.push({ where: where(name), key: name, message: `is ${path}, which OCDD keeps for itself` });
  }
  if (indexFile === zoneFile) {
    const message = `is ${indexFile}, as DNS_ZONE_FILE is; they must be two files`;
    problems.push({ where: where("WEB_INDEX_FILE"), key: "WEB_INDEX_FILE", message });
  }
  if (problems.length > 0) throw new ConfigError(inOrder(problems));
  return {
    debug: values.DEBUG,
    dockerSocket: values.DOCKER_SOCKET,
    api: values.DOCKER_API_URL,
    device: values.NETWORK_DEVICE,
    pool,
    hostIp: values.HOST_IP,
    hostName: values.HOST_NAME,
    zone: values.TOOLBOX_SUBDOMAIN_NAME,
    storageDir: values.STORAGE_DIR,
    zoneFile,
    indexFile,
    soaEmail: values.SOA_EMAIL || `hostmaster@${values.TOOLBOX_SUBDOMAIN_NAME}`,
    ttl,
    dnsListen: values.DNS_LISTEN,
    dnsPort: values.DNS_PORT,
    allowTransfer: values.DNS_ALLOW_TRANSFER,
    webEnabled: values.WEB_ENABLED,
    webListen: values.WEB_LISTEN.length > 0 ? values.WEB_LISTEN : values.DNS_LISTEN,
    webPort: values.WEB_PORT,
    webTitle: values.WEB_TITLE,
    templateDir: values.WEB_TEMPLATE_DIR,
    addressHold: hold,
    expose: values.EXPOSE,
    syncInterval: values.SYNC_INTERVAL,
    services: values.SERVICES,
    where: new Map([...set].map(([name, assignment]) => [name, assignment.where])),
  };
}

/** Problems of one file in the order of its lines, as an editor shows them. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const line = (p: Problem): number => Number(/:(\d+)$/.exec(p.where)?.[1] ?? 1e9);
  return [...problems].sort((a, b) => line(a) - line(b));
}
