/** First packets to a container that does not run: they wait, and everything else is as for a container that runs. */
import fc from "fast-check";
import t from "tap";
import { canonical, type Forward, waiting } from "../../../src/core/forwards/forward.ts";
import { renderAll } from "../../../src/core/forwards/nft.ts";
import { type Packet, readRuleset } from "../../trace.ts";
import { traceNft } from "../../trace-nft.ts";
import { readNft } from "../../trace-nft-read.ts";
import { anyForward, converge, FRAME, forward, look, pathOf, recorded } from "./iptables.ts";
import { AROUND, at, CLIENT, FAR, SELF, tcp, udp, verdict, WEB } from "./packets.ts";

const QUEUE = { ...FRAME, queue: 47_053 };
const PAGE = 40_001;
const asleep = (alias: string, labels: Readonly<Record<string, string>> = {}): Forward =>
  waiting({ ...forward(alias, "172.17.0.9", labels), target: null });
const FORWARDS = [
  forward("192.168.122.11", "172.17.0.2"),
  asleep("192.168.122.12"),
  asleep("192.168.122.13", { "ocdd.ports": "80,53/udp" }),
  asleep("192.168.122.14", { "ocdd.allow": "192.168.122.50" }),
  asleep("192.168.122.15", { "ocdd.map": "80:8080", "ocdd.ports": "80" }),
  { ...asleep("192.168.122.16"), page: PAGE },
  { ...asleep("192.168.122.17", { "ocdd.ports": "443" }), page: PAGE },
];

for (const engine of ["20.10", "28"] as const) {
  const held = converge(recorded(engine), pathOf(FORWARDS, { ...QUEUE, page: PAGE }));
  const refused = converge(recorded(engine), pathOf(FORWARDS, FRAME));
  t.test(`beside Docker ${engine}`, async (t) => {
    t.equal(verdict({ ...CLIENT, ...tcp(80, ".12") }, held), "waits");
    t.equal(verdict({ ...CLIENT, ...udp(53, ".12") }, held), "waits");
    t.equal(verdict({ ...CLIENT, protocol: "sctp", port: 9, to: "192.168.122.12" }, held), "waits");
    t.equal(verdict({ ...CLIENT, protocol: "icmp", to: "192.168.122.12" }, held), "waits");
    t.equal(verdict({ ...SELF, ...tcp(80, ".12") }, held), "waits", "from the host itself");
    t.equal(verdict({ ...WEB, ...tcp(80, ".12") }, held), "waits", "from a container");
    t.equal(verdict({ ...CLIENT, ...tcp(80, ".13") }, held), "waits");
    t.equal(verdict({ ...CLIENT, ...tcp(81, ".13") }, held), "rejected", "a port that it does not offer");
    t.equal(verdict({ ...CLIENT, ...tcp(80, ".14") }, held), "waits");
    t.equal(verdict({ ...FAR, ...tcp(80, ".14") }, held), "rejected", "from outside of ocdd.allow");
    t.equal(verdict({ ...CLIENT, ...tcp(80, ".15") }, held), "waits");
    t.equal(verdict({ ...CLIENT, ...tcp(8080, ".15") }, held), "rejected");
    t.strictSame(verdict({ ...CLIENT, ...tcp(80, ".16") }, held), at("192.168.122.16", PAGE), "the page");
    t.equal(verdict({ ...CLIENT, ...tcp(443, ".16") }, held), "waits", "beside the page");
    t.equal(
      verdict({ ...CLIENT, ...tcp(PAGE, ".16") }, held),
      "waits",
      "the page's own port is no way to it",
    );
    t.equal(verdict({ ...CLIENT, ...tcp(PAGE, ".13") }, held), "rejected");
    t.equal(
      verdict({ ...CLIENT, ...tcp(80, ".17") }, held),
      "rejected",
      "no page where port 80 is not offered",
    );
    t.strictSame(verdict({ ...CLIENT, ...tcp(80, ".11") }, held), at("172.17.0.2", 80), "one that runs");
  });
  t.test(`beside Docker ${engine}, with the nftables tables: the same`, async (t) => {
    const frame = { ...QUEUE, page: PAGE };
    for (const mode of ["guard", "full"] as const) {
      const rules = readNft(renderAll(frame, FORWARDS, { mode, markEarly: false, waits: true }));
      const waits = mode === "full" ? FORWARDS.filter((one) => one.waits === true) : FORWARDS;
      const iptables = readRuleset(converge(recorded(engine), pathOf(waits, frame)));
      const trace = (packet: Packet) => traceNft(packet, rules, { ...AROUND, iptables });
      t.equal(trace({ ...CLIENT, ...tcp(80, ".12") }), "waits", mode);
      t.equal(trace({ ...CLIENT, ...tcp(81, ".13") }), "rejected", mode);
      t.strictSame(trace({ ...CLIENT, ...tcp(80, ".16") }), at("192.168.122.16", PAGE), `${mode}: the page`);
      t.equal(trace({ ...CLIENT, ...tcp(PAGE, ".13") }), "rejected", mode);
    }
  });
  t.test(`beside Docker ${engine}, where nothing reads a queue: refused`, async (t) => {
    for (const packet of [tcp(80, ".12"), udp(53, ".12"), tcp(80, ".13")])
      t.equal(verdict({ ...CLIENT, ...packet }, refused), "rejected");
    t.notMatch(refused, "NFQUEUE");
  });
  t.test(
    `beside Docker ${engine}: what is read back is what was written, and the end leaves nothing`,
    async (t) => {
      const { dataPath } = look(held);
      t.strictSame(dataPath.damaged, []);
      t.equal(dataPath.frame?.queue, 47_053);
      t.strictSame(dataPath.forwards, FORWARDS.map(canonical));
      t.equal(converge(held, { frame: null, forwards: [], damaged: [] }), recorded(engine));
      const awake = converge(held, pathOf([forward("192.168.122.11", "172.17.0.2")]));
      t.notMatch(awake, "OCDD-ASLEEP", "the chain goes with the last one that sleeps");
    },
  );
}

t.test("any forward: waiting and back, the rules are as if it had never waited", async () => {
  fc.assert(
    fc.property(anyForward("192.168.122.12"), fc.boolean(), (one, page) => {
      const own = canonical(one);
      const still = canonical({ ...own, target: null, waits: true, ...(page ? { page: PAGE } : {}) });
      const before = converge(recorded("28"), pathOf([own]));
      const during = converge(
        before,
        pathOf([still], { ...QUEUE, ...(still.page === undefined ? {} : { page: PAGE }) }),
      );
      const read = look(during).dataPath;
      return (
        JSON.stringify(read.forwards) === JSON.stringify([still]) &&
        read.damaged.length === 0 &&
        converge(during, pathOf([own])) === before
      );
    }),
    { numRuns: 200 },
  );
});
