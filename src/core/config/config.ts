/** Conf file, environment and flags → Config, or a ConfigError with all problems at once. */

import type { Ipv4, Range } from "../addresses/ipv4.ts";
import { ConfigError, type Problem } from "../errors.ts";
import type { Firewall } from "../forwards/backend.ts";
import { outputClashes } from "../paths.ts";
import type { Name } from "../services/name.ts";
import type { ApiUrl } from "./api-url.ts";
import { assigned, type Outside } from "./assigned.ts";
import type { Assignment } from "./conf-file.ts";
import { type Endpoint, type ForwarderAddress, unlisted } from "./endpoints.ts";
import { isKey, KEY_NAMES, KEYS, type Key, type KeyName, type Values } from "./keys.ts";
import { threeKeyRange } from "./pool.ts";
import { remedyFor } from "./unfilled.ts";
import { Bad, type ListenAddress } from "./values.ts";

export type { KeyName } from "./keys.ts";

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
  /** Further names the page may be asked for by, lower case. */
  readonly webNames: readonly string[];
  /** Where `/go/NAME` on the page leads when no service has the name; empty: to the page. */
  readonly fallbackUrl: string;
  /** The directory of a site's own page template; empty when it has none. */
  readonly templateDir: string;
  /** Seconds. */
  readonly addressHold: number;
  readonly expose: "all" | "labelled";
  readonly tsigKeyFile: string;
  readonly notify: readonly string[];
  /** Resolvers for names outside of the zone. */
  readonly forwarders: readonly ForwarderAddress[];
  readonly reverse: boolean;
  readonly reverseZone: string | null;
  /** Text about the server in DNS answers; empty is none. */
  readonly nsid: string;
  readonly version: string;
  /** Where the director serves its metrics; the server's are one port above. */
  readonly metricsListen: Endpoint | null;
  /** CIDRs that may read metrics, beside the host itself. */
  readonly metricsAllow: readonly string[];
  /** Seconds. */
  readonly syncInterval: number;
  /** Which stopped containers a visit starts. */
  readonly wake: "labelled" | "all" | "off";
  /** Whether browsers are shown a page while they wait. */
  readonly wakePage: boolean;
  /** Seconds. */
  readonly wakeTimeout: number;
  /** Seconds. */
  readonly wakeGrace: number;
  /** Containers that are started at the same time, at most. */
  readonly wakeConcurrency: number;
  /** CIDRs whose traffic does not count as use of a container. */
  readonly idleIgnore: readonly string[];
  readonly services: "auto" | "systemd" | "compose" | "none";
  /** The container image of director and server under compose. */
  readonly image: string;
  readonly firewall: Firewall;
  /** Where each key was set, for problems that only the host can show. */
  readonly where: ReadonlyMap<string, string>;
  /** The text of each key that was set. */
  readonly texts: ReadonlyMap<string, string>;
  /** The configuration file. */
  readonly file: string;
}

export interface ConfigSources extends Outside {
  readonly file: string;
  readonly text: string;
  /** The default of NETWORK_DEVICE. */
  readonly defaultDevice?: string | undefined;
}

/** A flag beats `OCDD_<KEY>` in the environment, which beats the file. Throws ConfigError. */
export function readConfig(sources: ConfigSources): Config {
  const { file } = sources;
  const { problems: misread, unread, named, ...read } = assigned(sources);
  const problems: Problem[] = [...misread];
  const set = new Map(read.set);
  for (const assignment of hostDefaults(sources)) {
    if (isKey(assignment.key) && !set.has(assignment.key)) set.set(assignment.key, assignment);
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
        // its line is reported already
        if (assignment === undefined && unread.has(name)) return [name, undefined];
        problems.push({ where, key: name, message: assignment === undefined ? "is not set" : error.message });
        return [name, undefined];
      }
    }),
  ) as Values;
  const where = (name: KeyName): string => set.get(name)?.where ?? sources.file;
  const pool =
    (set.get("IP_RANGE")?.value ? values.IP_RANGE : null) ??
    threeKeyRange(
      values,
      (name, message) => problems.push({ where: where(name), key: name, message }),
      set.get("IP_RANGE")?.value ? new Set([...unread, "IP_RANGE"]) : unread, // a wrong one is reported already
    );
  const ttl = values.DNS_TTL;
  const least = 2 * ttl + 60;
  const hold = values.ADDRESS_HOLD ?? least;
  if (hold < least) {
    const message = `is ${hold}, must be at least ${least} (2 x DNS_TTL + 60)`;
    problems.push({ where: where("ADDRESS_HOLD"), key: "ADDRESS_HOLD", message });
  }
  const zoneFile = values.DNS_ZONE_FILE || `${values.STORAGE_DIR}/dns/${values.TOOLBOX_SUBDOMAIN_NAME}.zone`;
  const indexFile = values.WEB_INDEX_FILE || `${values.STORAGE_DIR}/www/index.html`;
  for (const { key, message } of outputClashes({ storageDir: values.STORAGE_DIR, zoneFile, indexFile }))
    problems.push({ where: where(key), key, message });
  const open = values.METRICS_ALLOW && unlisted(values.METRICS_LISTEN ?? null, values.METRICS_ALLOW);
  if (open !== undefined)
    problems.push({ where: where("METRICS_LISTEN"), key: "METRICS_LISTEN", message: open });
  if (problems.length > 0) throw new ConfigError(inOrder(problems), remedyFor(named));
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
    webNames: values.WEB_NAMES,
    fallbackUrl: values.FALLBACK_URL,
    templateDir: values.WEB_TEMPLATE_DIR,
    addressHold: hold,
    expose: values.EXPOSE,
    firewall: values.FIREWALL,
    tsigKeyFile: values.DNS_TSIG_KEY_FILE,
    notify: values.DNS_NOTIFY,
    forwarders: values.DNS_FORWARDERS,
    reverse: values.DNS_REVERSE,
    reverseZone: values.DNS_REVERSE_ZONE,
    nsid: values.DNS_NSID,
    version: values.DNS_VERSION,
    metricsListen: values.METRICS_LISTEN,
    metricsAllow: values.METRICS_ALLOW,
    syncInterval: values.SYNC_INTERVAL,
    wake: values.WAKE,
    wakePage: values.WAKE_PAGE,
    wakeTimeout: values.WAKE_TIMEOUT,
    wakeGrace: values.WAKE_GRACE,
    wakeConcurrency: values.WAKE_CONCURRENCY,
    idleIgnore: values.IDLE_IGNORE,
    services: values.SERVICES,
    image: values.IMAGE,
    where: new Map([...set].map(([name, assignment]) => [name, assignment.where])),
    texts: new Map([...set].map(([name, assignment]) => [name, assignment.value])),
    file,
  };
}

/** Defaults that depend on the host: Docker's own variable for its socket, the default route's device. */
function hostDefaults({ environment, defaultDevice }: ConfigSources): Assignment[] {
  const docker = environment.get("DOCKER_HOST") ?? "";
  const device = defaultDevice ?? "";
  return [
    ...(docker === ""
      ? []
      : [
          {
            key: "DOCKER_SOCKET",
            // any other kind of address is no absolute path, and is reported as such
            value: docker.replace(/^unix:\/\/(?=\/)/, ""),
            where: "environment:DOCKER_HOST",
          },
        ]),
    ...(device === "" ? [] : [{ key: "NETWORK_DEVICE", value: device, where: "default" }]),
  ];
}

/** Problems of one file in the order of its lines, as an editor shows them. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const line = (p: Problem): number => Number(/:(\d+)$/.exec(p.where)?.[1] ?? 1e9);
  return [...problems].sort((a, b) => line(a) - line(b));
}
