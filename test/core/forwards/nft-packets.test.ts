/** The nft backend's effect on a packet: its tables as rendered beside Docker's own rules in each layout. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import type { Forward } from "../../../src/core/forwards/forward.ts";
import { renderAll } from "../../../src/core/forwards/nft.ts";
import { type Packet, readRuleset, type Verdict } from "../../trace.ts";
import { type NftAround, traceNft } from "../../trace-nft.ts";
import { readNft } from "../../trace-nft-read.ts";
import { anyForward, converge, FRAME, forward, pathOf, recorded } from "./iptables.ts";
import { AROUND, at, CLIENT, FAR, SELF, tcp, udp, verdict, WEB } from "./packets.ts";
import { FORWARDS, ROWS } from "./rows.ts";

const DOCKER_29 = readFileSync(new URL("../../recorded/docker-29.nft", import.meta.url), "utf8");

const port = (address: string): string => `v${address.split(".").slice(1).join(".")}`;
const guarded = (forwards: readonly Forward[]): Forward[] =>
  forwards.map((one) => ({ ...one, bridgePort: port(one.target ?? "") }));
const PORTS = new Map(
  ["172.17", "172.20"].flatMap((net) =>
    Array.from({ length: 20 }, (_, i) => [`${net}.0.${i + 2}`, port(`${net}.0.${i + 2}`)] as const),
  ),
);

type Layout = "20.10" | "28" | "29";
/** The rules beside each of Docker's layouts: the constant chains in iptables, or none. */
function beside(layout: Layout, forwards: readonly Forward[], around: Partial<NftAround> = {}) {
  const tables = renderAll(FRAME, forwards, { mode: "full", markEarly: layout === "29" });
  const rules = readNft(layout === "29" ? `${DOCKER_29}\n${tables}` : tables);
  const iptables = layout === "29" ? {} : { iptables: readRuleset(converge(recorded(layout), pathOf([]))) };
  return (packet: Packet): Verdict =>
    traceNft(packet, rules, { ...AROUND, bridgePorts: PORTS, ...iptables, ...around });
}

/** Chains without rules, as `iptables -F` leaves them. */
const CHAINS: Readonly<Record<string, string>> = {
  filter: ":INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n",
  nat: ":PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n",
};

/** Rows about iptables' policy, or about another program's rule. */
const NOT_BY_29 = new Set(["outside the pool, on either side"]);
const FOREIGN = "an alias as the target of a redirection by others";

for (const layout of ["20.10", "28", "29"] as const) {
  t.test(`Docker ${layout}: where each packet goes`, (t) => {
    const trace = beside(layout, guarded(FORWARDS));
    for (const row of ROWS) {
      if (row.name === FOREIGN || (layout === "29" && NOT_BY_29.has(row.name))) continue;
      t.strictSame(trace(row.in), row.want, row.name);
    }
    t.end();
  });

  t.test(`Docker ${layout}: an alias leads only through the port of its lease`, (t) => {
    const [web] = guarded([forward("192.168.122.11", "172.17.0.2")]);
    if (web === undefined) throw new Error("no forward");
    for (const bridgePort of [null, port("172.17.0.3")]) {
      const trace = beside(layout, [{ ...web, bridgePort }]);
      for (const from of [CLIENT, WEB, SELF]) t.equal(trace({ ...from, ...tcp(99, ".11") }), "dropped");
      t.strictSame(
        trace({ ...CLIENT, ...tcp(80, ".200") }),
        at("172.17.0.2", 80),
        "a published port is not affected",
      );
    }
    t.end();
  });
}

for (const flushed of ["none", "filter", "nat", "both"] as const) {
  t.test(
    `iptables redirects, ${flushed} of its rules removed by another program: the host answers on no alias`,
    (t) => {
      const forwards = guarded(FORWARDS);
      const tables = renderAll(FRAME, forwards, { mode: "guard", markEarly: false });
      const whole = converge(recorded("28"), pathOf(forwards));
      const gone = ["filter", "nat"].filter((table) => flushed === table || flushed === "both");
      // iptables -F and -X, and every policy ACCEPT
      const left = gone.reduce(
        (text, table) =>
          text.replace(new RegExp(`\\*${table}\n[^]*?COMMIT\n`), `*${table}\n${CHAINS[table]}COMMIT\n`),
        whole,
      );
      const rules = readNft(tables);
      const trace = (packet: Packet): Verdict =>
        traceNft(packet, rules, { ...AROUND, bridgePorts: PORTS, iptables: readRuleset(left) });
      const [one] = forwards;
      const alias = one?.alias ?? "";
      for (const from of [CLIENT, FAR, SELF, WEB]) {
        t.equal(trace({ ...from, ...tcp(22, ".29") }), "rejected", "an alias that no container has");
        if (gone.includes("nat")) t.equal(trace({ ...from, ...tcp(22, alias) }), "rejected", "one in use");
      }
      // the host's own address stays what it is
      t.equal(trace({ ...CLIENT, ...tcp(22, ".200") }), "untouched");
      t.end();
    },
  );
}

for (const [layout, mode] of [
  ["28", "guard"],
  ["28", "full"],
  ["29", "full"],
] as const) {
  t.test(
    `Docker ${layout}, ${mode}: what a neighbour still sends for an alias that is gone is refused at once`,
    (t) => {
      const tables = (device?: string): string =>
        renderAll(FRAME, guarded(FORWARDS), { mode, markEarly: layout === "29", device });
      const rules = (device?: string) =>
        readNft(layout === "29" ? `${DOCKER_29}\n${tables(device)}` : tables(device));
      const around: NftAround = {
        ...AROUND,
        local: AROUND.local.filter((address) => address !== "192.168.122.29"),
        bridgePorts: PORTS,
        ...(layout === "29" ? {} : { iptables: readRuleset(converge(recorded("28"), pathOf([]))) }),
      };
      const trace = (packet: Packet, device?: string): Verdict => traceNft(packet, rules(device), around);
      t.equal(trace({ ...CLIENT, ...tcp(80, ".29") }, "ens3"), "rejected");
      t.not(trace({ ...CLIENT, ...tcp(80, ".29") }), "rejected", "not where the device is a bridge");
      t.not(trace({ ...WEB, ...tcp(80, ".29") }, "ens3"), "rejected", "a container asks the network");
      for (const packet of [tcp(80, ".200"), tcp(80, "198.51.100.1"), udp(53, ".12")])
        t.strictSame(trace({ ...CLIENT, ...packet }, "ens3"), trace({ ...CLIENT, ...packet }), packet.to);
      t.end();
    },
  );
}

t.test("nothing waits: port 80 of an alias that others redirect to the host is refused as well", (t) => {
  const foreign = `table ip x {
chain y {
type nat hook prerouting priority -150; policy accept;
tcp dport 80 dnat to 192.168.122.29:8080
}
}
`;
  const trace = (waits: boolean): Verdict => {
    const tables = renderAll(FRAME, guarded(FORWARDS), { mode: "full", markEarly: true, waits });
    return traceNft({ ...CLIENT, ...tcp(80, ".29") }, readNft(`${foreign}${tables}`), AROUND);
  };
  t.equal(trace(false), "rejected");
  t.strictSame(trace(true), at("192.168.122.29", 8080), "left to iptables, which is not here");
  t.end();
});

t.test("Docker 29 without the mark in its configuration: no alias is reached from outside", (t) => {
  const tables = renderAll(FRAME, guarded(FORWARDS), { mode: "full", markEarly: true });
  const rules = readNft(`${DOCKER_29.replaceAll(/.*ALLOW FW MARK.*\n/g, "")}\n${tables}`);
  t.equal(traceNft({ ...CLIENT, ...udp(53, ".12") }, rules, AROUND), "dropped");
  t.end();
});

t.test("a rule that the tracer does not know is an error", (t) => {
  const chain =
    "table ip x {\nchain y {\ntype filter hook input priority 0; policy accept;\nip ttl 1 drop\n}\n}\n";
  t.throws(
    () => traceNft({ ...CLIENT, ...tcp(22, ".200") }, readNft(chain), AROUND),
    /does not know: ip ttl/,
  );
  t.throws(() => readNft("quota x"), /does not know: quota/);
  t.end();
});

t.test("any policy: both backends do the same to any packet", async () => {
  const protocol = fc.constantFrom("tcp", "udp", "sctp");
  const from = fc.oneof(
    fc.constantFrom(CLIENT, FAR, SELF, WEB),
    fc.ipV4().map((address) => ({ ...CLIENT, from: address })),
  );
  fc.assert(
    fc.property(
      fc.array(anyForward("192.168.122.15"), { minLength: 1, maxLength: 1 }),
      fc.array(fc.tuple(from, protocol, fc.integer({ min: 1, max: 65_535 }), fc.nat(200)), { minLength: 20 }),
      ([one], packets) => {
        if (one === undefined) return false;
        const [policy] = guarded([one]);
        if (policy === undefined) return false;
        const nft = beside("28", [policy]);
        const iptables = converge(recorded("28"), pathOf([policy]));
        const known = [...policy.map, ...(policy.ports ?? [])];
        return packets.every(([sender, proto, number, pick]) => {
          const offered = known[pick];
          const packet: Packet = {
            ...sender,
            ...tcp(offered?.port ?? number, ".15"),
            protocol: offered?.protocol ?? proto,
          };
          return JSON.stringify(nft(packet)) === JSON.stringify(verdict(packet, iptables));
        });
      },
    ),
    { numRuns: 100 },
  );
});
