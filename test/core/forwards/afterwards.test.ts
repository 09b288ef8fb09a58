/** What is worked out to be there after a plan is what is there, as the fake iptables carries it out. */
import { readFileSync } from "node:fs";
import t from "tap";
import { afterwards, type Kernel } from "../../../src/core/forwards/afterwards.ts";
import { parseFirewall, renderTransaction } from "../../../src/core/forwards/firewall.ts";
import { NO_FIREWALL, renderFirewall, TABLES } from "../../../src/core/forwards/rules.ts";
import type { DeviceAddress, Firewall } from "../../../src/core/model.ts";
import type { Plan } from "../../../src/core/plan.ts";
import { applyTransaction, saved } from "../../fake/iptables.ts";
import { forward, ip, POOL } from "../make.ts";

const DOCKER = readFileSync(new URL("../../recorded/docker-20.10.txt", import.meta.url), "utf8");
const alias = (n: number): DeviceAddress => ({
  device: "ens3",
  address: ip(`192.168.122.${n}`),
  prefix: 32,
  label: "ens3:ocdd",
});
const see = (ruleset: string) => parseFirewall(saved(ruleset), POOL);

function steps(ruleset: string, wanted: Firewall, rest: Partial<Plan> = {}): Plan {
  const tables = TABLES.map((table) => ({
    table,
    text: renderTransaction(table, see(ruleset).firewall, wanted),
  })).filter(({ text }) => text !== "");
  return { tables, added: [], removed: [], hairpinsOn: [], hairpinsOff: [], ...rest } as unknown as Plan;
}

const links: Kernel["links"] = {
  devices: ["ens3"],
  addresses: [{ device: "ens3", address: ip("192.168.122.200"), prefix: 24, label: "ens3" }, alias(11)],
  bridgePorts: [
    { name: "veth1", bridge: "docker0", hairpin: true },
    { name: "veth2", bridge: "docker0", hairpin: false },
  ],
};
const two = renderFirewall([forward(11, 2), forward(12, 3)], POOL, [], true);
const CONVERGED = TABLES.reduce(
  (ruleset, table) => applyTransaction(ruleset, renderTransaction(table, see(DOCKER).firewall, two)),
  DOCKER,
);

for (const forwards of [[], [forward(11, 2)], [forward(12, 3), forward(13, 2), forward(14, 9)]]) {
  t.test(`${forwards.length} forwards in place of two`, (t) => {
    const plan = steps(CONVERGED, renderFirewall(forwards, POOL, [], true));
    t.equal(plan.tables.length, 1);
    const after = afterwards({ links, tables: saved(CONVERGED) }, plan);
    const truth = applyTransaction(CONVERGED, plan.tables[0]?.text ?? "");
    t.same(parseFirewall(after?.tables ?? new Map(), POOL), see(truth));
    t.end();
  });
}

t.test("aliases and hairpin ports", (t) => {
  const plan = steps(CONVERGED, two, {
    removed: [alias(11)],
    added: [alias(12)],
    hairpinsOn: ["veth2"],
    hairpinsOff: ["veth1"],
  });
  const after = afterwards({ links, tables: saved(CONVERGED) }, plan);
  t.same(
    after?.links.addresses.map((a) => a.address),
    ["192.168.122.200", "192.168.122.12"],
  );
  t.same(
    after?.links.bridgePorts.map((port) => port.hairpin),
    [false, true],
  );
  t.end();
});

t.test("where jumps come or chains go it must be looked at", (t) => {
  t.equal(afterwards({ links, tables: saved(DOCKER) }, steps(DOCKER, two)), undefined);
  t.equal(afterwards({ links, tables: saved(CONVERGED) }, steps(CONVERGED, NO_FIREWALL)), undefined);
  t.equal(
    afterwards({ links, tables: new Map() }, steps(CONVERGED, renderFirewall([], POOL, [], true))),
    undefined,
  );
  t.end();
});
