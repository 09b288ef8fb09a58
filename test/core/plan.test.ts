import t from "tap";
import { renderFirewall } from "../../src/core/forwards/rules.ts";
import type { LeaseTable, State } from "../../src/core/model.ts";
import { isEmpty, plan } from "../../src/core/plan.ts";
import { renderZone } from "../../src/core/zone/records.ts";
import { alias, BARE, HOST, ip, lease, NOW, name, ZONE } from "./make.ts";

const POOL = [{ first: ip("192.168.122.11"), last: ip("192.168.122.12") }];
const SETTINGS = { zone: ZONE, hostName: "dockerhost", soaEmail: `hostmaster@${ZONE}`, ttl: 60 };

/** A host on which these services, name → last octet, are in force. */
function state(
  services: Readonly<Record<string, number>>,
  over: Partial<State> & { serial?: number; targets?: Record<string, number> } = {},
): State {
  const { serial = 100, targets = {}, ...fields } = over;
  const list = Object.entries(services).map(([n, octet]) => ({
    name: name(n),
    address: ip(`192.168.122.${octet}`),
    target: ip(`172.17.0.${targets[n] ?? octet}`),
  }));
  const forwards = list.map((s) => ({
    name: s.name,
    alias: s.address,
    target: s.target,
    map: [],
    ports: null,
    allow: null,
  }));
  const records = [
    { owner: "@", address: HOST },
    ...list.map((s) => ({ owner: s.name, address: s.address })),
  ];
  return {
    ...BARE,
    table: {
      leases: list.map((s) => lease(s.address, `container:${s.name}`, { names: [s.name] })),
      conflicts: [],
      hairpins: [],
    },
    firewall: renderFirewall(forwards, POOL, [], true),
    aliases: list.map((s) => alias(s.address)),
    zone: renderZone(SETTINGS, records, serial, ""),
    page: JSON.stringify(services),
    ...fields,
  };
}

const serialOf = (text: string | null): number => Number(/\tSOA\t\S+ \S+ (\d+) /.exec(text ?? "")?.[1]);

t.test("equal states make an empty plan", async (t) => {
  const p = plan(state({ web: 11 }), state({ web: 11 }), ZONE);
  t.equal(isEmpty(p), true);
  t.match(p, {
    changes: [],
    table: null,
    tables: [],
    added: [],
    removed: [],
    guarded: true,
    flushed: [],
    announced: [],
    zone: null,
    page: null,
    withdrawal: null,
  });
});

t.test("one more service: its own lines, nothing of the other's", async (t) => {
  const p = plan(state({ web: 11 }), state({ web: 11, db: 12 }, { serial: 101 }), ZONE);
  t.strictSame(p.changes, [
    "+ lease 192.168.122.12 db",
    "+ rule db 192.168.122.12 -> 172.17.0.12",
    "~ chain nat/OCDD, 4 rules",
    "+ address 192.168.122.12",
    "+ record db A 192.168.122.12",
    "~ zone file, serial 101",
    "~ index page",
  ]);
  t.strictSame(p.flushed, ["192.168.122.12"], "connections of the unchanged one are left alone");
  t.strictSame(p.announced, ["192.168.122.12"]);
  t.strictSame(
    p.tables.map(({ table }) => table),
    ["nat"],
  );
  t.equal(p.withdrawal, null);
});

t.test("a container's new address: rules and flows, no alias, no announcement", async (t) => {
  const p = plan(state({ web: 11, db: 12 }), state({ web: 11, db: 12 }, { targets: { db: 99 } }), ZONE);
  t.strictSame([p.added, p.removed, p.announced, p.flushed], [[], [], [], ["192.168.122.12"]]);
});

t.test("a service that goes is withdrawn from the zone before its address goes", async (t) => {
  const p = plan(state({ web: 11, db: 12 }), state({ web: 11 }, { serial: 101 }), ZONE);
  t.equal(p.withdrawal, p.zone);
  t.strictSame(p.removed, [alias("192.168.122.12")]);
});

t.test("aliases and rules go side by side only while the host refuses what has no rule", async (t) => {
  const two = { web: 11, db: 12 };
  t.equal(plan(state(two), state({ web: 11 }), ZONE).guarded, true, "the guard stays");
  t.equal(plan(state(two), BARE, ZONE).guarded, false, "the guard goes with the last");
  t.equal(plan(BARE, state(two), ZONE).guarded, false, "the guard is still to come");
});

t.test("one goes, one comes: two zones, each with a serial of its own", async (t) => {
  for (const serial of [101, 1_000_000]) {
    const p = plan(state({ web: 11, db: 12 }), state({ web: 11, new: 13 }, { serial }), ZONE);
    t.notMatch(p.withdrawal, /^db/m);
    t.match(p.withdrawal, /^web/m);
    t.equal(serialOf(p.withdrawal), 101);
    t.ok(serialOf(p.zone) > 101, `SOA serial rises with every change of content: ${serialOf(p.zone)}`);
    t.ok(p.changes.includes(`~ zone file, serial ${serialOf(p.zone)}`));
  }
});

t.test("with a name goes what it offers", async (t) => {
  const offered = (name: string): string =>
    `_http._tcp.${name}.${ZONE}.\t60\tIN\tSRV\t0 0 80 ${name}.${ZONE}.\t; ADDED-BY-OCDD-SCRIPT\n`;
  const before = state({ web: 11, db: 12 });
  const after = state({ web: 11, new: 13 });
  const p = plan(
    { ...before, zone: before.zone + offered("web") + offered("db") },
    { ...after, zone: after.zone + offered("web") + offered("new") },
    ZONE,
  );
  t.notMatch(p.withdrawal, /^_http\._tcp\.db/m);
  t.match(p.withdrawal, /^_http\._tcp\.web/m);
  t.ok(p.changes.includes(`- record _http._tcp.db SRV 0 0 80 db.${ZONE}.`));
  t.ok(p.changes.includes(`+ record _http._tcp.new SRV 0 0 80 new.${ZONE}.`));
});

t.test("a zone that somebody else wrote is replaced whole, no line of it is touched before", async (t) => {
  const zone = `$TTL 60\n@ IN SOA a b 7 1 1 1 1\n_http._tcp IN SRV 0 5 80 www\ndb\t60\tIN\tA\t192.168.122.12 ; ADDED-BY-OCDD-SCRIPT\n`;
  const p = plan(state({ db: 12 }, { zone }), state({ new: 13 }), ZONE);
  t.equal(p.withdrawal, null);
});

t.test("a name that moves keeps its old line until the new one is written", async (t) => {
  const p = plan(state({ web: 11 }), state({ web: 12 }, { serial: 101 }), ZONE);
  t.equal(p.withdrawal, null);
  t.strictSame([p.removed, p.added], [[alias("192.168.122.11")], [alias("192.168.122.12")]]);
});

t.test("whatever changes is said in a line", async (t) => {
  const base = state({ web: 11 });
  const table = (over: Partial<LeaseTable>): State => ({ ...base, table: { ...base.table, ...over } });
  const rows: [string, State, State, string[]][] = [
    [
      "a conflict",
      base,
      table({ conflicts: [{ address: ip("10.0.0.1"), seenAt: NOW }] }),
      ["+ conflict 10.0.0.1"],
    ],
    [
      "a conflict over",
      table({ conflicts: [{ address: ip("10.0.0.1"), seenAt: NOW }] }),
      base,
      ["- conflict 10.0.0.1"],
    ],
    ["a bridge port gone", table({ hairpins: ["veth1"] }), base, ["~ leases file"]],
    [
      "a release",
      base,
      table({ leases: base.table.leases.map((l) => ({ ...l, releasedAt: NOW })) }),
      ["~ lease 192.168.122.11 web at rest"],
    ],
    ["a lease dropped", base, table({ leases: [] }), ["- lease 192.168.122.11 web"]],
    ["hairpin", base, { ...base, hairpins: ["veth1"] }, ["+ hairpin veth1"]],
    ["page", base, { ...base, page: "x" }, ["~ index page"]],
  ];
  for (const [what, actual, desired, want] of rows) {
    const p = plan(actual, desired, ZONE);
    t.strictSame(p.changes, want, what);
    t.equal(isEmpty(p), false, what);
  }
});

t.test("only hairpin modes of our own doing are undone", async (t) => {
  const base = state({});
  const p = plan(
    { ...base, hairpins: ["mine", "theirs"], table: { ...base.table, hairpins: ["mine"] } },
    base,
    ZONE,
  );
  t.strictSame(p.hairpinsOff, ["mine"]);
});

t.test("an alias on another device is another alias", async (t) => {
  const p = plan(
    state({ web: 11 }, { aliases: [alias("192.168.122.11", "eth0")] }),
    state({ web: 11 }),
    ZONE,
  );
  t.strictSame(p.removed, [alias("192.168.122.11", "eth0")]);
  t.strictSame(p.added, [alias("192.168.122.11")]);
});
