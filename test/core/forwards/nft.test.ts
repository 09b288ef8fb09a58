/** The nftables text: which strings get into it, and how a policy is written. */
import fc from "fast-check";
import t from "tap";
import { fromNumber, type Ipv4, parseCidr, type Range } from "../../../src/core/addresses/ipv4.ts";
import type { Forward } from "../../../src/core/forwards/forward.ts";
import { renderAll } from "../../../src/core/forwards/nft.ts";
import { policyRules } from "../../../src/core/forwards/nft-chains.ts";
import { diffElements, elementsOf, renderElements } from "../../../src/core/forwards/nft-elements.ts";
import { parseTables } from "../../../src/core/forwards/nft-parse.ts";
import type { Name } from "../../../src/core/services/name.ts";

const ip = (text: string): Ipv4 => text as Ipv4;
const range = (cidr: string): Range => parseCidr(cidr) as Range;
const frame = { pool: [range("10.9.0.0/24")], subnets: [range("172.17.0.0/16")] };
const plain: Forward = {
  name: "web" as Name,
  alias: ip("10.9.0.1"),
  target: ip("172.17.0.2"),
  bridgePort: "veth1",
  map: [],
  ports: null,
  allow: null,
};

t.test(
  "hostile names and devices change no line of the tables but their own comment and quoted name",
  (t) => {
    const shape = (forward: Forward): string[] =>
      renderAll(frame, [forward], { mode: "full", markEarly: true })
        .replace(/ comment "[A-Za-z0-9._-]*"/g, "")
        .replace(/add element bridge .*\n/, "")
        .split("\n");
    const wanted = shape(plain);
    const hostile = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom('"', "veth*", 'a" drop', "x\n flush ruleset", "; }", "\\", "a b", "-1", "$x", "@set"),
    );
    fc.assert(
      fc.property(hostile, hostile, (name, bridgePort) => {
        const text = shape({ ...plain, name: name as Name, bridgePort });
        return JSON.stringify(text) === JSON.stringify(wanted);
      }),
    );
    t.end();
  },
);

t.test("a bridge port that nft would take for a pattern: counts as not known", (t) => {
  t.strictSame(
    elementsOf([{ ...plain, bridgePort: "veth*" }], "full").map(({ set }) => set),
    ["leased", "targets"],
  );
  t.end();
});

t.test("a policy becomes bounded rules, and ends with a translation to the alias itself", (t) => {
  const rules = policyRules({
    ...plain,
    map: [{ protocol: "tcp", port: 80, to: 8080 }],
    ports: [
      { protocol: "tcp", port: 80 },
      { protocol: "tcp", port: 443 },
      { protocol: "udp", port: 53 },
    ],
    allow: ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.1/32"],
  });
  t.strictSame(rules, [
    "ip saddr != { 10.0.0.0/8, 192.0.2.1 } dnat to 10.9.0.1",
    "tcp dport 80 dnat to 172.17.0.2:8080",
    "tcp dport 443 dnat to 172.17.0.2",
    "udp dport 53 dnat to 172.17.0.2",
    "dnat to 10.9.0.1",
  ]);
  t.strictSame(policyRules({ ...plain, allow: [] }), ["dnat to 10.9.0.1"], "no source, no way");
  t.end();
});

t.test("a change of the target removes the element before it adds the next under its key", (t) => {
  const next = elementsOf([{ ...plain, target: ip("172.17.0.3") }], "full");
  const { gone, added } = diffElements(elementsOf([plain], "full"), next);
  t.equal(
    renderElements("delete", gone) + renderElements("add", added),
    "delete element ip ocdd targets { 10.9.0.1 }\nadd element ip ocdd targets { 10.9.0.1 : 172.17.0.3 }\n",
  );
  t.end();
});

t.test("the difference of any two states leads from the one to the other", (t) => {
  const forward = fc.record({ alias: fc.nat(5), target: fc.nat(2), port: fc.nat(2), name: fc.nat(2) });
  const state = fc.uniqueArray(forward, { selector: ({ alias }) => alias }).map((list) =>
    elementsOf(
      list.map(({ alias, target, port, name }) => ({
        ...plain,
        name: `n${name}` as Name,
        alias: fromNumber(alias + 1),
        target: fromNumber(target + 100),
        bridgePort: port === 0 ? null : `veth${port}`,
      })),
      "full",
    ),
  );
  fc.assert(
    fc.property(state, state, (before, after) => {
      const { gone, added } = diffElements(before, after);
      const left = before.filter((element) => !gone.includes(element));
      const text = (list: typeof before): string =>
        renderElements(
          "add",
          [...list].sort((a, b) => (a.alias < b.alias ? -1 : 1)),
        );
      return text([...left, ...added]) === text(after);
    }),
  );
  t.end();
});

t.test("a set, chain or rule of the same name in the bridge table is not that of the ip table", (t) => {
  const pool = (family: string, addr: string) => ({
    set: { family, table: "ocdd", name: "pool", elem: [{ prefix: { addr, len: 24 } }] },
  });
  const rule = (family: string, chain: string, more: object) => ({
    rule: { family, table: "ocdd", chain, ...more },
  });
  const saddr = (addr: string) => ({
    expr: [
      {
        match: {
          left: { payload: { protocol: "ip", field: "saddr" } },
          right: { prefix: { addr, len: 16 } },
        },
      },
    ],
  });
  const listing = (...nftables: object[]): string => JSON.stringify({ nftables });
  const seen = parseTables([
    listing(
      pool("ip", "10.9.0.0"),
      rule("ip", "postrouting", saddr("172.17.0.0")),
      rule("ip", "written", { comment: "stamp" }),
    ),
    listing(
      pool("bridge", "10.8.0.0"),
      rule("bridge", "postrouting", saddr("172.18.0.0")),
      rule("bridge", "written", { comment: "other" }),
    ),
  ]);
  t.strictSame(seen.frame, frame);
  t.equal(seen.stamp, "stamp");
  t.end();
});
