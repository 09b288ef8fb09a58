import t from "tap";
import { readConfig } from "../../../src/core/config/config.ts";
import { KEYS } from "../../../src/core/config/keys.ts";
import { settingsDocument, settingsOf, settingsText } from "../../../src/core/report/settings.ts";
import { config, HOST } from "../make.ts";

const CONFIG = readConfig({
  file: "/etc/ocdd/ocdd.conf",
  text: `IP_SUBNET='192.168.122'
IP_RANGE_START=11
IP_RANGE_END=30
TOOLBOX_SUBDOMAIN_NAME=old.example.com
TOOLBOX_SUBDOMAIN_NAME=toolbox.example.com
STORAGE_DIR=/opt/ocdd
WEB_TITLE="a b"
SOA_EMAIL=
DNS_TSIG_KEY_FILE=/etc/ocdd/keys
`,
  environment: new Map([
    ["OCDD_DNS_TTL", "30"],
    ["DOCKER_HOST", "unix:///run/other.sock"],
  ]),
  flags: ["WEB_PORT=8080"],
  defaultDevice: "ens3",
});
const BY_KEY = new Map(settingsOf(CONFIG).map(({ key, from, value }) => [key, [from, value]]));

t.test("every key, once, in the order of the manual page", async (t) => {
  t.same(
    settingsOf(CONFIG).map(({ key }) => key),
    Object.keys(KEYS),
  );
});

t.test("where a value comes from", async (t) => {
  t.same(BY_KEY.get("WEB_PORT"), ["--set", "8080"]);
  t.same(BY_KEY.get("DNS_TTL"), ["OCDD_DNS_TTL", "30"]);
  t.same(BY_KEY.get("DOCKER_SOCKET"), ["DOCKER_HOST", "/run/other.sock"]);
  t.same(BY_KEY.get("TOOLBOX_SUBDOMAIN_NAME"), ["/etc/ocdd/ocdd.conf:5", "toolbox.example.com"]);
  t.same(BY_KEY.get("NETWORK_DEVICE"), ["default", "ens3"], "the default route's");
  t.same(BY_KEY.get("DNS_PORT"), ["default", "53"]);
  t.same(BY_KEY.get("HOST_IP"), ["default", null]);
});

t.test("values that follow from other keys", async (t) => {
  t.same(BY_KEY.get("IP_RANGE"), [
    "IP_SUBNET, IP_RANGE_START, IP_RANGE_END",
    "192.168.122.11-192.168.122.30",
  ]);
  t.same(BY_KEY.get("ADDRESS_HOLD"), ["DNS_TTL", "120"]);
  t.same(
    BY_KEY.get("SOA_EMAIL"),
    ["TOOLBOX_SUBDOMAIN_NAME", "hostmaster@toolbox.example.com"],
    "set to nothing",
  );
  t.same(BY_KEY.get("WEB_LISTEN"), ["DNS_LISTEN", "HOST_IP, 127.0.0.1"]);
  t.match(BY_KEY.get("DNS_ZONE_FILE"), [/^STORAGE_DIR/, "/opt/ocdd/dns/toolbox.example.com.zone"]);
});

t.test("HOST_IP that is not set: the address of the device, where it is known", async (t) => {
  t.match(settingsText(CONFIG, HOST), /^HOST_IP +NETWORK_DEVICE +192\.168\.122\.200$/m);
  t.match(settingsText(CONFIG), /^HOST_IP +default +-$/m);
  const own = config({ HOST_IP: "192.168.122.5" });
  t.match(settingsText(own, HOST), /^HOST_IP +\S+ +192\.168\.122\.5$/m, "one that is set");
});

t.test("IP_RANGE in place of the three keys: those are left out, or said to be replaced", async (t) => {
  const own = { IP_RANGE: "192.168.122.11-192.168.122.30", IP_RANGE_START: null, IP_RANGE_END: null };
  const replaced = settingsText(config({ ...own, IP_SUBNET: null }));
  t.match(replaced, /^IP_RANGE +\S+ +192/m);
  t.notMatch(replaced, /^IP_(SUBNET|RANGE_START|RANGE_END)/m);
  t.match(settingsText(config(own)), /^IP_SUBNET +\S+ +192\.168\.122 \(replaced by IP_RANGE\)$/m);
  t.match(
    JSON.stringify(settingsDocument(config({ ...own, IP_SUBNET: null }))),
    /"IP_SUBNET".*"IP_RANGE_END"/,
  );
});

t.test("text: one key a line, made printable; document: values as they are", async (t) => {
  const lines = settingsText(CONFIG).split("\n");
  t.equal(lines[0], "The configuration file is /etc/ocdd/ocdd.conf");
  t.equal(lines.length, Object.keys(KEYS).length + 4);
  t.match(settingsText(CONFIG), /^WEB_TITLE +\/etc\/ocdd\/ocdd\.conf:7 +a b$/m);
  t.match(settingsText({ ...CONFIG, file: "/x\u001b[31m" }), /^The configuration file is \/x\ufffd\[31m$/m);
  t.match(
    settingsText(CONFIG),
    /^DNS_TSIG_KEY_FILE +\/etc\/ocdd\/ocdd\.conf:9 +\/etc\/ocdd\/keys$/m,
    "not its content",
  );
  t.match(settingsDocument(CONFIG), { schemaVersion: 1, file: "/etc/ocdd/ocdd.conf" });
});
