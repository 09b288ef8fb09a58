import t from "tap";
import { readConfig } from "../../../src/core/config/config.ts";
import {
  freeRange,
  type Outlook,
  outlook,
  proposedConf,
  proposedZone,
  readPool,
  searchDomains,
} from "../../../src/core/config/proposal.ts";
import { type Settled, settled } from "../../../src/core/config/settled.ts";
import { firstSteps, isUnfilled } from "../../../src/core/config/unfilled.ts";
import { HOST, ip } from "../make.ts";

const at = (device: string, address: string, prefix: number) => ({
  device,
  address: ip(address),
  prefix,
  label: device,
});
const GATEWAY = ip("192.168.122.1");
const seen = (...addresses: ReturnType<typeof at>[]) =>
  outlook({ device: "ens3", addresses, avoided: [GATEWAY], settled: {} });
const found = (...addresses: ReturnType<typeof at>[]): Outlook => seen(...addresses) as Outlook;

t.test(
  "outlook: the device's network without its ends, the host's own addresses, next hops and Docker's networks",
  (t) => {
    const own = at("ens3", HOST, 24);
    const { device, hostIp, candidates } = found(own, at("docker0", "172.17.0.1", 16));
    t.same([device, hostIp, candidates.length], ["ens3", HOST, 252]);
    t.same([candidates[0], candidates.at(-1)], ["192.168.122.2", "192.168.122.254"]);
    t.notOk(candidates.includes(HOST));
    const bridge = found(own, at("br-1", "192.168.122.129", 25)).candidates;
    t.equal(bridge.at(-1), "192.168.122.127", "a network of Docker's inside");
    t.same(
      found(at("ens3", "192.168.122.13", 32), own).candidates.filter((one) => one === "192.168.122.13"),
      [],
      "an address that a script has put on the device",
    );
    t.end();
  },
);

t.test("outlook: a large network is not asked for as a whole, a small one is", (t) => {
  const large = found(at("ens3", "10.20.30.40", 8)).candidates;
  t.same([large.length, large[0], large.at(-1)], [253, "10.20.30.1", "10.20.30.254"]);
  t.same(
    found(at("ens3", "192.168.122.4", 29)).candidates,
    ["2", "3", "5", "6"].map((n) => `192.168.122.${n}`),
  );
  t.end();
});

t.test("outlook: nothing to propose, and why", (t) => {
  const none = { addresses: [], avoided: [], settled: {} };
  t.equal(outlook({ ...none, device: undefined }), "this host has no default route: set NETWORK_DEVICE");
  t.match(seen(at("ens3", HOST, 32)), /"ens3" has no IPv4 address with a network/);
  t.match(outlook({ ...none, device: "a'b\n" }), /unusual name/);
  t.end();
});

t.test("outlook: what is settled stays, and the range is beside it", (t) => {
  const addresses = [
    at("ens3", HOST, 24),
    at("br0", "10.1.1.1", 24),
    at("br0", "10.1.2.5", 24),
    at("lo", "10.9.9.9", 32),
  ];
  const beside = (settled: Settled, device: string | undefined = "ens3") => {
    const made = outlook({ device, addresses, avoided: [], settled });
    return typeof made === "string" ? made : [made.device, made.hostIp, made.candidates[0]];
  };
  t.same(beside({}), ["ens3", HOST, "192.168.122.1"]);
  t.same(beside({ device: "br0" }), ["br0", "10.1.1.1", "10.1.1.2"]);
  t.same(beside({ device: "br0" }, undefined), ["br0", "10.1.1.1", "10.1.1.2"], "without a default route");
  t.same(beside({ hostIp: ip("10.1.2.5") }), ["br0", "10.1.2.5", "10.1.2.1"]);
  t.same(beside({ hostIp: ip("10.1.2.5") }, undefined), ["br0", "10.1.2.5", "10.1.2.1"]);
  t.same(beside({ device: "br0", hostIp: ip("10.1.2.5") }), ["br0", "10.1.2.5", "10.1.2.1"]);
  t.same(
    beside({ device: "br0", hostIp: ip("10.1.1.2") }),
    ["br0", "10.1.1.2", "10.1.1.3"],
    "an address that the host is to get",
  );
  t.equal(
    beside({ hostIp: ip("10.9.9.9") }),
    "no device has HOST_IP, 10.9.9.9, with a network around it: set NETWORK_DEVICE too",
  );
  t.equal(beside({ device: "br1" }), '"br1" has no IPv4 address with a network around it');
  t.end();
});

t.test("freeRange: the first twenty in a row, else the longest run, else none", (t) => {
  const range = (taken: (n: number) => boolean, prefix = 24) => {
    const all = found(at("ens3", HOST, prefix));
    return freeRange(all, new Set(all.candidates.filter((one) => taken(Number(one.split(".")[3])))));
  };
  t.same(
    range(() => false),
    { first: "192.168.122.2", last: "192.168.122.21" },
  );
  t.same(
    range((n) => n === 9),
    { first: "192.168.122.10", last: "192.168.122.29" },
  );
  t.same(
    range((n) => n % 10 === 0),
    { first: "192.168.122.11", last: "192.168.122.19" },
  );
  t.same(
    range((n) => n % 4 === 0),
    null,
    "three in a row",
  );
  t.same(
    range(() => true),
    null,
  );
  t.end();
});

t.test("freeRange: the host's own address interrupts a run", (t) => {
  const all = found(at("ens3", "192.168.122.10", 27));
  t.same(freeRange(all, new Set()), { first: "192.168.122.11", last: "192.168.122.30" });
  t.end();
});

t.test("proposedZone: below the host's domain; a domain that no DNS delegates says nothing", (t) => {
  t.equal(proposedZone("dockerhost.Example.com", []), "toolbox.example.com");
  t.equal(proposedZone("dockerhost", ["localdomain", "corp.local", "example.org."]), "toolbox.example.org");
  for (const [name, ...searched] of [
    ["dockerhost"],
    ["pc.local"],
    ["x", "com"],
    ["x", "$(id).example.com"],
  ] as const)
    t.equal(proposedZone(name, searched), undefined, name);
  t.same(searchDomains("# c\nnameserver 192.168.122.2\nsearch example.com  lab.example.com\n"), [
    "example.com",
    "lab.example.com",
  ]);
  t.end();
});

const PROPOSAL = {
  device: "ens3",
  hostIp: HOST,
  pool: [{ first: ip("192.168.122.11"), last: ip("192.168.122.30") }],
  isFound: true,
  zone: "toolbox.example.com",
};
const read = (text: string) => readConfig({ file: "ocdd.conf", text, environment: new Map(), flags: [] });
const EXPECTED = {
  device: "ens3",
  hostIp: HOST,
  pool: PROPOSAL.pool,
  zone: "toolbox.example.com",
  storageDir: "/var/lib/ocdd",
};

t.test("proposedConf: a whole configuration that OCDD reads as it was meant", (t) => {
  t.match(read(proposedConf(PROPOSAL, "")), { ...EXPECTED, webTitle: "Services of toolbox.example.com" });
  const pool = [{ first: ip("10.9.0.0"), last: ip("10.9.0.255") }, ...PROPOSAL.pool];
  const granted = proposedConf({ ...PROPOSAL, pool, isFound: false }, 'WEB_TITLE="Ours"\n');
  t.match(read(granted), { pool, webTitle: "Ours" }, "several ranges, and a title that is set already");
  t.notMatch(granted, "free when");
  t.end();
});

t.test("readPool: what IP_RANGE takes, else what is wrong", (t) => {
  t.same(readPool("192.168.122.11-192.168.122.30"), PROPOSAL.pool);
  for (const wrong of ["x", "192.168.122.30-192.168.122.11", "127.0.0.0/8", "", '1.2.3.4"; rm'])
    t.type(readPool(wrong), "string", wrong);
  t.end();
});

t.test("proposedConf: what the Debian package has installed stays, with the proposal behind it", (t) => {
  const before = "# IP_SUBNET: as installed\n#IP_SUBNET='192.168.122'\nSTORAGE_DIR=/srv/ocdd\nDNS_TTL=30\n";
  t.ok(isUnfilled(before));
  const text = proposedConf(PROPOSAL, before);
  t.ok(text.startsWith(before));
  t.match(read(text), { ...EXPECTED, storageDir: "/srv/ocdd", ttl: 30 });
  t.notOk(isUnfilled(text));
  t.notOk(isUnfilled("export IP_SUBNET=192.168.122\n"));
  t.end();
});

/** What `ocdd initialize` reads in the end, of a file and of what is set beside it. */
function proposed(text: string, environment: Record<string, string> = {}, flags: readonly string[] = []) {
  const sources = { file: "ocdd.conf", environment: new Map(Object.entries(environment)), flags };
  const known = settled({ ...sources, text });
  const own = { device: known.device ?? "ens3", hostIp: known.hostIp ?? HOST };
  const file = proposedConf({ ...PROPOSAL, ...known, ...own }, text);
  return { file, config: readConfig({ ...sources, text: file }), alone: () => read(file) };
}

t.test("proposedConf: no key that the file sets is proposed, however it sets it", (t) => {
  const values = {
    NETWORK_DEVICE: ["device", "br0"],
    HOST_IP: ["hostIp", "10.1.1.5"],
    STORAGE_DIR: ["storageDir", "/srv/ocdd"],
    WEB_TITLE: ["webTitle", "Our own"],
  } as const;
  for (const [key, [name, value]] of Object.entries(values)) {
    for (const line of [
      `${key}="${value}"`,
      ` export ${key}='${value}' # c`,
      `V="${value}"\n${key}=$V`,
      `${key}=$OUTER`,
    ]) {
      const { file, config } = proposed(`${line}\n`, { OUTER: value });
      t.equal(file.match(new RegExp(`^ *(export )?${key}=`, "gm"))?.length, 1, line);
      t.equal(config[name], value, line);
    }
    const { alone } = proposed("", {}, [`${key}=${value}`]);
    t.equal(alone()[name], value, `${key} by --set is what is proposed`);
    t.equal(proposed("", { [`OCDD_${key}`]: value }).alone()[name], value, `${key} of the environment too`);
  }
  const odd = "it's $HOME `x` \\ #";
  t.equal(proposed("", {}, [`WEB_TITLE=${odd}`]).alone().webTitle, odd, "quoted");
  t.end();
});

t.test("settled: a mistake in what is set is reported before anything is proposed", (t) => {
  t.throws(
    () => proposed("HOST_IP=10.1.1\n"),
    /^ocdd\.conf:1: HOST_IP: is "10\.1\.1", must be an IPv4 address$/,
  );
  t.throws(() => proposed("DNS_TTL=x\nNETWORK_DEVICE=$(ip)\n"), /:2: NETWORK_DEVICE: .*\n.*:1: DNS_TTL: /);
  t.throws(() => proposed("NETWORK_DEVICE=\n"), /:1: NETWORK_DEVICE: is empty/);
  t.same(settled({ file: "", text: "HOST_IP=\n", environment: new Map(), flags: [] }).hostIp, undefined);
  t.end();
});

t.test("firstSteps: three lines that name the file", (t) => {
  const lines = firstSteps("/etc/ocdd/ocdd.conf").split("\n");
  t.equal(lines.length, 3);
  t.match(lines[1], "/etc/ocdd/ocdd.conf: IP_RANGE=");
  t.end();
});
