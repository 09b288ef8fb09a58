/** The systemd units, checked by systemd: valid, and with no more privileges than needed. confined.test.ts runs them so. */

import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import t from "tap";
import { packagedUnits } from "../../packaging/files.ts";
import { ROOT, textOf } from "../../packaging/surface.ts";
import { parseIpv4 } from "../../src/core/addresses/ipv4.ts";
import { readConfig } from "../../src/core/config/config.ts";
import { closedToOthers } from "../../src/host/disk/path-permissions.ts";
import { fillTemplate, type Unit, unitsOf } from "../../src/host/install/units.ts";
import { run } from "../lab/process.ts";

/** Exposure in tenths, as --threshold has it; 0 is a service that can do nothing, 100 one that may do everything. */
const MOST_EXPOSED = 25;
/** `watch` ends commands in containers whose time is over: it must see processes of other users and may end them. */
const WATCH_EXPOSED = 28;

const directory = mkdtempSync(join(tmpdir(), "ocdd-units-"));
t.teardown(() => rmSync(directory, { recursive: true }));

/** The units for the example's configuration and further keys. */
async function unitsFor(keys: Readonly<Record<string, string>> = {}, file = "ocdd.conf"): Promise<Unit[]> {
  const flags = Object.entries(keys).map(([key, value]) => `${key}=${value}`);
  const text = textOf("ocdd.conf.example");
  const config = readConfig({ file, text, environment: new Map(), flags });
  const hostIp = parseIpv4("192.168.122.200");
  if (hostIp === undefined) throw new Error("no address");
  return unitsOf(config, hostIp);
}
const units = await unitsFor();
const names = units.map(({ name }) => name);
for (const { name, text } of units) writeFileSync(join(directory, name), text);
const services = names.filter((name) => name.endsWith(".service"));
const textIn = (all: readonly Unit[], name: string): string =>
  all.find((unit) => unit.name === name)?.text ?? "";

t.test("every template: becomes a unit without placeholders", (t) => {
  const templates = readdirSync(`${ROOT}templates`).filter((name) => /\.(service|timer)$/.test(name));
  t.same(names.filter((name) => !name.endsWith(".socket")).sort(), templates.sort());
  for (const { name, text } of units) t.notMatch(text, /@[A-Z_]+@/, name);
  t.throws(() => fillTemplate("@HOME@", new Map([["HOME", "/a b"]])), /blank/);
  t.throws(() => fillTemplate("@SOCKETS@", new Map([["SOCKETS", ["a", "b\nc"]]])), /blank/);
  t.end();
});

t.test("the server's endpoints: one socket unit each", async (t) => {
  const sockets = names.filter((name) => name.endsWith(".socket"));
  t.same(sockets, [
    "ocdd-serve-dns-192.168.122.200.socket",
    "ocdd-serve-dns-127.0.0.1.socket",
    "ocdd-serve-web-192.168.122.200.socket",
    "ocdd-serve-web-127.0.0.1.socket",
  ]);
  const dns = textIn(units, sockets[0] as string);
  t.match(dns, /^ListenDatagram=192\.168\.122\.200:53$/m);
  t.match(dns, /^ListenStream=192\.168\.122\.200:53$/m);
  const web = textIn(units, sockets[3] as string);
  t.match(web, /^ListenStream=127\.0\.0\.1:80$/m);
  t.notMatch(web, /^ListenDatagram/m);
  for (const name of sockets) {
    t.match(textIn(units, name), /^Service=ocdd-serve\.service$/m);
    t.match(textIn(units, name), /^TriggerLimitIntervalSec=0$/m, "open even when the server fails");
  }
  // a server that systemd no longer restarts would still be started by its sockets, at once and at each query
  t.notMatch(textIn(units, "ocdd-serve.service"), /^RestartPreventExitStatus=/m);
  t.match(textIn(units, "ocdd-serve.service"), /^RestartSec=[1-9]/m);
  t.match(textIn(units, "ocdd-serve.service"), new RegExp(`^Sockets=${sockets.join(" ")}$`, "m"));
  const other = await unitsFor({ WEB_ENABLED: "0", DNS_LISTEN: "127.0.0.1, 127.0.0.1", DNS_PORT: "5300" });
  const left = other.filter(({ name }) => name.endsWith(".socket"));
  t.same(
    left.map(({ name }) => name),
    ["ocdd-serve-dns-127.0.0.1.socket"],
  );
  t.match(left[0]?.text, /^ListenDatagram=127\.0\.0\.1:5300$/m);
});

t.test("keys and home directories: the server can read what it needs", async (t) => {
  const plain = textIn(units, "ocdd-serve.service");
  t.notMatch(plain, /LoadCredential/);
  t.match(plain, /^ProtectHome=yes$/m);
  const keyed = await unitsFor({ DNS_TSIG_KEY_FILE: "/etc/ocdd/tsig.key" });
  t.match(textIn(keyed, "ocdd-serve.service"), /^LoadCredential=tsig:\/etc\/ocdd\/tsig\.key$/m);
  const inHome = await unitsFor({}, "/root/ocdd.conf");
  for (const name of services) t.match(textIn(inHome, name), /^ProtectHome=read-only$/m, name);

  const way = join(directory, "way");
  mkdirSync(join(way, "in"), { recursive: true });
  chmodSync(directory, 0o755);
  writeFileSync(join(way, "in/file"), "");
  t.equal(await closedToOthers(join(way, "in/file")), undefined);
  chmodSync(join(way, "in/file"), 0o600);
  t.equal(await closedToOthers(join(way, "in/file")), join(way, "in/file"));
  chmodSync(join(way, "in/file"), 0o644);
  chmodSync(way, 0o700);
  t.equal(await closedToOthers(join(way, "in/file")), way);
  chmodSync(way, 0o711);
  t.equal(await closedToOthers(join(way, "in/file")), undefined, "entered, though not listed");
  t.equal(await closedToOthers(way), way);
});

t.test(
  "the services read the file that the configuration is of, also one of the working directory",
  async (t) => {
    for (const [file, path] of [
      ["./ocdd.conf", join(process.cwd(), "ocdd.conf")],
      ["/opt/ocdd/ocdd.conf", "/opt/ocdd/ocdd.conf"],
    ] as const)
      for (const name of ["ocdd.service", "ocdd-watch.service", "ocdd-serve.service"])
        t.match(textIn(await unitsFor({}, file), name), `bin/ocdd --config ${path}`, name);
  },
);

t.test(
  "what containers are told of themselves: mounted for the server, where no other user enters",
  async (t) => {
    const serve = textIn(await unitsFor({ STORAGE_DIR: "/srv/ocdd" }), "ocdd-serve.service");
    t.match(
      serve,
      /^TemporaryFileSystem=\/srv\/ocdd\/private:ro\nBindReadOnlyPaths=-\/srv\/ocdd\/private\/serve$/m,
    );
  },
);

/** The units for paths with `..`, which systemd would leave out. */
const dotted = join(directory, "dotted");
mkdirSync(join(dotted, "base"), { recursive: true });
for (const { name, text } of await unitsFor(
  {
    STORAGE_DIR: `${dotted}/base/../state`,
    WEB_INDEX_FILE: `${dotted}/base/../www/index.html`,
    DNS_TSIG_KEY_FILE: `${dotted}/base/../keys`,
  },
  `${dotted}/base/../ocdd.conf`,
))
  writeFileSync(join(dotted, name), text);

/** Those of the Debian package, with the paths of program and manual in this work tree. */
const packaged = join(directory, "packaged");
mkdirSync(packaged);
const ofPackage = await packagedUnits();
for (const [name, text] of ofPackage)
  writeFileSync(join(packaged, name), text.replaceAll("/usr/lib/ocdd/", ROOT));

const sets = [
  ["initialize", names.map((name) => join(directory, name))],
  ["paths with ..", names.map((name) => join(dotted, name))],
  ["the package", ofPackage.map(([name]) => join(packaged, name))],
] as const;

for (const [whose, files] of sets) {
  t.test(`the units of ${whose}: no message of systemd-analyze verify`, async (t) => {
    const argv = ["systemd-analyze", "verify", "--man=no", ...files];
    const { code, stdout, stderr } = await run(argv, { check: false });
    t.same([code, stdout, stderr], [0, "", ""]);
  });

  for (const file of files.filter((name) => name.endsWith(".service"))) {
    const most = basename(file) === "ocdd-watch.service" ? WATCH_EXPOSED : MOST_EXPOSED;
    t.test(`${basename(file)} of ${whose}: exposure at most ${most / 10}`, async (t) => {
      const options = ["--offline=yes", `--threshold=${most}`, "--no-pager"];
      const argv = ["systemd-analyze", "security", ...options, file];
      const { code, stdout } = await run(argv, { check: false });
      t.equal(code, 0, stdout);
      t.match(stdout, /Overall exposure level/);
    });
  }
}

t.test("the package's units: write to the package's state directory, without placeholders", (t) => {
  t.same(ofPackage.map(([name]) => name).sort(), names.filter((name) => !name.endsWith(".socket")).sort());
  for (const [name, text] of ofPackage) {
    t.notMatch(text, /@[A-Z_]+@/, name);
    if (/^(ocdd|ocdd-watch)\.service$/.test(name))
      t.match(text, /^ReadWritePaths=\/var\/lib\/ocdd -\/run\/xtables\.lock$/m, name);
  }
  t.end();
});

for (const unit of services) {
  t.test(`${unit}: a stop lets the current step end, a fault never ends the service`, (t) => {
    const text = readFileSync(join(directory, unit), "utf8");
    t.match(text, /^KillMode=mixed$/m);
    if (/^Restart=/m.test(text)) t.match(text, /^StartLimitIntervalSec=0$/m);
    t.notMatch(text, /^MemoryDenyWriteExecute=yes/m, "V8 compiles at run time");
    t.end();
  });
}

t.test("the server's memory: bounded, so that its clients cannot take the host's", (t) => {
  for (const text of [textIn(units, "ocdd-serve.service"), new Map(ofPackage).get("ocdd-serve.service")])
    t.match(text, /^MemoryMax=1G$/m);
  t.end();
});

t.test("network capabilities: those it needs for the director, none for the server", (t) => {
  const bounds = (unit: string): string | undefined =>
    /^CapabilityBoundingSet=(.*)$/m.exec(readFileSync(join(directory, unit), "utf8"))?.[1];
  t.equal(bounds("ocdd.service"), "CAP_NET_ADMIN CAP_NET_RAW");
  t.equal(
    bounds("ocdd-watch.service"),
    "CAP_NET_ADMIN CAP_NET_RAW CAP_KILL",
    "it ends commands in containers",
  );
  t.equal(bounds("ocdd-serve.service"), "");
  t.notMatch(textIn(units, "ocdd-serve.service"), /CAP_|^AmbientCapabilities/m);
  t.end();
});

t.test(
  "watch, which starts services: reaches containers and visitors, and reads the kernel's timeouts",
  (t) => {
    const watch = textIn(units, "ocdd-watch.service");
    t.notMatch(watch, /^IPAddress(Deny|Allow)=/m, "it connects to containers, and shows visitors a page");
    t.match(watch, /^RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET$/m);
    t.notMatch(watch, /^ProcSubset=/m, "/proc/sys/net/netfilter");
    t.notMatch(watch, /^ProtectProc=/m, "the processes of commands in containers");
    t.match(textIn(units, "ocdd.service"), /^IPAddressDeny=any$/m, "one run starts nothing");
    t.end();
  },
);

t.test("the cron file: one line", (t) => {
  const lines = textOf("templates/ocdd.cron")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  t.equal(lines.length, 1);
  t.match(lines[0], /^(\S+ ){5}root \/\S+\/ocdd --config \/etc\/ocdd\/ocdd\.conf >\/dev\/null$/);
  t.end();
});
