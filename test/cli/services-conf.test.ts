/** `ocdd initialize`: the services that it starts run with the configuration that it has been given, or it says what they lack. */
import t from "tap";
import { servicesLack } from "../../src/cli/services-conf.ts";
import type { Outside } from "../../src/core/config/assigned.ts";
import { readConfig } from "../../src/core/config/config.ts";
import { KEY_NAMES, KEYS, type KeyName } from "../../src/core/config/keys.ts";
import { ConfigError } from "../../src/core/errors.ts";
import type { Manager } from "../../src/host/install/manager.ts";

const FILE = "/opt/site/ocdd.conf";
const TEXT =
  "NETWORK_DEVICE=ens3\nIP_RANGE=192.0.2.8/29\nTOOLBOX_SUBDOMAIN_NAME=t.example\nSTORAGE_DIR=/opt/ocdd\n";

/** What is said where the file has `text`, and the rest is set beside it. */
function lack(
  {
    text = TEXT,
    env = {},
    set = [],
  }: { text?: string; env?: Readonly<Record<string, string>>; set?: readonly string[] },
  manager: Manager = "systemd",
): string[] {
  const read = (beside: Outside) => readConfig({ file: FILE, text, defaultDevice: "ens3", ...beside });
  return servicesLack(read({ environment: new Map(Object.entries(env)), flags: set }), read, manager);
}

/** Another value than the default, and than that of the file. */
const OTHER: Partial<Record<KeyName, string>> = {
  DEBUG: "1",
  DOCKER_API_URL: "http://localhost/v1.41/containers/json",
  NETWORK_DEVICE: "eth1",
  IP_RANGE: "192.0.2.16/29",
  IP_SUBNET: "192.0.2",
  IP_RANGE_START: "9",
  IP_RANGE_END: "9",
  HOST_IP: "192.0.2.1",
  DNS_LISTEN: "127.0.0.1",
  WEB_LISTEN: "127.0.0.1",
  DNS_ALLOW_TRANSFER: "10.0.0.0/8",
  DNS_NOTIFY: "192.0.2.2",
  DNS_FORWARDERS: "192.0.2.2",
  METRICS_LISTEN: "127.0.0.1:9100",
  METRICS_ALLOW: "10.0.0.0/8",
  IDLE_IGNORE: "10.0.0.0/8",
  EXPOSE: "labelled",
  FIREWALL: "nft",
  WAKE: "all",
  WAKE_PAGE: "0",
  WEB_ENABLED: "0",
  DNS_REVERSE: "1",
  SERVICES: "systemd",
  FALLBACK_URL: "http://t.example/",
  SOA_EMAIL: "a@t.example",
  ADDRESS_HOLD: "900",
  WAKE_TIMEOUT: "9s",
  WAKE_GRACE: "9s",
};
const PATHS = /_DIR$|_FILE$|_SOCKET$/;
const other = (key: KeyName): string =>
  OTHER[key] ?? (PATHS.test(key) ? `/srv/${key}` : /^\d+$/.test(KEYS[key].fallback) ? "99" : "other");

t.test(
  "each key that is set beside the file only: said with where it was set, and where to write it",
  (t) => {
    for (const key of KEY_NAMES) {
      const passed = ["SERVICES", "IMAGE", "DEBUG"].includes(key);
      const env: Readonly<Record<string, string>> = { [`OCDD_${key}`]: other(key) };
      for (const [how, where] of [
        [{ env }, `environment:OCDD_${key}`],
        [{ set: [`${key}=${other(key)}`] }, "--set"],
      ] as const) {
        const lines = lack(how);
        t.equal(lines.length, passed ? 0 : 1, `${key}: ${lines.join("\n")}`);
        const [line = ""] = lines;
        if (!passed) t.ok(line.startsWith(`${where}: ${key}: `) && line.includes(FILE), line);
        t.same(lack(how, "none"), [], "nothing is started");
      }
    }
    t.end();
  },
);

t.test("what the file has as well, or where both have the default: nothing", (t) => {
  t.same(lack({ env: { OCDD_STORAGE_DIR: "/opt/ocdd", OCDD_EXPOSE: "all" } }), []);
  t.same(lack({}), []);
  t.same(lack({ env: { DOCKER_HOST: "unix:///var/run/docker.sock" } }), []);
  t.end();
});

t.test("what the file takes from the environment: said with its line", (t) => {
  const text = `${TEXT}WEB_TITLE="Tools of $SITE"\nHOST_NAME=\${BOX:-box}\n`;
  t.match(lack({ text, env: { SITE: "north" } }), [/^\/opt\/site\/ocdd\.conf:5: WEB_TITLE: /]);
  t.end();
});

t.test("Docker's socket by DOCKER_HOST: said for systemd; compose is told", (t) => {
  const env = { DOCKER_HOST: "unix:///run/other.sock" };
  t.match(lack({ env }), [/^environment:DOCKER_HOST: DOCKER_SOCKET: /]);
  t.same(lack({ env }, "compose"), []);
  t.end();
});

t.test("a file that alone is no configuration: an error before anything is changed", (t) => {
  const text = TEXT.replace(/^STORAGE_DIR.*\n/m, "");
  const start = () => lack({ text, env: { OCDD_STORAGE_DIR: "/srv" } });
  t.throws(start, ConfigError);
  t.throws(start, { message: /ocdd\.conf: STORAGE_DIR: is not set/, remedy: /write it to \/opt\/site/ });
  t.same(lack({ text, env: { OCDD_STORAGE_DIR: "/srv" } }, "none"), []);
  t.end();
});

t.test("a path below the working directory: the services have another", (t) => {
  const env = { PWD: process.cwd() };
  t.match(lack({ text: `${TEXT}WEB_TEMPLATE_DIR=$PWD/templates\n`, env }), [/WEB_TEMPLATE_DIR/]);
  t.end();
});
