/** Every key of the configuration: default, reader, meaning. */
import { apiUrl } from "./api-url.ts";
import { endpoint, forwarders } from "./endpoints.ts";
import { meant } from "./nearest.ts";
import {
  address,
  device,
  domain,
  duration,
  email,
  flag,
  hostNames,
  identity,
  image,
  integer,
  label,
  listen,
  networks,
  notifyTargets,
  oneOf,
  optional,
  optionalInteger,
  ownDirectory,
  path,
  peers,
  ranges,
  required,
  subnet,
  text,
} from "./values.ts";
import { webUrl } from "./web-url.ts";

export interface Key<T> {
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

/** Every key: default, reader, meaning. An empty default is computed, or the key is required. */
export const KEYS = {
  DEBUG: key("0", flag, "1 logs every command to stderr"),
  DOCKER_SOCKET: key(
    "/var/run/docker.sock",
    required(path),
    "Docker's UNIX socket; DOCKER_HOST counts where it is not set",
  ),
  DOCKER_API_URL: key(
    "http://localhost/containers/json",
    apiUrl,
    "URL of the container list; a version prefix and query filters are honoured",
  ),
  NETWORK_DEVICE: key(
    "",
    required(device),
    "the network device that gets the aliases; default: that of the default route",
  ),
  IP_SUBNET: key("", subnet, "first three octets of the range"),
  IP_RANGE_START: key("", optionalInteger(0, 255), "fourth octet of the range's first address"),
  IP_RANGE_END: key("", optionalInteger(0, 255), "fourth octet of the range's last address, included"),
  IP_RANGE: key("", ranges, "ranges and CIDRs, comma separated, in place of the three keys above"),
  HOST_IP: key("", optional(address), "the host's fixed address; default: the device's own first IPv4"),
  HOST_NAME: key("dockerhost", label, "the host's own name in the zone"),
  TOOLBOX_SUBDOMAIN_NAME: key("", required(domain), "the zone that IT delegated to this host"),
  STORAGE_DIR: key("", required(ownDirectory), "where leases, zone and page are kept"),
  DNS_ZONE_FILE: key("", path, "the zone file; default: STORAGE_DIR/dns/<zone>.zone"),
  WEB_INDEX_FILE: key("", path, "the index page; default: STORAGE_DIR/www/index.html"),
  SOA_EMAIL: key("", email, "e-mail address in the SOA record; default: hostmaster@<zone>"),
  DNS_TTL: key("60", integer(1, 86_400), "TTL of every record OCDD writes, in seconds"),
  DNS_LISTEN: key("HOST_IP, 127.0.0.1", listen, "addresses the name server answers on"),
  DNS_PORT: key("53", integer(1, 65_535), "port of the name server"),
  DNS_ALLOW_TRANSFER: key("127.0.0.0/8", peers, "networks and key:NAME that may transfer the zone"),
  DNS_TSIG_KEY_FILE: key("", path, "TSIG keys in BIND's syntax, readable by their owner alone"),
  DNS_NOTIFY: key(
    "",
    notifyTargets,
    "secondaries that are notified of changes: ADDRESS[@PORT] [key:NAME], comma separated",
  ),
  DNS_FORWARDERS: key(
    "",
    forwarders,
    "resolvers (ADDRESS[@PORT], at most 3, asked in this order) for names outside of the zone or delegated in it by hand, and for CNAMEs that lead there, asked for clients in the host's own networks only; empty: such questions are refused",
  ),
  DNS_REVERSE: key("0", flag, "1 serves PTR records for the addresses of the range"),
  DNS_REVERSE_ZONE: key(
    "",
    optional(domain),
    "the reverse zone, where it is not the range's whole /24 (RFC 2317)",
  ),
  DNS_NSID: key("", identity, "server identifier for NSID queries (RFC 5001); empty: not answered"),
  DNS_VERSION: key(
    "",
    identity,
    "the name server's answer to version.bind; default: the question is refused",
  ),
  WEB_ENABLED: key("1", flag, "0 serves no index page"),
  WEB_LISTEN: key("", listen, "addresses the index page is served on; default: DNS_LISTEN"),
  WEB_PORT: key("80", integer(1, 65_535), "port of the index page"),
  WEB_TITLE: key("The ACME ToolBox server", text, "title of the index page"),
  WEB_NAMES: key("", hostNames, "additional host names accepted in the Host header, comma separated"),
  FALLBACK_URL: key(
    "",
    webUrl,
    "the http or https URL to which /go/NAME on the index page leads when no service has the name; default: the page",
  ),
  WEB_TEMPLATE_DIR: key(
    "",
    path,
    "a directory whose index.html, style.css and app.js replace the page's own",
  ),
  ADDRESS_HOLD: key(
    "",
    optionalInteger(0, 31_536_000),
    "seconds before a released address is given to another container; default and minimum: 2 x DNS_TTL + 60",
  ),
  EXPOSE: key(
    "all",
    oneOf("all", "labelled"),
    "all: every container is served; labelled: only those with ocdd.enable=true",
  ),
  FIREWALL: key(
    "auto",
    oneOf("auto", "iptables", "nft"),
    "what redirects the aliases: iptables, nft, or auto, which is nft where Docker's own backend is nftables or iptables is not installed, else iptables",
  ),
  SYNC_INTERVAL: key("60", integer(1, 86_400), "seconds between two full runs of watch"),
  WAKE: key(
    "labelled",
    oneOf("labelled", "all", "off"),
    "which stopped containers keep name and address and are started by the first visit: labelled (those with ocdd.wake=true), all, or off (none)",
  ),
  WAKE_PAGE: key("1", flag, "0 shows browsers no page while a container is being started"),
  WAKE_TIMEOUT: key("60s", duration, "how long a container that is being started may take to be ready"),
  WAKE_GRACE: key("2s", duration, "how long to wait for a container whose readiness cannot be checked"),
  WAKE_CONCURRENCY: key("4", integer(1, 100), "containers that are started at the same time, at most"),
  IDLE_IGNORE: key(
    "",
    networks,
    "networks whose traffic does not count as use of a container, such as those of monitors",
  ),
  METRICS_LISTEN: key(
    "",
    optional(endpoint),
    "ADDRESS:PORT for metrics and health of the director; the server uses the next port",
  ),
  METRICS_ALLOW: key(
    "",
    networks,
    "networks that may read metrics and health, comma separated; the host itself always may; required where METRICS_LISTEN is no loopback address",
  ),
  SERVICES: key(
    "auto",
    oneOf("auto", "systemd", "compose", "none"),
    "how watch and serve are started: systemd, compose, none, or auto, which is systemd where that runs, else none",
  ),
  IMAGE: key("ocdd", image, "the container image of watch and serve where SERVICES is compose"),
} as const;

export type KeyName = keyof typeof KEYS;
export type Values = { [K in KeyName]: ReturnType<(typeof KEYS)[K]["parse"]> };

export const KEY_NAMES = Object.keys(KEYS) as readonly KeyName[];
export const isKey = (name: string): name is KeyName => Object.hasOwn(KEYS, name);

/** What is said of a key that is none. */
export function unknownKey(name: string): string {
  const near = meant(name, KEY_NAMES);
  return `unknown key; ${near === null ? "ocdd.conf(5) lists the known ones" : `the nearest known one is ${near}`}`;
}
