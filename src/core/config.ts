/** Conf file, environment and flags → Config, or a ConfigError with all problems at once. */
import { type Assignment, readConfFile } from "./conffile.ts";
import { ConfigError, type Problem } from "./errors.ts";
import {
  compareIpv4,
  type Ipv4,
  mergeRanges,
  overlaps,
  parseCidr,
  parseIpv4,
  type Range,
  sizeOf,
} from "./ipv4.ts";
import { type Name, toName } from "./name.ts";

/** What is wrong with a value: "is 31, must be 1 to 30". */
class Bad extends Error {}

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

/** An address to listen on; `HOST_IP` stands for the host's own. */
export type ListenAddress = Ipv4 | "HOST_IP";

export interface ApiUrl {
  /** `v1.41`, or null to negotiate. */
  readonly version: string | null;
  /** Docker's `filters` parameter, as JSON text, or null. */
  readonly filters: string | null;
}

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
      const message = `unknown key; the nearest known one is ${nearest(assignment.key)}`;
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
  const pool = poolOf(values, set, where, problems);
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

function poolOf(
  values: Values,
  set: ReadonlyMap<string, Assignment>,
  where: (name: KeyName) => string,
  problems: Problem[],
): readonly Range[] {
  if (set.get("IP_RANGE")?.value) return values.IP_RANGE ?? [];
  const { IP_SUBNET: net, IP_RANGE_START: start, IP_RANGE_END: end } = values;
  let missing = false;
  for (const name of ["IP_SUBNET", "IP_RANGE_START", "IP_RANGE_END"] as const) {
    if (set.get(name)?.value) continue;
    missing = true;
    problems.push({ where: where(name), key: name, message: "is not set (nor is IP_RANGE)" });
  }
  if (missing || !net || start === null || start === undefined || end === null || end === undefined)
    return [];
  if (start > end) {
    const message = `is ${end}, must not be below IP_RANGE_START (${start})`;
    problems.push({ where: where("IP_RANGE_END"), key: "IP_RANGE_END", message });
    return [];
  }
  const pool = [{ first: `${net}.${start}` as Ipv4, last: `${net}.${end}` as Ipv4 }];
  const message = unusable(pool);
  if (message === null) return pool;
  problems.push({ where: where("IP_SUBNET"), key: "IP_SUBNET", message });
  return [];
}

/** Networks whose addresses no host can have (RFC 6890): "this network", loopback, multicast and above. */
const NEVER = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3"].flatMap((cidr) => parseCidr(cidr) ?? []);

/** Each address of the range is a line of iplist.txt, and one at rest a lease, whether it is ever used or not. */
const MOST_ADDRESSES = 65_536;

/** Why a range cannot be one, or null. */
function unusable(pool: readonly Range[]): string | null {
  const bad = pool.find((range) => NEVER.some((never) => overlaps(never, range)));
  if (bad !== undefined) return `holds ${bad.first}, which is no address that a host can have`;
  const size = pool.reduce((n, range) => n + sizeOf(range), 0);
  if (size === 0) return "holds no address";
  return size > MOST_ADDRESSES ? `holds ${size} addresses, must hold ${MOST_ADDRESSES} at most` : null;
}

/** The known key with the fewest edits between it and `name`. */
function nearest(name: string): string {
  const upper = name.toUpperCase().slice(0, 64);
  return (
    KEY_NAMES.map((known) => [edits(upper, known), known] as const).sort((a, b) => a[0] - b[0])[0]?.[1] ?? ""
  );
}

/** Levenshtein distance. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

// Readers of one value each.

function flag(value: string): boolean {
  if (value !== "0" && value !== "1") throw new Bad(`is "${value}", must be 0 or 1`);
  return value === "1";
}

function text(value: string): string {
  if (/[\p{Cc}]/u.test(value)) throw new Bad("holds a control character");
  return value;
}

function path(value: string): string {
  if (value !== "" && !/^\/[^\p{Cc}]*$/u.test(value))
    throw new Bad(`is "${value}", must be an absolute path`);
  return value === "" ? "" : value.replace(/\/+$/, "") || "/";
}

/** For keys without which nothing can start; unset ones are reported as "is not set". */
function required<T>(parse: (value: string) => T): (value: string) => T {
  return (value) => {
    if (value === "") throw new Bad("is empty");
    return parse(value);
  };
}

function integer(least: number, most: number): (value: string) => number {
  return (value) => {
    const n = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
    if (!(n >= least && n <= most))
      throw new Bad(`is "${value}", must be a whole number from ${least} to ${most}`);
    return n;
  };
}

function optional<T>(parse: (value: string) => T): (value: string) => T | null {
  return (value) => (value === "" ? null : parse(value));
}

function optionalInteger(least: number, most: number): (value: string) => number | null {
  return optional(integer(least, most));
}

function oneOf<T extends string>(...words: readonly T[]): (value: string) => T {
  return (value) => {
    const word = words.find((w) => w === value);
    if (word === undefined) throw new Bad(`is "${value}", must be one of ${words.join(", ")}`);
    return word;
  };
}

function address(value: string): Ipv4 {
  const parsed = parseIpv4(value);
  if (parsed === undefined) throw new Bad(`is "${value}", must be an IPv4 address`);
  return parsed;
}

/** Linux: 1 to 15 octets, no slash, no blank, neither "." nor "..". */
function device(value: string): string {
  if (!/^[^\s/:]{1,15}$/.test(value) || value === "." || value === "..") {
    throw new Bad(`is "${value}", must be the name of a network device (1 to 15 characters)`);
  }
  return value;
}

function subnet(value: string): string {
  if (value !== "" && parseIpv4(`${value}.0`) === undefined) {
    throw new Bad(`is "${value}", must be the first three octets of an address, such as 192.168.122`);
  }
  return value;
}

function parts(value: string): string[] {
  return value
    .split(/[\s,]+/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function ranges(value: string): Range[] {
  const found = value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const [a = "", b, more] = part.split("-").map((end) => end.trim());
      if (b === undefined) {
        const cidr = parseCidr(a);
        if (cidr === undefined) throw new Bad(`holds "${part}", which is neither FIRST-LAST nor a CIDR`);
        return cidr;
      }
      const first = parseIpv4(a);
      const last = parseIpv4(b);
      if (first === undefined || last === undefined || more !== undefined) {
        throw new Bad(`holds "${part}", which is neither FIRST-LAST nor a CIDR`);
      }
      if (compareIpv4(first, last) > 0)
        throw new Bad(`holds "${part}", whose last address is below its first`);
      return { first, last };
    });
  const pool = mergeRanges(found);
  const message = value === "" ? null : unusable(pool);
  if (message !== null) throw new Bad(message);
  return pool;
}

function label(value: string): Name {
  const name = toName(value);
  if (name === undefined || name !== value.toLowerCase()) {
    throw new Bad(`is "${value}", must be one label of letters, digits and hyphens`);
  }
  return name;
}

/** RFC 1123 §2.1 labels; short enough that every `name.zone` stays under 253 octets. */
function domain(value: string): string {
  const zone = value.toLowerCase().replace(/\.$/, "");
  if (!isDomain(zone)) {
    throw new Bad(
      `is "${value}", must be a domain name of letters, digits, hyphens and dots, at most 189 octets`,
    );
  }
  return zone;
}

/** One that leaves room for a name of 63 octets before it. */
function isDomain(text: string): boolean {
  const lower = text.toLowerCase();
  return lower.length <= 189 && lower.split(".").every((part) => toName(part) === part);
}

function email(value: string): string {
  const [local = "", at, more] = value.split("@");
  const sound = /^[A-Za-z0-9._+-]{1,63}$/.test(local) && at !== undefined && isDomain(at);
  if (value !== "" && (!sound || more !== undefined)) {
    throw new Bad(`is "${value}", must be a mailbox such as hostmaster@example.com`);
  }
  return value;
}

function listen(value: string): ListenAddress[] {
  return parts(value).map((part) => {
    if (part === "HOST_IP") return part;
    if (part === "0.0.0.0")
      throw new Bad("holds 0.0.0.0, which would answer from a wrong address; name each address");
    return address(part);
  });
}

function peers(value: string): string[] {
  return parts(value).map((part) => {
    if (!/^key:[A-Za-z0-9._-]{1,253}$/.test(part) && parseCidr(part) === undefined) {
      throw new Bad(`holds "${part}", which is neither an address, a network (10.0.0.0/8) nor key:NAME`);
    }
    return part;
  });
}

/** `http://localhost[/v1.41]/containers/json[?filters={...}]`. */
function apiUrl(value: string): ApiUrl {
  const wrong = new Bad(`is "${value}", must be like http://localhost/containers/json`);
  if (!URL.canParse(value)) throw wrong;
  const url = new URL(value);
  const match = /^(?:\/(v\d+\.\d+))?\/containers\/json$/.exec(url.pathname);
  if (url.protocol !== "http:" || match === null) throw wrong;
  const filters = url.searchParams.get("filters");
  if (filters !== null) {
    try {
      JSON.parse(filters);
    } catch {
      throw new Bad("has filters that are no JSON");
    }
  }
  return { version: match[1] ?? null, filters };
}
