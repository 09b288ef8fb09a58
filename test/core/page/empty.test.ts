import t from "tap";
import { NO_DATA_PATH } from "../../../src/core/forwards/forward.ts";
import { emptyState } from "../../../src/core/page/empty.ts";
import { plan } from "../../../src/core/plan.ts";
import { alias, BARE, config, forward, lease, NOW, observation, zoneFile } from "../make.ts";

t.test("nothing is served: leases on hold, hand-written records kept", async (t) => {
  const zone = zoneFile("$TTL 60\nprinter IN A 192.168.122.150\n");
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
  t.match(state, { dataPath: NO_DATA_PATH, aliases: [], hairpins: [] });
  t.strictSame(
    state.table.leases.map((l) => [l.key, l.releasedAt]),
    [
      ["container:a", NOW],
      ["container:b", NOW - 5],
    ],
  );
  t.match(state.zone.text, /dockerhost\.toolbox\.example\.com\.\t60\tIN\tA\t192\.168\.122\.200/);
  t.match(state.zone.text, /\nprinter IN A 192\.168\.122\.150\n$/);
  t.equal(state.page.html.includes("No containers found!"), true);
  t.match(
    plan(actual, state).steps.filter(({ kind }) => kind === "address"),
    [{ change: "remove", alias: alias("192.168.122.11") }],
  );
  const again = emptyState(config(), observation({ actual: state }), NOW + 60);
  t.strictSame(plan(state, again).steps, [], "safe to repeat");
});

t.test("leases lost: addresses that the host still shows are on hold", async (t) => {
  const actual = {
    ...BARE,
    aliases: [alias("192.168.122.13"), alias("192.168.122.11")],
    dataPath: { ...NO_DATA_PATH, forwards: [forward(12, 2)] },
  };
  const state = emptyState(config(), observation({ actual, leasesIntact: false }), NOW);
  t.strictSame(
    state.table.leases,
    [11, 12, 13].map((n) => lease(`192.168.122.${n}`, "", { releasedAt: NOW })),
  );
});

t.test("a device without an address: a zone without address records", async (t) => {
  const state = emptyState(config(), observation({ addresses: [] }), NOW);
  t.notMatch(state.zone.text, /\tA\t/);
});
