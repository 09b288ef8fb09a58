/** The rules, by what they do to a packet: through our chains as rendered and Docker's own as recorded. */
import { readFileSync } from "node:fs";
import t from "tap";
import { parseCidr, type Range } from "../../../src/core/addresses/ipv4.ts";
import { parseFirewall, renderTransaction } from "../../../src/core/forwards/firewall.ts";
import type { Forward } from "../../../src/core/forwards/forward.ts";
import { NO_FIREWALL, renderFirewall } from "../../../src/core/forwards/rules.ts";

import { readLabels } from "../../../src/core/services/labels.ts";
import { applyTransaction, saved } from "../../fake/iptables.ts";
import { type Packet, readRuleset, trace, type Verdict } from "../../trace.ts";
import { ip, name } from "../make.ts";

const POOL: readonly Range[] = [{ first: ip("192.168.122.11"), last: ip("192.168.122.30") }];
const SUBNETS = ["172.17.0.0/16", "172.20.0.0/16"].flatMap((cidr) => parseCidr(cidr) ?? []);

function forward(alias: string, target: string, labels: Record<string, string> = {}): Forward {
  const { map, ports, allow } = readLabels(new Map(Object.entries(labels)));
  return { name: name(`c${alias.split(".")[3]}`), alias: ip(alias), target: ip(target), bridgePort: null, map, ports, allow };
}

/** web publishes 80 and 8080 with -p; db is on another bridge; the rest try each label. */
const FORWARDS = [
  forward("192.168.122.11", "172.17.0.2"),
  forward("192.168.122.12", "172.20.0.2"),
  forward("192.168.122.13", "172.17.0.13", { "ocdd.map": "80:8080,53:5353/udp" }),
  forward("192.168.122.14", "172.17.0.14", { "ocdd.ports": "80,53/udp" }),
  forward("192.168.122.15", "172.17.0.15", { "ocdd.allow": "192.168.122.0/26,10.0.0.0/8" }),
  forward("192.168.122.16", "172.17.0.16", {
    "ocdd.map": "80:8080,443:8443",
    "ocdd.ports": "80,22",
    "ocdd.allow": "192.168.122.50",
  }),
];
const LOCAL = [
  "192.168.122.200",
  "172.17.0.1",
  "172.20.0.1",
  ...Array.from({ length: 20 }, (_, i) => `192.168.122.${11 + i}`),
];
const ROUTES = [
  ["172.17.0.0/16", "docker0"],
  ["172.20.0.0/16", "br-shop"],
  ["0.0.0.0/0", "ens3"],
] as const;

const CLIENT = { from: "192.168.122.50", hook: "PREROUTING", in: "ens3" } as const;
const FAR = { from: "192.168.122.99", hook: "PREROUTING", in: "ens3" } as const;
const SELF = { from: "192.168.122.200", hook: "OUTPUT" } as const;
const WEB = { from: "172.17.0.2", hook: "PREROUTING", in: "docker0" } as const;
const DB = { from: "172.20.0.2", hook: "PREROUTING", in: "br-shop" } as const;

const tcp = (port: number, to: string) =>
  ({ protocol: "tcp", port, to: to.startsWith(".") ? `192.168.122${to}` : to }) as const;
const udp = (port: number, to: string) => ({ ...tcp(port, to), protocol: "udp" }) as const;

const at = (address: string, port: number | undefined, masqueraded = false): Verdict => ({
  address,
  port,
  masqueraded,
});

const ROWS: { name: string; in: Packet; want: Verdict }[] = [
  {
    name: "a port that nobody publishes",
    in: { ...CLIENT, ...tcp(8080, ".12") },
    want: at("172.20.0.2", 8080),
  },
  { name: "any protocol", in: { ...CLIENT, ...udp(53, ".12") }, want: at("172.20.0.2", 53) },
  {
    name: "ping",
    in: { ...CLIENT, protocol: "icmp", to: "192.168.122.12" },
    want: at("172.20.0.2", undefined),
  },
  {
    name: "a port that Docker publishes for this container",
    in: { ...CLIENT, ...tcp(80, ".11") },
    want: at("172.17.0.2", 80),
  },
  {
    name: "a port that Docker publishes for another one",
    in: { ...CLIENT, ...tcp(80, ".12") },
    want: at("172.20.0.2", 80),
  },
  {
    name: "that published port on an alias nobody has",
    in: { ...CLIENT, ...tcp(80, ".29") },
    want: "rejected",
  },
  {
    name: "that published port where ocdd.ports does not offer it",
    in: { ...CLIENT, ...tcp(8080, ".14") },
    want: "rejected",
  },
  { name: "sshd on an alias nobody has", in: { ...CLIENT, ...tcp(22, ".30") }, want: "rejected" },
  {
    name: "Docker's published port on the host's own address",
    in: { ...CLIENT, ...tcp(80, ".200") },
    want: at("172.17.0.2", 80),
  },
  { name: "the host's own sshd", in: { ...CLIENT, ...tcp(22, ".200") }, want: "untouched" },
  { name: "outside the pool, on either side", in: { ...CLIENT, ...tcp(22, ".31") }, want: "dropped" },
  {
    name: "a container's address, routed to by a client",
    in: { ...CLIENT, ...tcp(9999, "172.20.0.2") },
    want: "dropped",
  },
  { name: "mapped", in: { ...CLIENT, ...tcp(80, ".13") }, want: at("172.17.0.13", 8080) },
  { name: "mapped, udp", in: { ...CLIENT, ...udp(53, ".13") }, want: at("172.17.0.13", 5353) },
  {
    name: "map leaves the other protocol alone",
    in: { ...CLIENT, ...udp(80, ".13") },
    want: at("172.17.0.13", 80),
  },
  {
    name: "map leaves other ports as they are",
    in: { ...CLIENT, ...tcp(8080, ".13") },
    want: at("172.17.0.13", 8080),
  },
  { name: "offered", in: { ...CLIENT, ...tcp(80, ".14") }, want: at("172.17.0.14", 80) },
  { name: "offered, udp", in: { ...CLIENT, ...udp(53, ".14") }, want: at("172.17.0.14", 53) },
  { name: "not offered", in: { ...CLIENT, ...tcp(22, ".14") }, want: "rejected" },
  { name: "offered in the other protocol", in: { ...CLIENT, ...udp(80, ".14") }, want: "rejected" },
  {
    name: "ping where only ports are offered",
    in: { ...CLIENT, protocol: "icmp", to: "192.168.122.14" },
    want: "rejected",
  },
  { name: "allowed", in: { ...CLIENT, ...tcp(80, ".15") }, want: at("172.17.0.15", 80) },
  { name: "not allowed", in: { ...FAR, ...tcp(80, ".15") }, want: "rejected" },
  {
    name: "mapped, offered and allowed",
    in: { ...CLIENT, ...tcp(80, ".16") },
    want: at("172.17.0.16", 8080),
  },
  { name: "mapped but not offered", in: { ...CLIENT, ...tcp(443, ".16") }, want: "rejected" },
  { name: "offered as it is", in: { ...CLIENT, ...tcp(22, ".16") }, want: at("172.17.0.16", 22) },
  { name: "mapped and offered, not allowed", in: { ...FAR, ...tcp(80, ".16") }, want: "rejected" },
  { name: "from the host itself", in: { ...SELF, ...tcp(8080, ".12") }, want: at("172.20.0.2", 8080) },
  { name: "from the host itself, an alias nobody has", in: { ...SELF, ...tcp(80, ".29") }, want: "rejected" },
  {
    name: "from a container to one on another bridge: Docker masquerades what leaves its bridge",
    in: { ...WEB, ...tcp(5432, ".12") },
    want: at("172.20.0.2", 5432, true),
  },
  {
    name: "from a container to one on its own bridge: by way of the host",
    in: { ...WEB, ...tcp(80, ".13") },
    want: at("172.17.0.13", 8080, true),
  },
  {
    name: "from a container to itself",
    in: { ...DB, ...tcp(5432, ".12") },
    want: at("172.20.0.2", 5432, true),
  },
  {
    name: "the answer to a connection of the host's own through an alias",
    in: {
      from: "172.20.0.2",
      to: "192.168.122.12",
      protocol: "tcp",
      port: 40000,
      hook: "PREROUTING",
      in: "br-shop",
      answer: "redirected",
    },
    want: "untouched",
  },
];

for (const engine of ["20.10", "28"]) {
  const docker = readFileSync(new URL(`../recorded/docker-${engine}.txt`, import.meta.url), "utf8");

  t.test(`Docker ${engine}: where each packet goes`, async (t) => {
    const before = saved(docker);
    const seen = parseFirewall(before, POOL);
    t.equal(seen.dockerUser, true);
    const desired = renderFirewall(FORWARDS, POOL, SUBNETS, seen.dockerUser);
    const after = applyTransaction(
      docker,
      renderTransaction("filter", seen.firewall, desired) + renderTransaction("nat", seen.firewall, desired),
    );
    const rules = readRuleset(after);
    const around = { local: LOCAL, routes: ROUTES };
    for (const row of ROWS) t.strictSame(trace(row.in, rules, around), row.want, row.name);

    t.test(
      "the second look finds nothing to do, and teardown leaves Docker's rules as they were",
      async (t) => {
        const again = parseFirewall(saved(after), POOL);
        t.strictSame(again.firewall, desired);
        for (const table of ["filter", "nat"] as const)
          t.equal(renderTransaction(table, again.firewall, desired), "");
        const gone = applyTransaction(
          after,
          renderTransaction("filter", again.firewall, NO_FIREWALL) +
            renderTransaction("nat", again.firewall, NO_FIREWALL),
        );
        t.equal(gone, applyTransaction(docker, ""));
      },
    );

    t.test("without our rules the tracer shows what went wrong before", async (t) => {
      const bare = readRuleset(docker);
      t.strictSame(
        trace({ ...CLIENT, ...tcp(80, ".12") }, bare, around),
        at("172.17.0.2", 80),
        "another container's page",
      );
      t.equal(trace({ ...CLIENT, ...tcp(22, ".30") }, bare, around), "untouched", "the host's sshd");
    });
  });
}

t.test("a stranger's text never gets into a rule", async (t) => {
  for (const [chain, rules] of renderFirewall(FORWARDS, POOL, SUBNETS, true).chains) {
    for (const rule of rules) t.match(rule, /^[A-Za-z0-9 ./:!-]+$/, chain);
  }
});

t.test("rules are in the order of addresses, whatever the order of containers", async (t) => {
  t.strictSame(
    renderFirewall([...FORWARDS].reverse(), POOL, SUBNETS, true),
    renderFirewall(FORWARDS, POOL, SUBNETS, true),
  );
});

t.test("without DOCKER-USER the accept stands in FORWARD", async (t) => {
  t.match(renderFirewall(FORWARDS, POOL, SUBNETS, false).jumps, [
    { from: "INPUT" },
    { from: "FORWARD", to: "OCDD-FORWARD" },
    {},
    {},
    {},
  ]);
});
