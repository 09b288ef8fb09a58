import t from "tap";
import { NO_FIREWALL } from "../../../src/core/forwards/rules.ts";
import { emptyState } from "../../../src/core/page/empty.ts";
import { plan } from "../../../src/core/plan.ts";
import { alias, BARE, config, ip, lease, NOW, observation, ZONE } from "../make.ts";

t.test("nothing is served; leases rest, what was written by hand stays", async (t) => {
  const zone = "$TTL 60\nprinter IN A 192.168.122.150\n";
  const leases = [
    lease("192.168.122.11", "container:a"),
    lease("192.168.122.12", "container:b", { releasedAt: NOW - 5 }),
  ];
  const actual = {
    ...BARE,
    zone,
    aliases: [alias("192.168.122.11")],
    table: { ...BARE.table, leases, hairpins: ["veth1"] },
  };
  const state = emptyState(config(), observation({ actual }), NOW);
  t.match(state, { firewall: NO_FIREWALL, aliases: [], hairpins: [] });
  t.strictSame(
    state.table.leases.map((l) => [l.key, l.releasedAt]),
    [
      ["container:a", NOW],
      ["container:b", NOW - 5],
    ],
  );
  t.match(state.zone, /dockerhost\.toolbox\.example\.com\.\t60\tIN\tA\t192\.168\.122\.200/);
  t.match(state.zone, /\nprinter IN A 192\.168\.122\.150\n$/);
  t.equal(state.page.includes("No containers found!"), true);
  const steps = plan(actual, state, ZONE);
  t.strictSame(steps.removed, actual.aliases);
  const again = emptyState(config(), observation({ actual: state }), NOW + 60);
  t.strictSame(plan(state, again, ZONE).changes, [], "safe to repeat");
});

t.test("with the leases lost, what the host still shows rests: nobody gets it at once", async (t) => {
  const actual = { ...BARE, aliases: [alias("192.168.122.13"), alias("192.168.122.11")] };
  const forwards = [{ name: "web", alias: ip("192.168.122.12"), target: ip("172.17.0.2") }];
  const state = emptyState(config(), observation({ actual, forwards, leasesIntact: false }), NOW);
  t.strictSame(
    state.table.leases,
    [11, 12, 13].map((n) => lease(`192.168.122.${n}`, "", { releasedAt: NOW })),
  );
});

t.test("a device without an address is no hindrance to taking down", async (t) => {
  const state = emptyState(config(), observation({ addresses: [] }), NOW);
  t.notMatch(state.zone, /\tA\t/);
});
