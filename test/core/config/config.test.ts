// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the shell's spelling is what is tested
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { type ConfigSources, readConfig } from "../../../src/core/config/config.ts";
import { KEYS } from "../../../src/core/config/keys.ts";
import { ConfigError } from "../../../src/core/errors.ts";

/** The contract's example, byte for byte. */
const EXAMPLE = `DEBUG=0
DOCKER_SOCKET='/var/run/docker.sock'
DOCKER_API_URL='http://localhost/containers/json'
NETWORK_DEVICE='ens3'
IP_SUBNET='192.168.122'
IP_RANGE_START=11
IP_RANGE_END=30
TOOLBOX_SUBDOMAIN_NAME='toolbox.example.com'
STORAGE_DIR=/opt/ocdd
DNS_ZONE_FILE=\${STORAGE_DIR}/dns/toolbox.example.com.zone
WEB_INDEX_FILE=\${STORAGE_DIR}/www/index.html
`;

const sources = (text: string, over: Partial<ConfigSources> = {}): ConfigSources => ({
  file: "ocdd.conf",
  text,
  environment: new Map(),
  flags: [],
  ...over,
});

const read = (more: string, over: Partial<ConfigSources> = {}) =>
  readConfig(sources(`${EXAMPLE}${more}\n`, over));

function problems(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
}

t.test("the contract's example works unchanged, every default as the contract has it", async (t) => {
  t.equal(
    readFileSync(new URL("../../../ocdd.conf.example", import.meta.url), "utf8").startsWith(EXAMPLE),
    true,
  );
  const { where, texts, file, ...config } = readConfig(sources(EXAMPLE));
  t.strictSame(config, {
    debug: false,
    dockerSocket: "/var/run/docker.sock",
    api: { version: null, filters: null },
    device: "ens3",
    pool: [{ first: "192.168.122.11", last: "192.168.122.30" }],
    hostIp: null,
    hostName: "dockerhost",
    zone: "toolbox.example.com",
    storageDir: "/opt/ocdd",
    zoneFile: "/opt/ocdd/dns/toolbox.example.com.zone",
    indexFile: "/opt/ocdd/www/index.html",
    soaEmail: "hostmaster@toolbox.example.com",
    ttl: 60,
    dnsListen: ["HOST_IP", "127.0.0.1"],
    dnsPort: 53,
    allowTransfer: ["127.0.0.0/8"],
    webEnabled: true,
    webListen: ["HOST_IP", "127.0.0.1"],
    webPort: 80,
    webTitle: "The ACME ToolBox server",
    webNames: [],
    fallbackUrl: "",
    templateDir: "",
    tsigKeyFile: "",
    notify: [],
    forwarders: [],
    reverse: false,
    reverseZone: null,
    nsid: "",
    version: "",
    metricsListen: null,
    metricsAllow: [],
    addressHold: 180,
    expose: "all",
    firewall: "auto",
    syncInterval: 60,
    wake: "labelled",
    wakePage: true,
    wakeTimeout: 60,
    wakeGrace: 2,
    wakeConcurrency: 4,
    idleIgnore: [],
    services: "auto",
    image: "ocdd",
  });
  t.equal(where.get("IP_RANGE_END"), "ocdd.conf:7");
  t.equal(texts.get("IP_RANGE_END"), "30");
  t.equal(file, "ocdd.conf");
});

t.test("CRLF files, flags and the environment: read, in their precedence (O-28)", async (t) => {
  t.strictSame(readConfig(sources(EXAMPLE.replaceAll("\n", "\r\n"))), readConfig(sources(EXAMPLE)));
  const environment = new Map([
    ["OCDD_NETWORK_DEVICE", "eth1"],
    ["OCDD_WEB_PORT", "8080"],
    ["OCDD_CONF", "/x"],
    ["OCDD_SOMETHING", "else"],
  ]);
  const config = read("WEB_PORT=81", { environment, flags: ["WEB_PORT=82"] });
  t.match(config, { device: "eth1", webPort: 82 });
  t.equal(config.where.get("NETWORK_DEVICE"), "environment:OCDD_NETWORK_DEVICE");
  t.equal(config.where.get("WEB_PORT"), "--set");
});

t.test("valid values of each key: read", async (t) => {
  const table: [string, object][] = [
    [
      "IP_RANGE='192.168.122.11-192.168.123.40, 10.9.0.0/24'",
      {
        pool: [
          { first: "10.9.0.0", last: "10.9.0.255" },
          { first: "192.168.122.11", last: "192.168.123.40" },
        ],
      },
    ],
    ["IP_RANGE=10.0.0.1", { pool: [{ first: "10.0.0.1", last: "10.0.0.1" }] }],
    ["IP_RANGE=", { pool: [{ first: "192.168.122.11", last: "192.168.122.30" }] }],
    ["IP_SUBNET=10.1.2.0/24", { pool: [{ first: "10.1.2.11", last: "10.1.2.30" }] }],
    ["IP_SUBNET=10.1.2.0", { pool: [{ first: "10.1.2.11", last: "10.1.2.30" }] }],
    ["IP_RANGE_START=30", { pool: [{ first: "192.168.122.30", last: "192.168.122.30" }] }],
    ["STORAGE_DIR=/srv/x/", { storageDir: "/srv/x" }],
    ["STORAGE_DIR=/srv//y/.././x/.", { storageDir: "/srv/y/../x" }],
    ["DNS_ZONE_FILE=/srv/./x//a.zone", { zoneFile: "/srv/x/a.zone" }],
    ["WEB_TEMPLATE_DIR=//", { templateDir: "/" }],
    ["DNS_ZONE_FILE=", { zoneFile: "/opt/ocdd/dns/toolbox.example.com.zone" }],
    ["WEB_NAMES='Toolbox, www.example.com'", { webNames: ["toolbox", "www.example.com"] }],
    ["FALLBACK_URL=", { fallbackUrl: "" }],
    ["FALLBACK_URL=https://it.example.com", { fallbackUrl: "https://it.example.com/" }],
    ["FALLBACK_URL='http://it.example.com/a?b=c d'", { fallbackUrl: "http://it.example.com/a?b=c%20d" }],
    ["DNS_NSID=ns1.example\nDNS_VERSION='OCDD 2'", { nsid: "ns1.example", version: "OCDD 2" }],
    [
      "DNS_FORWARDERS='192.0.2.53, 2001:db8::53@5353'",
      {
        forwarders: [
          { address: "192.0.2.53", port: 53 },
          { address: "2001:db8::53", port: 5353 },
        ],
      },
    ],
    ["DNS_TTL=300", { ttl: 300, addressHold: 660 }],
    ["DNS_TTL=1\nADDRESS_HOLD=62", { addressHold: 62 }],
    [
      "DNS_LISTEN='10.0.0.1 HOST_IP'",
      { dnsListen: ["10.0.0.1", "HOST_IP"], webListen: ["10.0.0.1", "HOST_IP"] },
    ],
    ["WEB_LISTEN=127.0.0.1", { webListen: ["127.0.0.1"] }],
    ["DNS_ALLOW_TRANSFER='10.0.0.0/8,key:secondary'", { allowTransfer: ["10.0.0.0/8", "key:secondary"] }],
    ["DNS_ALLOW_TRANSFER=", { allowTransfer: [] }],
    ["TOOLBOX_SUBDOMAIN_NAME=ToolBox.Example.COM.", { zone: "toolbox.example.com" }],
    ["HOST_NAME=Boss", { hostName: "boss" }],
    ["SOA_EMAIL=it.desk@example.com", { soaEmail: "it.desk@example.com" }],
    ["WEB_TITLE='<b>\"ACME\" & Söhne</b>'", { webTitle: '<b>"ACME" & Söhne</b>' }],
    ["DOCKER_API_URL=http://localhost/v1.41/containers/json", { api: { version: "v1.41", filters: null } }],
    ...["http:/containers/json", "http://localhost//containers/json", "http://x:1/y/containers/json"].map(
      (url): [string, object] => [`DOCKER_API_URL='${url}'`, { api: { version: null, filters: null } }],
    ),
    ["DOCKER_API_URL=http:/v1.24/containers/json", { api: { version: "v1.24", filters: null } }],
    ["BASE=/srv\nSTORAGE_DIR=$BASE/ocdd", { storageDir: "/srv/ocdd" }],
    [
      `DOCKER_API_URL='http://localhost/containers/json?filters={"label":["a=b"]}'`,
      { api: { version: null, filters: '{"label":["a=b"]}' } },
    ],
    ["HOST_IP=192.168.122.5", { hostIp: "192.168.122.5" }],
    ["WEB_ENABLED=0", { webEnabled: false }],
    ["EXPOSE=labelled", { expose: "labelled" }],
    ["FIREWALL=nft", { firewall: "nft" }],
    ["WAKE=all\nWAKE_PAGE=0\nWAKE_CONCURRENCY=1", { wake: "all", wakePage: false, wakeConcurrency: 1 }],
    ["WAKE_TIMEOUT=90\nWAKE_GRACE=1M", { wakeTimeout: 90, wakeGrace: 60 }],
    ["WAKE_TIMEOUT=365d\nWAKE_GRACE='1s '", { wakeTimeout: 31_536_000, wakeGrace: 1 }],
    [
      "IDLE_IGNORE='10.1.2.3 192.168.0.0/17,192.168.128.0/17'",
      { idleIgnore: ["10.1.2.3/32", "192.168.0.0/16"] },
    ],
    ["METRICS_LISTEN=127.0.0.1:9553", { metricsListen: { address: "127.0.0.1", port: 9553 } }],
    [
      "METRICS_LISTEN=192.168.122.5:9553\nMETRICS_ALLOW='192.168.122.9, 10.0.0.0/8'",
      {
        metricsListen: { address: "192.168.122.5", port: 9553 },
        metricsAllow: ["10.0.0.0/8", "192.168.122.9/32"],
      },
    ],
    ["METRICS_LISTEN=\nMETRICS_ALLOW=10.0.0.0/8", { metricsListen: null, metricsAllow: ["10.0.0.0/8"] }],
    ["SERVICES=compose", { services: "compose" }],
    ["IMAGE=registry.example.com:5000/ocdd:2.0.0", { image: "registry.example.com:5000/ocdd:2.0.0" }],
  ];
  for (const [text, want] of table) t.match(read(text), want, text);
});

t.test("invalid values of each key: reported with file, line and key", async (t) => {
  const table: [string, RegExp][] = [
    ["DEBUG=2", /DEBUG: is "2", must be 0 or 1/],
    ["DEBUG=yes", /must be 0 or 1/],
    ["DOCKER_SOCKET=docker.sock", /must be an absolute path/],
    ["DOCKER_SOCKET=", /DOCKER_SOCKET: is empty/],
    ["STORAGE_DIR=//", /STORAGE_DIR: is "\/", must be a directory of its own/],
    ["DOCKER_API_URL=https://localhost/containers/json", /must be like http/],
    ["DOCKER_API_URL=http://localhost/images/json", /must be like http/],
    ["DOCKER_API_URL=nonsense", /must be like http/],
    ["DOCKER_API_URL='http://localhost/containers/json?filters={'", /no JSON/],
    ["NETWORK_DEVICE=", /NETWORK_DEVICE: is empty/],
    ["NETWORK_DEVICE=a/b", /name of a network device/],
    ["NETWORK_DEVICE=abcdefghijklmnop", /1 to 15 characters/],
    ["NETWORK_DEVICE=..", /name of a network device/],
    ["IMAGE=", /IMAGE: is "", must be the name of an image/],
    ["IMAGE=--privileged", /must be the name of an image/],
    ["IMAGE='ocdd x'", /must be the name of an image/],
    ["IP_SUBNET=192.168", /first three octets/],
    ["IP_SUBNET=192.168.256", /first three octets/],
    ["IP_SUBNET=192.168.122.1", /first three octets/],
    ["IP_SUBNET=192.168.0.0/16", /for another network than a \/24 set IP_RANGE/],
    ["IP_SUBNET=", /IP_SUBNET: is not set \(nor is IP_RANGE\)/],
    ["IP_RANGE_START=256", /IP_RANGE_START: is "256", must be a whole number from 0 to 255/],
    ["IP_RANGE_START=-1", /whole number/],
    ["IP_RANGE_START=1x", /whole number/],
    ["IP_RANGE_END=10", /IP_RANGE_END: is 10, must not be below IP_RANGE_START \(11\)/],
    ["IP_RANGE=10.0.0.9-10.0.0.1", /last address is below its first/],
    ["IP_RANGE=10.0.0.1-", /neither FIRST-LAST nor a CIDR/],
    ["IP_RANGE=10.0.0.1-10.0.0.2-10.0.0.3", /neither FIRST-LAST nor a CIDR/],
    ["IP_RANGE=x", /holds "x", which is neither FIRST-LAST nor a CIDR/],
    ["IP_RANGE=10.0.0.0/33", /holds "10\.0\.0\.0\/33", where \/33 is no prefix length \(0 to 32\)/],
    ["IP_RANGE=10.0.0.0/8/8", /neither FIRST-LAST nor a CIDR/],
    ["IP_RANGE=10.0.0.11-10.0.0.300", /holds "10\.0\.0\.11-10\.0\.0\.300", where "300" is no octet/],
    ["IP_RANGE=10.0.0.011", /"011" is no octet of an address \(0 to 255, no zero before it\)/],
    ["IP_RANGE=10.0.0.11-30", /where "30" is no IPv4 address/],
    ["IP_RANGE=10.0.0/24", /where "10\.0\.0" is no IPv4 address/],
    ["IP_RANGE=,", /IP_RANGE: holds no address/],
    ["IP_RANGE=10.0.0.0/8", /IP_RANGE: holds 16777216 addresses, must hold 65536 at most/],
    ["IP_RANGE=0.0.0.0/0", /IP_RANGE: /],
    ["IP_RANGE=127.0.0.0/24", /IP_RANGE: holds 127\.0\.0\.0, which is no address that a host can have/],
    ["IP_RANGE=224.0.0.1", /no address that a host can have/],
    ["IP_SUBNET=0.1.2", /no address that a host can have/],
    ["HOST_IP=dockerhost", /HOST_IP: is "dockerhost", must be an IPv4 address/],
    ["HOST_IP=010.0.0.1", /must be an IPv4 address/],
    ["HOST_NAME=a.b", /must be one label/],
    ["HOST_NAME=", /must be one label/],
    ["HOST_NAME=-a", /must be one label/],
    ["TOOLBOX_SUBDOMAIN_NAME=", /is empty/],
    ["TOOLBOX_SUBDOMAIN_NAME=a..b", /must be a domain name/],
    ["TOOLBOX_SUBDOMAIN_NAME=a_b.example", /must be a domain name/],
    [`TOOLBOX_SUBDOMAIN_NAME=${"a.".repeat(95)}b`, /at most 189 octets/],
    ["STORAGE_DIR=ocdd", /absolute path/],
    ...[
      "DOCKER_SOCKET",
      "STORAGE_DIR",
      "DNS_ZONE_FILE",
      "WEB_INDEX_FILE",
      "DNS_TSIG_KEY_FILE",
      "WEB_TEMPLATE_DIR",
    ].map((key): [string, RegExp] => [
      `${key}=${Buffer.from("/srv/\xfcber", "latin1").toString("utf8")}`,
      new RegExp(`${key}: is "/srv/.ber", and holds octets that are not UTF-8`),
    ]),
    ["STORAGE_DIR=", /STORAGE_DIR: is empty/],
    ["DNS_ZONE_FILE=x", /absolute path/],
    ["SOA_EMAIL=hostmaster", /must be a mailbox/],
    ["SOA_EMAIL=a@b..c", /must be a mailbox/],
    ["SOA_EMAIL=a@.", /must be a mailbox/],
    ["SOA_EMAIL='a b@c'", /must be a mailbox/],
    ["DNS_TTL=0", /whole number from 1 to 86400/],
    ["DNS_TTL=1h", /whole number/],
    ["DNS_LISTEN=0.0.0.0", /would answer from a wrong address/],
    ["DNS_LISTEN=localhost", /must be an IPv4 address/],
    ["DNS_PORT=0", /1 to 65535/],
    ["DNS_PORT=65536", /1 to 65535/],
    ["DNS_FORWARDERS=dns.example.com", /which is not ADDRESS\[@PORT\]/],
    ["DNS_FORWARDERS=192.0.2.1@0", /which is not ADDRESS\[@PORT\]/],
    ["DNS_FORWARDERS=192.0.2.1,192.0.2.2,192.0.2.3,192.0.2.4", /must be at most 3/],
    ["DNS_ALLOW_TRANSFER=everyone", /neither an address, a network/],
    ["FALLBACK_URL=it.example.com", /FALLBACK_URL: is "it.example.com", must be an http or https URL/],
    ["FALLBACK_URL=/home", /must be an http or https URL/],
    ["FALLBACK_URL='javascript:alert(1)'", /must be an http or https URL/],
    ["FALLBACK_URL=https://it.example.com@evil.example/", /without a user name/],
    ["WEB_ENABLED=true", /0 or 1/],
    ["DNS_NSID=zürich", /at most 64 printable ASCII/],
    [`DNS_VERSION=${"x".repeat(65)}`, /at most 64 printable ASCII/],
    ["WEB_PORT=x", /1 to 65535/],
    ["WEB_TITLE='a\u0007b'", /control character/],
    ["ADDRESS_HOLD=179", /ADDRESS_HOLD: is 179, must be at least 180 \(2 x DNS_TTL \+ 60\)/],
    ["EXPOSE=none", /must be one of all, labelled/],
    ["FIREWALL=ufw", /must be one of auto, iptables, nft/],
    ["SYNC_INTERVAL=0", /1 to 86400/],
    ["METRICS_LISTEN=9553", /METRICS_LISTEN: is "9553", must be an IPv4 address and a port/],
    ["METRICS_LISTEN=localhost:9553", /must be an IPv4 address and a port/],
    ["METRICS_LISTEN=127.0.0.1:65535", /must be an IPv4 address and a port/],
    ["METRICS_LISTEN=127.0.0.1:9553:1", /must be an IPv4 address and a port/],
    [
      "METRICS_LISTEN=192.168.122.5:9553",
      /:\d+: METRICS_LISTEN: is 192\.168\.122\.5:9553, which is no loopback address: set METRICS_ALLOW/,
    ],
    ["METRICS_LISTEN=0.0.0.0:9553\nMETRICS_ALLOW=", /which is no loopback address/],
    ["METRICS_ALLOW=everyone", /METRICS_ALLOW: holds "everyone", which is neither an address nor a network/],
    ["WAKE=yes", /must be one of labelled, all, off/],
    ["WAKE_TIMEOUT=0", /WAKE_TIMEOUT: is "0", must be a duration from 1s to 365d/],
    ["WAKE_TIMEOUT=366d", /must be a duration/],
    ["WAKE_TIMEOUT=off", /must be a duration/],
    ["WAKE_GRACE=1.5s", /must be a duration/],
    ["WAKE_GRACE=", /must be a duration/],
    ["WAKE_CONCURRENCY=0", /whole number from 1 to 100/],
    ["IDLE_IGNORE=monitor", /IDLE_IGNORE: holds "monitor", which is neither an address nor a network/],
    ["IDLE_IGNORE=10.0.0.0/33", /neither an address nor a network/],
    ["SERVICES=docker", /must be one of auto, systemd, compose, none/],
    [
      "DNS_ZONE_FILE=/opt/ocdd/leases.json",
      /DNS_ZONE_FILE: is \/opt\/ocdd\/leases\.json, which OCDD keeps for itself/,
    ],
    ["DNS_ZONE_FILE=/opt/ocdd/.leases.json.ocdd-new", /DNS_ZONE_FILE: is .*, which OCDD keeps for itself/],
    ["DNS_ZONE_FILE=/opt/ocdd/www/.index.html.ocdd-new", /DNS_ZONE_FILE: is .*, which OCDD keeps for itself/],
    ["DNS_ZONE_FILE=/opt/ocdd/www/services.json", /DNS_ZONE_FILE: is .*, which OCDD keeps for itself/],
    ["WEB_INDEX_FILE=/srv/services.json", /WEB_INDEX_FILE: is .*, which OCDD keeps for itself/],
    ["WEB_INDEX_FILE=/srv/last-run", /WEB_INDEX_FILE: is .*, which OCDD keeps for itself/],
    ["WEB_INDEX_FILE=/opt/ocdd//ocdd.lock", /WEB_INDEX_FILE: is .*, which OCDD keeps for itself/],
    ["WEB_INDEX_FILE=${DNS_ZONE_FILE}", /WEB_INDEX_FILE: is .*, as DNS_ZONE_FILE is/],
    [
      "WEB_INDEX_FILE=${STORAGE_DIR}/x/../dns/./toolbox.example.com.zone",
      /WEB_INDEX_FILE: is .*, as DNS_ZONE_FILE is/,
    ],
    ["WEB_INDEX_FILE=${DNS_ZONE_FILE}/x", /WEB_INDEX_FILE: is .*, and DNS_ZONE_FILE is .*; they must be two/],
    [
      "WEB_INDEX_FILE=${STORAGE_DIR}/dns/.toolbox.example.com.zone.ocdd-new",
      /WEB_INDEX_FILE: is .*, which OCDD keeps for itself/,
    ],
    ["STORAGE_DIR=/s/..", /STORAGE_DIR: is "\/", must be a directory of its own/],
    ["DNS_TLL=60", /DNS_TLL: unknown key; the nearest known one is DNS_TTL/],
    ["dns_ttl=60", /dns_ttl: unknown key; the nearest known one is DNS_TTL/],
    ["FOO=60", /FOO: unknown key; ocdd\.conf\(5\) lists/],
    ["STORAGE_DIR=$(pwd)", /STORAGE_DIR: a command in/],
  ];
  for (const [text, want] of table) {
    const got = problems(() => read(text));
    t.match(got[0], want, text);
    t.match(got[0], /^ocdd\.conf:12: /, `${text}: says where`);
    t.equal(got.length, 1, `${text}: and nothing else`);
  }
});

t.test("several mistakes: all reported at once, in the order of the lines", async (t) => {
  const text =
    "DEBUG=3\nNETWORK_DEVICE=\nIP_SUBNET=1.2\nIP_RANGE_START=9\nIP_RANGE_END=300\nDNS_TTL=x\nnonsense\nDNS_PORTS=1\nSTORAGE_DIR=`x`\n";
  const flags = ["WEB_PORT=0", "nothing"];
  const got = problems(() =>
    readConfig(sources(text, { flags, environment: new Map([["OCDD_EXPOSE", "x"]]) })),
  );
  t.strictSame(
    got.map((line) =>
      line.replace(/^((?:\S+:\d+|--set|environment:\w+|ocdd\.conf)(?:: [A-Z_]+)?): .*/, "$1"),
    ),
    [
      "ocdd.conf:1: DEBUG",
      "ocdd.conf:2: NETWORK_DEVICE",
      "ocdd.conf:3: IP_SUBNET",
      "ocdd.conf:5: IP_RANGE_END",
      "ocdd.conf:6: DNS_TTL",
      "ocdd.conf:7",
      "ocdd.conf:8: DNS_PORTS",
      "ocdd.conf:9: STORAGE_DIR",
      "--set",
      "ocdd.conf: TOOLBOX_SUBDOMAIN_NAME",
      "--set: WEB_PORT",
      "environment:OCDD_EXPOSE: EXPOSE",
    ].sort((a, b) => {
      const line = (s: string) => Number(/:(\d+)/.exec(s)?.[1] ?? 99);
      return (
        line(a) - line(b) || got.findIndex((g) => g.startsWith(a)) - got.findIndex((g) => g.startsWith(b))
      );
    }),
  );
});

t.test("a line of the range that cannot be read: reported once, not as a key that is not set", async (t) => {
  for (const [key, line] of [
    ["IP_SUBNET", "IP_SUBNET=$(x)"],
    ["IP_RANGE_START", "IP_RANGE_START=`x`"],
  ] as const) {
    const text = EXAMPLE.replace(new RegExp(`^${key}=.*$`, "m"), line);
    const got = problems(() => readConfig(sources(text)));
    t.equal(got.length, 1, got.join("\n"));
    t.match(got[0], new RegExp(`${key}: a command in`));
  }
});

t.test("keys that nothing sets, by the host's environment and default route, have values", async (t) => {
  const bare = EXAMPLE.replace(/^(DOCKER_SOCKET|NETWORK_DEVICE)=.*$/gm, "");
  const read = (text: string, docker: string, more: Partial<ConfigSources> = {}) =>
    readConfig(
      sources(text, { environment: new Map([["DOCKER_HOST", docker]]), defaultDevice: "eth0", ...more }),
    );
  t.match(read(bare, "unix:///run/user/1000/docker.sock"), {
    dockerSocket: "/run/user/1000/docker.sock",
    device: "eth0",
  });
  t.match(read(bare, ""), { dockerSocket: "/var/run/docker.sock" });
  t.match(read(EXAMPLE, "unix:///other.sock"), { dockerSocket: "/var/run/docker.sock", device: "ens3" });
  t.strictSame(
    problems(() => read(bare, "tcp://10.0.0.1:2375", { defaultDevice: undefined })),
    [
      "ocdd.conf: NETWORK_DEVICE: is not set",
      'environment:DOCKER_HOST: DOCKER_SOCKET: is "tcp://10.0.0.1:2375", must be an absolute path',
    ].sort((a) => (a.startsWith("environment") ? -1 : 1)),
  );
});

t.test("a name that no later line uses: an unknown key, on any line", async (t) => {
  t.match(
    problems(() => read("STORAGE_DIR=$BASE/ocdd\nBASE=/srv")),
    [/STORAGE_DIR|BASE: unknown key/],
  );
  t.match(
    problems(() => read("BASE=/srv")),
    [/BASE: unknown key/],
  );
});

t.test("a wrong IP_RANGE: reported once, and not that the keys it replaces are missing", async (t) => {
  const text = `IP_RANGE=10.0.0.9-10.0.0.1\nNETWORK_DEVICE=ens3\nSTORAGE_DIR=/x\nTOOLBOX_SUBDOMAIN_NAME=a.example.com\n`;
  t.match(
    problems(() => readConfig(sources(text))),
    [/IP_RANGE: .*last address is below its first/],
  );
  t.equal(problems(() => readConfig(sources(text))).length, 1);
});

t.test("neither range nor zone: one remedy for all; else each mistake says what helps", async (t) => {
  const remedy = (text: string) => {
    try {
      readConfig(sources(text));
      return null;
    } catch (error) {
      return (error as ConfigError).remedy;
    }
  };
  t.match(remedy("STORAGE_DIR=/x\nDEBUG=2"), /`ocdd initialize`/);
  for (const text of ["IP_SUBNET=1.2", "TOOLBOX_SUBDOMAIN_NAME=$(x)", "IP_RANGEE=10.0.0.0/24"])
    t.equal(remedy(text), undefined, text);
});

t.test("an empty file: the required keys are reported", async (t) => {
  const got = problems(() => readConfig(sources("")));
  t.match(got.sort(), [
    /IP_RANGE: is not set/,
    /NETWORK_DEVICE: is not set/,
    /STORAGE_DIR: is not set/,
    /TOOLBOX_SUBDOMAIN_NAME: is not set/,
  ]);
});

t.test("any file: a valid configuration or ConfigError, nothing else", async () => {
  const keyName = fc.oneof(fc.constantFrom(...Object.keys(KEYS)), fc.string({ maxLength: 12 }));
  const value = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.constantFrom(
      "1",
      "0",
      "/",
      "10.0.0.0/8",
      "a.b",
      "HOST_IP",
      "key:x",
      "1-2",
      "{}",
      "http://localhost/containers/json?filters=[",
      "255",
    ),
  );
  const text = fc
    .array(fc.tuple(keyName, value), { maxLength: 8 })
    .map((lines) => lines.map(([k, v]) => `${k}=${v}`).join("\n"));
  fc.assert(
    fc.property(
      text,
      fc.boolean(),
      fc.array(fc.string({ maxLength: 20 }), { maxLength: 3 }),
      (more, whole, flags) => {
        try {
          const config = readConfig(sources(whole ? EXAMPLE + more : more, { flags }));
          return (
            config.pool.length > 0 &&
            config.addressHold >= 2 * config.ttl + 60 &&
            config.storageDir.startsWith("/")
          );
        } catch (error) {
          return error instanceof ConfigError && error.problems.length > 0;
        }
      },
    ),
    { numRuns: 2000 },
  );
});

t.test("every key has one sentence of documentation", async (t) => {
  for (const [key, row] of Object.entries(KEYS)) t.match(row.doc, /^\S.*[^.]$/, key);
});
