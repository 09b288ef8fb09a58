/** The rules, by what they do to a packet: through OCDD's chains as rendered and Docker's own as recorded. */
import fc from "fast-check";
import t from "tap";
import { blockersOf } from "../../../src/core/forwards/iptables-jumps.ts";
import { applyTransaction } from "../../fake/iptables.ts";
import { type Packet, readRuleset, trace, type Verdict } from "../../trace.ts";
import { converge, forward, look, NOTHING, pathOf, recorded, written } from "./iptables.ts";

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
  forward("192.168.122.17", "172.20.0.1"),
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
  {
    name: "the reset for what the host itself asked of a port that is not offered",
    in: {
      ...SELF,
      from: "192.168.122.14",
      to: "192.168.122.14",
      protocol: "tcp",
      port: 40000,
      answer: "related",
    },
    want: "untouched",
  },
  {
    name: "an alias whose container has an address of the host's own",
    in: { ...CLIENT, ...tcp(2222, ".17") },
    want: "rejected",
  },
  {
    name: "an alias as the target of a redirection by others",
    in: { ...CLIENT, ...tcp(9000, ".200") },
    want: "rejected",
  },
];

const AROUND = { local: LOCAL, routes: ROUTES };
const WANTED = pathOf(FORWARDS);
const verdict = (packet: Packet, ruleset: string): Verdict => trace(packet, readRuleset(ruleset), AROUND);

for (const engine of ["20.10", "28"] as const) {
  const docker = recorded(engine);

  t.test(`Docker ${engine}: where each packet goes`, async (t) => {
    const foreign = applyTransaction(
      docker,
      "*nat\n-I PREROUTING 1 -d 192.168.122.200/32 -p tcp -m tcp --dport 9000 -j DNAT --to-destination 192.168.122.12:80\nCOMMIT\n",
    );
    const after = converge(foreign, WANTED);
    for (const row of ROWS) t.strictSame(verdict(row.in, after), row.want, row.name);

    t.test(
      "the second look finds nothing to do, and teardown leaves Docker's rules as they were",
      async (t) => {
        t.equal(written(after, WANTED), "");
        t.strictSame(look(after).dataPath.damaged, []);
        t.equal(converge(after, NOTHING), foreign);
      },
    );

    t.test("without OCDD's rules the tracer shows what went wrong before", async (t) => {
      t.strictSame(
        verdict({ ...CLIENT, ...tcp(80, ".12") }, docker),
        at("172.17.0.2", 80),
        "another container",
      );
      t.equal(verdict({ ...CLIENT, ...tcp(22, ".30") }, docker), "untouched", "the host's sshd");
    });
  });

  /** Rules of an operator's for DOCKER-USER, ufw-docker's RETURN for private networks and Docker's manual's DROP among them. */
  const rule = fc.constantFrom(
    "-j DROP",
    "-j ACCEPT",
    "-j RETURN",
    "-j REJECT --reject-with icmp-port-unreachable",
    "-s 192.168.122.50/32 -j DROP",
    "-s 192.168.122.50/32 -j RETURN",
    "-s 192.168.122.0/24 -j RETURN",
    "! -s 192.168.122.50/32 -i ens3 -j DROP",
    "-i ens3 -j ACCEPT",
    "-m state --state RELATED,ESTABLISHED -j ACCEPT",
    "-m conntrack --ctstate NEW -j REJECT --reject-with icmp-port-unreachable",
    "-d 172.17.0.0/16 -p tcp -m tcp --dport 80 -j DROP",
    "-m conntrack --ctorigdst 192.168.122.12 -j DROP",
    "-i ens3 -j LISTED",
  );
  const edit = fc.record({ rule, at: fc.nat(5), run: fc.boolean() });
  const senders = [CLIENT, FAR, WEB, DB];
  const targets = [".11", ".12", ".13"];

  t.test(
    `Docker ${engine}: what the operator refuses is refused, all else is accepted, whenever the rules came`,
    async () => {
      fc.assert(
        fc.property(fc.array(edit, { maxLength: 6 }), fc.array(rule, { maxLength: 3 }), (edits, listed) => {
          let ruleset = applyTransaction(
            docker,
            `*filter\n:LISTED - [0:0]\n${listed
              .filter((r) => !r.includes("LISTED"))
              .map((r) => `-A LISTED ${r}\n`)
              .join("")}COMMIT\n`,
          );
          for (const { rule, at, run } of edits) {
            const rules = look(ruleset).snapshot.chains.get("filter/DOCKER-USER")?.length ?? 0;
            const line = `-I DOCKER-USER ${Math.min(at, rules) + 1} ${rule}`;
            ruleset = applyTransaction(ruleset, `*filter\n${line}\nCOMMIT\n`);
            if (run) ruleset = converge(ruleset, WANTED);
          }
          ruleset = converge(ruleset, WANTED);
          // the operator's verdict alone: nothing in FORWARD but DOCKER-USER
          const alone = ruleset
            .replace(/^:FORWARD DROP/m, ":FORWARD ACCEPT")
            .replace(/^-A FORWARD (?!-j DOCKER-USER$).*\n/gm, "");
          const settled = written(ruleset, WANTED) === "";
          const same = senders.every((from) =>
            targets.every((to) => {
              const packet = { ...from, ...tcp(80, to) };
              return JSON.stringify(verdict(packet, ruleset)) === JSON.stringify(verdict(packet, alone));
            }),
          );
          return settled && same;
        }),
        { numRuns: 300 },
      );
    },
  );

  t.test(
    `Docker ${engine}: an accept that Docker's jumps have overtaken is damaged, and moved in one transaction`,
    async (t) => {
      const before = converge(docker, WANTED);
      // dockerd 28 at its start: DOCKER-FORWARD, then DOCKER-USER at the top of FORWARD; 20.10 its isolation at a new network
      const first = engine === "28" ? "DOCKER-FORWARD" : "DOCKER-ISOLATION-STAGE-1";
      const restart = [first, "DOCKER-USER"].flatMap((chain) => [
        `-D FORWARD -j ${chain}`,
        `-I FORWARD 1 -j ${chain}`,
      ]);
      const overtaken = applyTransaction(before, `*filter\n${restart.join("\n")}\nCOMMIT\n`);
      t.strictSame(look(overtaken).dataPath.damaged, ["accept"]);
      t.equal(
        written(overtaken, WANTED),
        "*filter\n-D FORWARD -j OCDD-FORWARD\n-I FORWARD 2 -j OCDD-FORWARD\nCOMMIT\n",
      );
      t.equal(converge(overtaken, WANTED), before);
    },
  );

  t.test(
    `Docker ${engine}: the jump of version 2.0.0 in DOCKER-USER goes as the new one comes`,
    async (t) => {
      const chains =
        "*filter\n:OCDD-FORWARD - [0:0]\n-A OCDD-FORWARD -m conntrack --ctstate DNAT --ctorigdst 192.168.122.11 -j ACCEPT\n";
      const old = applyTransaction(docker, `${chains}-I DOCKER-USER 1 -j OCDD-FORWARD\nCOMMIT\n`);
      t.ok(look(old).dataPath.damaged.includes("accept"));
      t.match(written(old, WANTED), "-D DOCKER-USER -j OCDD-FORWARD\n");
      t.equal(converge(old, WANTED), converge(docker, WANTED));
    },
  );
}

t.test(
  "without DOCKER-USER the accept stands behind the operator's rules, before their end and Docker's",
  async (t) => {
    const table = (rules: readonly string[]): string =>
      `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:DOCKER - [0:0]\n${rules.map((r) => `-A FORWARD ${r}\n`).join("")}COMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n`;
    const placed = (rules: readonly string[]): string[] =>
      look(converge(table(rules), WANTED)).snapshot.chains.get("filter/FORWARD") as string[];
    const ours = "-j OCDD-FORWARD";
    const own = ["-s 10.0.0.0/8 -j DROP", "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"];
    t.strictSame(placed([]), [ours]);
    t.strictSame(placed(own), [...own, ours]);
    t.strictSame(placed([...own, "-j REJECT --reject-with icmp-port-unreachable"]).indexOf(ours), 2);
    t.strictSame(placed([...own, "-o docker0 -j DOCKER", "-j DROP"]).indexOf(ours), 2);
    const panic = converge(table(own), WANTED).replace("-A FORWARD -s", "-A FORWARD -j DROP\n-A FORWARD -s");
    t.equal(written(panic, WANTED), "", "an end that the operator puts before the accept stands");
  },
);

t.test("rules behind which no alias works are named", async (t) => {
  const blocked = (...lines: string[]) =>
    blockersOf(
      look(applyTransaction(converge(recorded("28"), WANTED), `*filter\n${lines.join("\n")}\nCOMMIT\n`))
        .snapshot.chains,
    );
  t.strictSame(blocked(), []);
  t.strictSame(blocked("-I DOCKER-USER 1 -s 10.0.0.1/32 -j DROP"), [], "a restriction is none");
  t.strictSame(blocked("-I DOCKER-USER 1 -j DROP"), [{ chain: "DOCKER-USER", rule: "-j DROP" }]);
  t.strictSame(blocked("-A FORWARD -j DROP"), [], "behind the accept");
  t.strictSame(blocked("-I FORWARD 1 -j REJECT"), [{ chain: "FORWARD", rule: "-j REJECT" }]);
  t.strictSame(blocked(":MINE - [0:0]", "-A MINE -j DROP", "-I DOCKER-USER 1 -j MINE"), [
    { chain: "MINE", rule: "-j DROP" },
  ]);
  t.strictSame(blocked("-I DOCKER-USER 1 -j DROP", "-I DOCKER-USER 1 -j RETURN"), []);
});
