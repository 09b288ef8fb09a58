/** Two states → typed steps, and plans of which only a part may be carried out. */
import fc from "fast-check";
import t from "tap";
import { type DataPath, type Forward, type Frame, NO_DATA_PATH } from "../../src/core/forwards/forward.ts";
import type { LeaseTable, State } from "../../src/core/model.ts";
import { aliasChanges, isEmpty, knownOwnersOnly, plan } from "../../src/core/plan.ts";
import { describeAll } from "../../src/core/report/steps.ts";
import { updateZone, zoneSettings } from "../../src/core/zone/records.ts";
import { alias, BARE, config, forward, HOST, id, ip, lease, NOW, name, POOL, zoneOnDisk } from "./make.ts";

const FRAME: Frame = { pool: POOL, subnets: [{ first: ip("172.17.0.0"), last: ip("172.17.255.255") }] };

interface Overrides extends Partial<State> {
  /** Name → last octet of the container's address; the alias's when not given. */
  readonly targets?: Readonly<Record<string, number>>;
  /** Changes of every forward. */
  readonly each?: Partial<Forward>;
}

/** A host on which these services, name → last octet of the alias, are in force. */
function state(services: Readonly<Record<string, number>>, over: Overrides = {}): State {
  const { targets = {}, each = {}, ...fields } = over;
  const list = Object.entries(services).map(([n, octet]) => ({
    ...forward(octet, targets[n] ?? octet),
    name: name(n),
    ...each,
  }));
  const records = [
    { owner: "@", address: HOST },
    ...list.map((one) => ({ owner: one.name, address: one.alias })),
  ];
  return {
    ...BARE,
    table: {
      leases: list.map((one) =>
        lease(one.alias, `container:${one.name}`, { names: [one.name], container: id(one.name) }),
      ),
      conflicts: [],
      hairpins: [],
      nameHolds: [],
      holders: [],
    },
    dataPath: list.length === 0 ? NO_DATA_PATH : { frame: FRAME, forwards: list, damaged: [] },
    aliases: list.map((one) => alias(one.alias)),
    zone: updateZone(zoneOnDisk(""), zoneSettings(config()), records, 100),
    page: { html: JSON.stringify(services), services: "" },
    ...fields,
  };
}

const lines = (actual: State, desired: State): string[] => describeAll(plan(actual, desired).steps);
const withPath = (base: State, over: Partial<DataPath>): State => ({
  ...base,
  dataPath: { ...base.dataPath, ...over },
});
const withTable = (base: State, over: Partial<LeaseTable>): State => ({
  ...base,
  table: { ...base.table, ...over },
});

t.test("equal states make an empty plan", async (t) => {
  const p = plan(state({ web: 11 }), structuredClone(state({ web: 11 })));
  t.equal(isEmpty(p), true);
  t.match(p, { steps: [], writeLeases: false, leasesFirst: false, flushed: [] });
});

t.test("one more service: its own steps, none of the other's", async (t) => {
  const p = plan(state({ web: 11 }), state({ web: 11, db: 12 }));
  t.strictSame(describeAll(p.steps), [
    "+ lease 192.168.122.12 db",
    "+ rule db 192.168.122.12 -> 172.17.0.12",
    "+ address 192.168.122.12",
    "+ record db A 192.168.122.12",
    "~ zone file, serial 100",
    "~ index page",
  ]);
  t.match(p, { writeLeases: true, leasesFirst: true });
  t.strictSame(p.flushed, ["192.168.122.12"], "connections of the unchanged one are left alone");
});

t.test("a container's new address: a rule replaced and flows flushed, no alias, no lease", async (t) => {
  const p = plan(state({ web: 11, db: 12 }), state({ web: 11, db: 12 }, { targets: { db: 99 } }));
  t.strictSame(describeAll(p.steps), [
    "+ rule db 192.168.122.12 -> 172.17.0.99",
    "- rule db 192.168.122.12 -> 172.17.0.12",
  ]);
  t.match(p, { flushed: ["192.168.122.12"], writeLeases: false, leasesFirst: false });
});

t.test("a service that ends: a removal of each thing of it, and its flows flushed", async (t) => {
  const p = plan(state({ web: 11, db: 12 }), state({ web: 11 }));
  t.strictSame(describeAll(p.steps), [
    "- lease 192.168.122.12 db",
    "- rule db 192.168.122.12 -> 172.17.0.12",
    "- address 192.168.122.12",
    "- record db A 192.168.122.12",
    "~ zone file, serial 100",
    "~ index page",
  ]);
  t.match(p, { flushed: ["192.168.122.12"], leasesFirst: false });
});

t.test("each kind of step in words", async (t) => {
  const base = state({ web: 11 });
  const conflicts = [{ address: ip("10.0.0.1"), seenAt: NOW }];
  const guarded = (bridgePort: string | null): State => state({ web: 11 }, { each: { bridgePort } });
  const ports = state(
    { web: 11 },
    {
      each: {
        map: [{ protocol: "tcp", port: 80, to: 8080 }],
        ports: [
          { protocol: "tcp", port: 80 },
          { protocol: "udp", port: 53 },
        ],
        allow: ["10.0.0.0/8"],
      },
    },
  );
  const released = base.table.leases.map((one) => ({ ...one, releasedAt: NOW }));
  const renamed = base.table.leases.map((one) => ({ ...one, names: [name("web"), name("shop")] }));
  const nameless = base.table.leases.map((one) => ({ ...one, names: [] }));
  const rows: [string, State, State, string[]][] = [
    ["a conflict", base, withTable(base, { conflicts }), ["+ conflict 10.0.0.1"]],
    ["a conflict over", withTable(base, { conflicts }), base, ["- conflict 10.0.0.1"]],
    ["a bridge port gone", withTable(base, { hairpins: ["veth1"] }), base, ["~ leases file"]],
    ["a release", base, withTable(base, { leases: released }), ["~ lease 192.168.122.11 web on hold"]],
    ["another name", base, withTable(base, { leases: renamed }), ["~ lease 192.168.122.11 web"]],
    [
      "a lease without names",
      base,
      withTable(base, { leases: nameless }),
      ["~ lease 192.168.122.11 (no name)"],
    ],
    ["a lease removed", base, withTable(base, { leases: [] }), ["- lease 192.168.122.11 web"]],
    ["a guard", guarded(null), guarded("veth1"), ["~ guard web 192.168.122.11 by veth1"]],
    ["a guard closed", guarded("veth1"), guarded(null), ["~ guard web 192.168.122.11 closed"]],
    [
      "ports and sources",
      base,
      ports,
      [
        "+ rule web 192.168.122.11 tcp/80 from 10.0.0.0/8 -> 172.17.0.11:8080",
        "+ rule web 192.168.122.11 udp/53 from 10.0.0.0/8 -> 172.17.0.11",
        "- rule web 192.168.122.11 -> 172.17.0.11",
      ],
    ],
    ["a part damaged", withPath(base, { damaged: ["guard"] }), base, ["~ rules for the guard"]],
    [
      "an alias on another device",
      state({ web: 11 }, { aliases: [alias("192.168.122.11", "eth0")] }),
      base,
      ["+ address 192.168.122.11", "- address 192.168.122.11"],
    ],
    [
      "a hairpin",
      base,
      { ...base, hairpins: ["veth1"] },
      ["+ hairpin veth1, for connections of a container to its own address"],
    ],
    ["the page", base, { ...base, page: { html: "x", services: "" } }, ["~ index page"]],
    ["its content for programs", base, { ...base, page: { ...base.page, services: "x" } }, ["~ index page"]],
    [
      "a zone file with the same records",
      base,
      { ...base, zone: { ...base.zone, serial: 101, text: `${base.zone.text}; x\n` } },
      ["~ zone file, serial 101"],
    ],
    [
      "an SRV record",
      base,
      {
        ...base,
        zone: {
          serial: 101,
          text: "x",
          records: [...base.zone.records, { owner: "_http._tcp.web", type: "SRV", rdata: "0 0 80 web.z." }],
        },
      },
      ["+ record _http._tcp.web SRV 0 0 80 web.z.", "~ zone file, serial 101"],
    ],
  ];
  for (const [what, actual, desired, want] of rows) {
    t.strictSame(lines(actual, desired), want, what);
    t.equal(isEmpty(plan(actual, desired)), false, what);
  }
});

t.test("untrusted text in a step: clipped to one line", async (t) => {
  const base = state({ web: 11 });
  const port = `veth\u001b[2J\n${"x".repeat(500)}`;
  const all = [
    ...lines(base, { ...base, hairpins: [port] }),
    ...lines(base, state({ web: 11 }, { each: { bridgePort: port } })),
  ];
  t.equal(all.length, 2);
  for (const line of all) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the point
    t.notMatch(line, /[\u0000-\u001f]/);
    t.ok(line.length < 300);
  }
});

t.test(
  "constant rules: added with the first service, removed with the last, changed with the range",
  async (t) => {
    const base = state({ web: 11 });
    const parts = (actual: State, desired: State): string[] =>
      plan(actual, desired).steps.flatMap((step) =>
        step.kind === "frame" ? `${step.change} ${step.part}` : [],
      );
    const all = ["accept", "refusal", "hairpin", "redirect", "guard"];
    t.strictSame(
      parts(BARE, base),
      all.map((part) => `add ${part}`),
    );
    t.strictSame(
      parts(base, BARE),
      all.map((part) => `remove ${part}`),
    );
    t.strictSame(
      parts(base, withPath(base, { frame: { ...FRAME, subnets: [] } })),
      all.map((part) => `change ${part}`),
    );
    t.strictSame(parts(withPath(base, { damaged: ["accept", "redirect"] }), base), [
      "change accept",
      "change redirect",
    ]);
    t.strictSame(parts(withPath(BARE, { damaged: ["accept"] }), BARE), ["remove accept"], "remains of it");
  },
);

t.test("leases in force that are not those of the file: the file is written", async (t) => {
  const p = plan(state({ web: 11 }), state({ web: 11 }), true);
  t.strictSame(describeAll(p.steps), ["~ leases file"]);
  t.equal(p.writeLeases, true);
  t.equal(p.leasesFirst, false, "no address has another owner");
});

t.test("an address is given to a new owner: the leases file is written first", async (t) => {
  const first = (actual: State, desired: State): boolean => plan(actual, desired).leasesFirst;
  const web = state({ web: 11 });
  t.equal(first(web, state({ db: 11 })), true, "of another service");
  t.equal(first(BARE, web), true, "that no container had");
  const onHold = withTable(web, { leases: web.table.leases.map((one) => ({ ...one, releasedAt: NOW })) });
  t.equal(first(onHold, web), false, "back to its previous owner");
  t.equal(first(BARE, onHold), false, "on hold");
});

t.test("hairpin mode: undone only on ports where OCDD had set it", async (t) => {
  const base = state({});
  const actual = withTable({ ...base, hairpins: ["mine", "theirs"] }, { hairpins: ["mine"] });
  t.strictSame(lines(actual, base), [
    "~ leases file",
    "- hairpin mine, for connections of a container to its own address",
  ]);
});

t.test("aliases: distinguished by device and address, not by their label", async (t) => {
  const one = alias("192.168.122.11");
  t.strictSame(aliasChanges([{ ...one, label: "" }], [one]), { added: [], removed: [] });
  const other = alias("192.168.122.11", "eth0");
  t.strictSame(aliasChanges([other], [one]), { added: [one], removed: [other] });
});

t.test(
  "without the leases written: forwards and aliases of known owners alone, files as they are",
  async (t) => {
    const actual = state({ web: 11, old: 12 });
    const desired = state({ web: 11, new: 12, db: 13 }, { targets: { web: 99 } });
    const p = knownOwnersOnly(plan(actual, desired));
    t.match(p, { writeLeases: false, leasesFirst: false, actual });
    const { dataPath, aliases, ...files } = p.desired;
    t.strictSame(
      dataPath.forwards.map((one) => `${one.name} ${one.target}`),
      ["web 172.17.0.99"],
      "neither what is new nor what has another owner",
    );
    t.strictSame(aliases, [alias("192.168.122.11")]);
    const { dataPath: _, aliases: __, ...before } = actual;
    t.strictSame(files, before);
  },
);

t.test("without the leases written, and no owner known: the constant rules stay as they are", async (t) => {
  const { desired } = knownOwnersOnly(plan(BARE, state({ web: 11 })));
  t.strictSame(desired, BARE);
  const { desired: none } = knownOwnersOnly(plan(state({ old: 11 }), state({ web: 11 })));
  t.strictSame([none.dataPath.frame, none.dataPath.forwards, none.aliases], [FRAME, [], []]);
});

t.test(
  "any two states: a plan is empty exactly when the states are equal, and flushes aliases that lead elsewhere",
  async () => {
    const services = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.integer({ min: 11, max: 14 }), {
      maxKeys: 3,
    });
    const some = fc
      .tuple(services, services)
      .filter(([list]) => new Set(Object.values(list)).size === Object.keys(list).length)
      .map(([list, targets]) => state(list, { targets }));
    const way = (one: State): string[] => one.dataPath.forwards.map((f) => `${f.alias} ${f.target}`);
    fc.assert(
      fc.property(some, some, (actual, desired) => {
        const p = plan(actual, desired);
        const before = new Set(way(actual));
        const after = new Set(way(desired));
        const moved = [...before, ...after].filter((one) => before.has(one) !== after.has(one));
        const elsewhere = new Set(moved.map((one) => one.split(" ")[0]));
        return (
          isEmpty(p) === (JSON.stringify(actual) === JSON.stringify(desired)) &&
          JSON.stringify([...p.flushed].sort()) === JSON.stringify([...elsewhere].sort()) &&
          new Set(describeAll(p.steps)).size === p.steps.length
        );
      }),
      { numRuns: 500 },
    );
  },
);
