/** `ocdd config`: what it reads of the host. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { onThisHost, runConfiguration } from "../../src/cli/configuration.ts";
import { keyProblems } from "../../src/cli/key-problems.ts";
import { checkAgainstHost } from "../../src/core/config/host-check.ts";
import { ConfigError, HostError } from "../../src/core/errors.ts";
import type { State } from "../../src/core/model.ts";
import { readTemplate } from "../../src/host/disk/page.ts";
import { BARE, config, HOST, observation } from "../core/make.ts";

const host = { observe: async () => observation() };

t.test("onThisHost: the device's own address; none on a host that cannot be read", async (t) => {
  t.same(await onThisHost(config(), host), { hostIp: HOST, refused: [], warnings: [] });
  const failing = (error: Error) => onThisHost(config(), { observe: () => Promise.reject(error) });
  const unread = { hostIp: undefined, refused: [], warnings: [] };
  t.same(await failing(new HostError("missing", "ip is not installed")), unread);
  await t.rejects(failing(new ConfigError([])), ConfigError);
});

t.test(
  "config: what a run refuses on this host is said, with status 78; the settings are printed",
  async (t) => {
    const answer = async (keys: Record<string, string>, actual: Partial<State> = {}) => {
      const seen = observation({ actual: { ...BARE, ...actual } });
      const given = config(keys);
      const { status, notes, out, warnings } = await runConfiguration(given, false, {
        observe: async () => seen,
      });
      t.match(out, /STORAGE_DIR/);
      let refused: string[] = [];
      try {
        checkAgainstHost(given, seen);
      } catch (error) {
        refused = (error as Error).message.split("\n");
      }
      t.same([status, notes], [refused.length > 0 ? 78 : 0, refused], "as a run would");
      return { refused, warnings };
    };
    t.match(await answer({}), { refused: [], warnings: [] });
    t.match(await answer({ NETWORK_DEVICE: "eth9", IP_RANGE: "10.0.0.0/24" }), {
      refused: [
        /^ocdd\.conf:1: NETWORK_DEVICE: "eth9" is no network device of this host; there are ens3: set/,
      ],
      warnings: [],
    });
    const foreign = {
      zone: { ...BARE.zone, text: "127.0.0.1 localhost\n" },
      page: { ...BARE.page, html: "<h1>mine</h1>" },
    };
    t.match(await answer({ DNS_ZONE_FILE: "/etc/hosts" }, foreign), {
      refused: [/DNS_ZONE_FILE: \/etc\/hosts holds something/, /WEB_INDEX_FILE: /],
    });
  },
);

t.test("onThisHost: a range outside of the device's networks is a warning", async (t) => {
  const keys = { IP_RANGE: "192.168.122.30-192.168.123.4" };
  t.same((await onThisHost(config(keys), host)).warnings, [
    "192.168.123.0-192.168.123.4 is in no network of ens3: clients need a route to it",
  ]);
});

t.test("onThisHost: template and keys that are not used are warnings", async (t) => {
  const template = await readTemplate("/nowhere");
  const seen = { observe: async () => observation({ template }) };
  t.match(await onThisHost(config({ DNS_NOTIFY: "192.0.2.1 key:zz" }), seen), {
    refused: [],
    warnings: [
      /^WEB_TEMPLATE_DIR \/nowhere is no directory/,
      "192.0.2.1 key:zz in DNS_NOTIFY: no such key in DNS_TSIG_KEY_FILE; left out",
    ],
  });
});

t.test("TSIG keys: what the server would log of them", (t) => {
  const secret = 'key "k.example" { algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"; };\n';
  const place = t.testdir({ good: secret, open: secret, wrong: "key {" });
  for (const name of ["good", "wrong"]) chmodSync(join(place, name), 0o600);
  chmodSync(join(place, "open"), 0o644);
  const said = (file: string, keys: Record<string, string> = {}) =>
    keyProblems(config({ DNS_TSIG_KEY_FILE: file === "" ? "" : join(place, file), ...keys }));
  t.same(said(""), []);
  const named = { DNS_ALLOW_TRANSFER: "10.0.0.0/8, key:K.example.", DNS_NOTIFY: "192.0.2.1 key:k.example" };
  t.same(said("good", named), []);
  t.match(said("", named), [
    /^key:K\.example\. in DNS_ALLOW_TRANSFER: no such key/,
    /in DNS_NOTIFY: no such key/,
  ]);
  t.match(said("good", { DNS_ALLOW_TRANSFER: "key:zz" }), [/^key:zz in DNS_ALLOW_TRANSFER: no such key/]);
  t.match(said("none", named), [/^DNS_TSIG_KEY_FILE: .*none: ENOENT/]);
  t.match(said("open"), [/^DNS_TSIG_KEY_FILE: .*open: mode 0644 lets others read the keys, chmod 600 it$/]);
  t.same(said("open", { SERVICES: "systemd" }), [], "the server reads systemd's copy");
  t.match(said("wrong"), [/^DNS_TSIG_KEY_FILE: .*wrong:1: /]);
  t.end();
});

t.test("onThisHost: paths that the containers of SERVICES=compose do not have are refused", async (t) => {
  const seen = { observe: async () => observation() };
  const keys = { STORAGE_DIR: "/srv/ocdd", WEB_INDEX_FILE: "/srv/www/index.html" };
  t.match((await onThisHost(config({ ...keys, SERVICES: "compose" }), seen)).refused, [/WEB_INDEX_FILE/]);
  t.same((await onThisHost(config({ ...keys, SERVICES: "systemd" }), seen)).refused, []);
});
