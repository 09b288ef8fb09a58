/** `ocdd.allow` and Docker networks made after the container, down to the packet in both backends. */
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import { renderAll } from "../../../src/core/forwards/nft.ts";
import type { Decision, Network } from "../../../src/core/model.ts";
import { readRuleset } from "../../trace.ts";
import { traceNft } from "../../trace-nft.ts";
import { readNft } from "../../trace-nft-read.ts";
import { converge, FRAME, pathOf, recorded } from "../forwards/iptables.ts";
import { AROUND, at, CLIENT, tcp, verdict } from "../forwards/packets.ts";
import { BRIDGE, config, container, NOW, network, observation } from "../make.ts";

const trick = (cidr: string, over: Partial<Network> = {}): Network =>
  network({ name: "trick", cidr, created: NOW - 999, ...over });
const decided = (
  allow: string,
  networks: readonly Network[],
  labels: Record<string, string> = {},
): Decision =>
  decide(
    config(),
    observation({
      containers: [
        container({ name: "vault", labels: new Map(Object.entries({ "ocdd.allow": allow, ...labels })) }),
      ],
      networks: [BRIDGE, ...networks],
    }),
    NOW,
  );
const allowed = (...given: Parameters<typeof decided>): readonly string[] | null | undefined =>
  decided(...given).services[0]?.forward?.allow;

t.test("which Docker networks ocdd.allow does not include", async (t) => {
  const inside = "10.9.9.0/25";
  const rest = ["10.9.9.128/25"];
  const rows: [string, Network, readonly string[]][] = [
    ["made later", trick(inside), rest],
    ["made later, internal", trick(inside, { internal: true }), rest],
    ["made before the container", trick(inside, { created: NOW - 1000 }), ["10.9.9.0/24"]],
    ["of an age that Docker does not give", trick(inside, { created: 0 }), ["10.9.9.0/24"]],
    ["not of this host's routes", trick(inside, { driver: "macvlan" }), ["10.9.9.0/24"]],
    ["elsewhere", trick("10.9.8.0/24"), ["10.9.9.0/24"]],
  ];
  for (const [name, one, want] of rows) t.strictSame(allowed("10.9.9.0/24", [one]), want, name);
  const restarted = { ...BRIDGE, created: NOW };
  t.strictSame(
    allowed("172.17.0.0/16", [restarted]),
    ["172.17.0.0/16"],
    "Docker creates its own again when it starts",
  );
  t.match(decided("10.9.9.0/24", [trick(inside)]).warnings, [/ocdd.allow does not include.*"trick"/]);
});

t.test("no address is left of ocdd.allow: the container is not served", async (t) => {
  const d = decided("10.9.9.0/24", [trick("10.9.0.0/16")]);
  t.strictSame(d.services, []);
  t.match(d.skipped, [{ code: "label", reason: /ocdd.allow cannot be enforced:.*"trick"/ }]);
});

t.test(
  "a later network of which not all is known may have any subnet: no ocdd.allow is met by it",
  async (t) => {
    const partial = trick("192.0.2.0/24", { partial: true });
    for (const allow of ["10.9.9.0/24", "10.0.0.0/8,192.168.122.50"]) {
      const d = decided(allow, [partial]);
      t.strictSame(d.services, [], allow);
      t.match(d.skipped, [{ code: "label", reason: /ocdd.allow cannot be enforced:.*"trick"/ }]);
    }
    const others: readonly Network[] = [
      { ...partial, created: NOW - 1000 },
      { ...partial, driver: "macvlan" },
    ];
    for (const one of others) t.strictSame(allowed("10.9.9.0/24", [one]), ["10.9.9.0/24"]);
    t.equal(decided("0.0.0.0/0", [partial]).services.length, 1, "what restricts nothing");
  },
);

t.test("many networks in many places: the rules stay bounded, and what is left is allowed", async (t) => {
  const many = Array.from({ length: 100 }, (_, i) =>
    trick(`10.${i * 2}.${i}.0/24`, { name: `n${i}`, id: `${i}` }),
  );
  const left = allowed("10.0.0.0/8,192.168.122.50", many, { "ocdd.ports": "80,443" }) ?? [];
  t.ok(left.length <= 64, `${left.length} networks by two ports`);
  t.ok(left.includes("192.168.122.50/32") && left.length > 1);
  for (const { subnets } of many) for (const { first } of subnets) t.notOk(left.includes(`${first}/24`));
  t.match(
    decided("10.0.0.0/8", many).warnings.filter((line) => line.includes("ocdd.allow")),
    [/and 97 more$/],
  );
});

t.test("a container of a network made later has an allowed address: its packets are rejected", async (t) => {
  const evil = { from: "10.9.9.9", hook: "PREROUTING", in: "br-trick" } as const;
  const forwards = (networks: readonly Network[]) =>
    decided("10.9.9.0/24,192.168.122.50", networks).services.flatMap(({ forward }) =>
      forward === null ? [] : [{ ...forward, bridgePort: "veth1" }],
    );
  const around = {
    ...AROUND,
    routes: [["10.9.9.0/24", "br-trick"] as const, ...AROUND.routes],
    bridgePorts: new Map([["172.17.0.2", "veth1"]]),
  };
  for (const engine of ["20.10", "28"] as const) {
    const byIptables = (networks: readonly Network[], packet: Parameters<typeof verdict>[0]) =>
      verdict(packet, converge(recorded(engine), pathOf(forwards(networks))));
    const byNft = (networks: readonly Network[], packet: Parameters<typeof verdict>[0]) =>
      traceNft(packet, readNft(renderAll(FRAME, forwards(networks), { mode: "full", markEarly: false })), {
        ...around,
        iptables: readRuleset(converge(recorded(engine), pathOf([]))),
      });
    for (const [backend, go] of Object.entries({ byIptables, byNft })) {
      const networks = [trick("10.9.9.0/24")];
      t.equal(go(networks, { ...evil, ...tcp(80, ".11") }), "rejected", `${engine} ${backend}`);
      t.strictSame(go(networks, { ...CLIENT, ...tcp(80, ".11") }), at("172.17.0.2", 80));
      t.strictSame(go([], { ...CLIENT, from: "10.9.9.9", ...tcp(80, ".11") }), at("172.17.0.2", 80));
    }
  }
});

t.test("the rules change when the network is created and when it is removed", async (t) => {
  const web = container({ name: "vault", labels: new Map([["ocdd.allow", "10.9.9.0/24"]]) });
  const seen = (networks: readonly Network[]) =>
    decide(config(), observation({ containers: [web], networks: [BRIDGE, ...networks] }), NOW).services[0]
      ?.forward?.allow;
  t.strictSame(seen([]), ["10.9.9.0/24"]);
  t.strictSame(seen([trick("10.9.9.0/25")]), ["10.9.9.128/25"]);
  t.strictSame(seen([]), ["10.9.9.0/24"]);
});
