import t from "tap";
import { overlapsOf, reservedAddresses } from "../../../src/core/addresses/reserved.ts";
import { decide } from "../../../src/core/decide.ts";
import type { Container, Network } from "../../../src/core/model.ts";
import {
  attachment,
  BARE,
  BRIDGE,
  config,
  container,
  HOST,
  ip,
  lease,
  NOW,
  network,
  observation,
  POOL,
} from "../make.ts";

const containers = (n: number): Container[] =>
  Array.from({ length: n }, (_, i) =>
    container({ name: `c${i}`, at: `172.17.0.${i + 2}`, created: NOW - i }),
  );

t.test("a network's subnet, by its driver, can overlap the range or not", async (t) => {
  const inRange = (over: Partial<Network>): Network =>
    network({ name: "n", cidr: "192.168.122.16/28", ...over });
  for (const internal of [true, false])
    t.match(overlapsOf(POOL, inRange({ internal })), [
      { part: { first: "192.168.122.16", last: "192.168.122.30" } },
    ]);
  for (const driver of ["macvlan", "ipvlan", "overlay", "null", "host", "weave"])
    t.strictSame(overlapsOf(POOL, inRange({ driver })), [], driver);
  t.strictSame(overlapsOf(POOL, BRIDGE), []);
  const parts = overlapsOf(
    [...POOL, { first: ip("192.168.122.40"), last: ip("192.168.122.50") }],
    network({ name: "n", cidr: "192.168.122.0/24" }),
  ).map(({ part }) => `${part.first}-${part.last}`);
  t.strictSame(parts, ["192.168.122.11-192.168.122.30", "192.168.122.40-192.168.122.50"]);
});

t.test("any new Docker network: the services stay, and an overlap is reported", async (t) => {
  const seen = observation({ containers: containers(3) });
  const before = decide(config(), seen, NOW);
  for (const cidr of ["192.168.122.0/28", "192.168.122.0/24", "192.168.0.0/16"]) {
    const bobs = network({ name: "bobs", cidr, internal: true });
    const after = decide(config(), { ...seen, actual: before.desired, networks: [BRIDGE, bobs] }, NOW);
    t.strictSame(after.services, before.services, cidr);
    const fresh = decide(config(), { ...seen, networks: [BRIDGE, bobs] }, NOW);
    const inside = cidr.endsWith("/28") ? ["192.168.122.16", "192.168.122.17", "192.168.122.18"] : [];
    t.strictSame(fresh.services.map(({ address }) => address as string).sort(), inside);
  }
});

t.test(
  "an address that the host depends on, in the range: not handed out, and the reason is reported",
  async (t) => {
    const seen = observation({
      containers: [
        container({ name: "card", networkMode: "lan", attachments: [attachment("lan", "192.168.122.15")] }),
      ],
      addresses: [
        ...observation().addresses,
        { device: "eth1", address: ip("192.168.122.29"), prefix: 32, label: "eth1" },
      ],
    });
    const neighbours = {
      nextHops: [ip("192.168.122.11"), ip("10.0.0.1")],
      resolvers: [ip("192.168.122.12"), ip("192.168.122.11")],
    };
    const { excluded, avoided, notes } = reservedAddresses(config(), seen, HOST, neighbours);
    t.ok(excluded.has(ip("192.168.122.29")) && excluded.has(HOST));
    for (const last of [11, 12, 15]) t.ok(avoided.has(ip(`192.168.122.${last}`)), `.${last}`);
    t.strictSame(notes, [
      "192.168.122.11 of the range is the next hop of a route of this host and is not handed out",
      "192.168.122.12 of the range is a name server that this host asks and is not handed out",
      "192.168.122.29 of the range is an address of this host (eth1) and is not handed out",
    ]);
  },
);

t.test(
  "an address of the range that OCDD is to listen on: not handed out, and the reason is reported",
  async (t) => {
    for (const keys of [
      { DNS_LISTEN: "HOST_IP, 192.168.122.11" },
      { WEB_LISTEN: "HOST_IP, 192.168.122.11" },
      { METRICS_LISTEN: "192.168.122.11:9553", METRICS_ALLOW: "192.168.122.0/24" },
    ]) {
      const d = decide(config(keys), observation({ containers: containers(1) }), NOW);
      t.strictSame(
        d.services.map(({ address }) => address as string),
        ["192.168.122.12"],
        JSON.stringify(keys),
      );
      t.ok(
        d.warnings.some((line) => /^192\.168\.122\.11 of the range is one that OCDD's servers/.test(line)),
      );
    }
  },
);

t.test("the host's own address in the range, set or found: not handed out", async (t) => {
  for (const keys of [{ IP_RANGE_END: "205", IP_RANGE_START: "199" }, { HOST_IP: "192.168.122.12" }]) {
    const d = decide(config(keys), observation({ containers: containers(7) }), NOW);
    t.notOk(d.services.some(({ address }) => address === d.hostIp));
    t.ok(d.services.length >= 6);
    t.equal(d.range.reserved, 1);
  }
});

t.test(
  "an address that the host itself has, in the range: no rule refuses or redirects it (O-7)",
  async (t) => {
    const vip = { device: "ens3", address: ip("192.168.122.29"), prefix: 32, label: "ens3" };
    const seen = observation({ containers: containers(1) });
    const first = decide(config(), seen, NOW);
    t.strictSame(first.desired.dataPath.frame?.pool, POOL);
    const addresses = [...seen.addresses, ...first.desired.aliases, vip];
    const d = decide(config(), { ...seen, actual: first.desired, addresses }, NOW);
    t.strictSame(d.desired.dataPath.frame?.pool, [
      { first: "192.168.122.11", last: "192.168.122.28" },
      { first: "192.168.122.30", last: "192.168.122.30" },
    ]);
    t.ok(
      d.warnings.some((line) => line.startsWith("192.168.122.29 of the range is an address of this host")),
    );
    const inside = decide(config({ IP_RANGE_START: "199", IP_RANGE_END: "201" }), seen, NOW);
    t.strictSame(
      inside.desired.dataPath.frame?.pool.map(({ first: a }) => a as string),
      ["192.168.122.199", "192.168.122.201"],
      "HOST_IP",
    );
  },
);

t.test(".0 and .255 within a larger network: not handed out; an active lease on one stays", async (t) => {
  const addresses = [{ device: "ens3", address: ip("10.9.0.1"), prefix: 16, label: "ens3" }];
  const wide = config({ IP_RANGE: "10.9.1.254-10.9.2.1,10.9.4.0-10.9.4.1" });
  const given = (leases: ReturnType<typeof lease>[]): string[] => {
    const actual = { ...BARE, table: { ...BARE.table, leases } };
    const d = decide(wide, observation({ containers: containers(4), addresses, actual }), NOW);
    t.strictSame(d.evicted, []);
    return d.services.map(({ address }) => address).sort();
  };
  t.strictSame(given([]), ["10.9.1.254", "10.9.2.1", "10.9.4.1"]);
  t.strictSame(given([lease("10.9.1.255", "container:c3", { container: containers(4)[3]?.id ?? "" })]), [
    "10.9.1.254",
    "10.9.1.255",
    "10.9.2.1",
    "10.9.4.1",
  ]);
  const { notes, avoided } = reservedAddresses(wide, observation({ addresses }), ip("10.9.0.1"));
  t.strictSame([...avoided].sort(), ["10.9.1.255", "10.9.2.0", "10.9.4.0"]);
  t.strictSame(notes, []);
});

t.test("an active lease on an address that is now to be avoided: stays", async (t) => {
  const web = container({ name: "web" });
  const leases = [lease("192.168.122.20", "container:web", { container: web.id })];
  const bobs = network({ name: "bobs", cidr: "192.168.122.16/28" });
  const actual = { ...BARE, table: { ...BARE.table, leases } };
  const d = decide(config(), observation({ containers: [web], networks: [BRIDGE, bobs], actual }), NOW);
  t.equal(d.services[0]?.address, "192.168.122.20");
  t.strictSame(d.evicted, []);
});
