/** Networks that any Docker user makes, with any subnet, gateway and device: no lease of another's ends, and no run is refused. */
import fc from "fast-check";
import t from "tap";
import { contains, fromNumber, type Ipv4, parseCidr, toNumber } from "../../../src/core/addresses/ipv4.ts";
import { decide } from "../../../src/core/decide.ts";
import type { Observation } from "../../../src/core/model.ts";
import { refusal } from "../../../src/director/confirm.ts";
import { BARE, BRIDGE, config, container, HOST, ip, lease, NOW, network, observation } from "../make.ts";

const CONTAINERS = ["a", "b", "c", "d"].map((name, i) => container({ name, at: `172.17.0.${i + 2}` }));
const LEASES = [
  ...CONTAINERS.map(({ id, name }, i) =>
    lease(`192.168.122.${15 + i}`, `container:${name}`, { names: [name], container: id }),
  ),
  lease("192.168.122.20", "container:gone", { names: ["gone"], releasedAt: NOW - 1 }),
];

/** A bridge of Docker's: its address, and how much Docker's answer shows of it. */
interface Bridge {
  readonly at: Ipv4;
  readonly prefix: number;
  readonly device: string;
  readonly listed: boolean;
}
const bridge: fc.Arbitrary<Bridge> = fc.record({
  // most in the range, and the host's network around it
  at: fc
    .oneof(fc.integer({ min: 11, max: 30 }), fc.nat(255))
    .map((n) => fromNumber(toNumber(ip("192.168.122.0")) + n))
    .filter((at) => at !== HOST),
  prefix: fc.oneof(fc.integer({ min: 24, max: 32 }), fc.integer({ min: 8, max: 32 })),
  device: fc.constantFrom(
    "docker0",
    "br-0123456789ab",
    "docker_gwbridge",
    "mine",
    "eth1",
    "ens3.5",
    "virbr0",
  ),
  listed: fc.boolean(),
});

/** The host as the kernel and Docker show it with these bridges; at boot no alias is up yet. */
function host(bridges: readonly Bridge[], isBoot: boolean): Observation {
  const base = decide(
    config(),
    observation({ containers: CONTAINERS, actual: { ...BARE, table: { ...BARE.table, leases: LEASES } } }),
    NOW,
  );
  const actual = isBoot ? { ...BARE, table: base.desired.table } : base.desired;
  const seen = observation({ containers: CONTAINERS, actual });
  return {
    ...seen,
    networks: [
      BRIDGE,
      ...bridges
        .filter(({ listed }) => listed)
        .map(({ at, prefix, device }, i) =>
          network({ name: `n${i}`, cidr: `${at}/${prefix}`, bridge: device }),
        ),
    ],
    devices: [...seen.devices, ...bridges.map(({ device }) => device)],
    bridges: [...seen.bridges, ...bridges.map(({ device }) => device)],
    addresses: [
      ...seen.addresses,
      ...bridges.map(({ at, prefix, device }) => ({ device, address: at, prefix, label: device })),
    ],
  };
}

t.test("any networks of others: each lease, service and rule stays, before and after a reboot", async () => {
  fc.assert(
    fc.property(fc.array(bridge, { minLength: 1, maxLength: 5 }), fc.boolean(), (bridges, isBoot) => {
      const quiet = decide(config(), host([], isBoot), NOW);
      const d = decide(config(), host(bridges, isBoot), NOW);
      const given = (one: typeof d) =>
        JSON.stringify(one.services.map((s) => [s.name, s.address, s.forward]));
      const leases = (one: typeof d) => JSON.stringify(one.desired.table.leases);
      const pool = d.desired.dataPath.frame?.pool ?? [];
      return (
        refusal(d) === null &&
        given(d) === given(quiet) &&
        leases(d) === leases(quiet) &&
        d.desired.aliases.length === CONTAINERS.length &&
        d.desired.aliases.every(({ address }) => pool.some((range) => contains(range, address)))
      );
    }),
    { numRuns: 300 },
  );
});

t.test("what is on the bridge of another's network is given to no new container", async () => {
  fc.assert(
    fc.property(fc.array(bridge, { minLength: 1, maxLength: 3 }), (bridges) => {
      const late = container({ name: "late", at: "172.17.0.9" });
      const seen = host(bridges, false);
      const d = decide(config(), { ...seen, containers: [...CONTAINERS, late] }, NOW);
      const address = d.services.find(({ name }) => name === "late")?.address;
      return !bridges.some(({ at, prefix, listed }) => {
        const subnet = parseCidr(`${at}/${prefix}`);
        return (
          address !== undefined &&
          (address === at || (listed && subnet !== undefined && contains(subnet, address)))
        );
      });
    }),
    { numRuns: 200 },
  );
});

t.test(
  "NETWORK_DEVICE that is a bridge, and devices that are none: the host's address there ends a lease",
  async (t) => {
    for (const device of ["ens3", "eth1", "lo"]) {
      const seen = host([], true);
      const vip = { device, address: ip("192.168.122.15"), prefix: 32, label: device };
      const bridges = device === "ens3" ? [...seen.bridges, device] : seen.bridges;
      const d = decide(config(), { ...seen, bridges, addresses: [...seen.addresses, vip] }, NOW);
      t.match(refusal(d)?.message, /^1 active lease would end/, device);
    }
  },
);
