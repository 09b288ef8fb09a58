/** The order of rules: the operator's in DOCKER-USER and FORWARD, Docker's, OCDD's. */
import fc from "fast-check";
import t from "tap";
import { blockersOf } from "../../../src/core/forwards/iptables-jumps.ts";
import { applyTransaction } from "../../fake/iptables.ts";
import { converge, forward, look, NOTHING, pathOf, recorded, written } from "./iptables.ts";
import { at, CLIENT, DB, FAR, tcp, verdict, WEB } from "./packets.ts";

const WANTED = pathOf([
  forward("192.168.122.11", "172.17.0.2"),
  forward("192.168.122.12", "172.20.0.2"),
  forward("192.168.122.13", "172.17.0.13", { "ocdd.map": "80:8080,53:5353/udp" }),
]);

const OURS = "-j OCDD-FORWARD";

const filter = (ruleset: string, ...lines: readonly string[]): string =>
  applyTransaction(ruleset, `*filter\n${lines.map((line) => `${line}\n`).join("")}COMMIT\n`);
const rulesOf = (ruleset: string, chain: string): readonly string[] =>
  look(ruleset).snapshot.chains.get(`filter/${chain}`) ?? [];
const run = (ruleset: string): string => converge(ruleset, WANTED);
const insert = (ruleset: string, chain: string, at: number, rule: string): string =>
  filter(ruleset, `-I ${chain} ${Math.min(at, rulesOf(ruleset, chain).length) + 1} ${rule}`);
const withoutOurs = (ruleset: string): string =>
  rulesOf(ruleset, "FORWARD").includes(OURS) ? filter(ruleset, `-D FORWARD ${OURS}`) : ruleset;
/** Jumps of Docker's to the top of FORWARD, the last one first, as it moves them itself. */
const toTop = (ruleset: string, ...chains: readonly string[]): string =>
  chains.reduce((before, chain) => {
    const there = rulesOf(before, "FORWARD").includes(`-j ${chain}`);
    return filter(before, ...(there ? [`-D FORWARD -j ${chain}`] : []), `-I FORWARD 1 -j ${chain}`);
  }, ruleset);

/** Rules of an operator's, ufw-docker's RETURN for private networks and Docker's manual's DROP among them. */
const own = fc.constantFrom(
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
);
const rule = fc.oneof(
  { weight: 3, arbitrary: own },
  fc.constantFrom("-i ens3 -j LISTED", "-j DOCKER-BLOCK", "-j DOCKER-FORWARDED", "-j ufw-before-forward"),
);
/** The operator's chains, some with names that look like Docker's. */
const chains = fc
  .tuple(
    ...["LISTED", "DOCKER-BLOCK", "DOCKER-FORWARDED", "ufw-before-forward"].map((chain) =>
      fc
        .array(own, { maxLength: 2 })
        .map((rules) => [`:${chain} - [0:0]`, ...rules.map((line) => `-A ${chain} ${line}`)]),
    ),
  )
  .map((lists) => lists.flat());

/** `docker`: the first of Docker's chains that may refuse traffic to containers. */
type Change = (ruleset: string, docker: string) => string;
const CHANGES: Readonly<Record<string, Change>> = {
  "a run": run,
  "the last service goes": (ruleset) => converge(ruleset, NOTHING),
  "the accept is lost": withoutOurs,
  // 28 at its start; 20.10 also at a new network
  "Docker starts": (ruleset, docker) => toTop(ruleset, docker, "DOCKER-USER"),
  "a swarm publishes a port": (ruleset) => toTop(ruleset, "DOCKER-INGRESS"),
  "a swarm's network is new": (ruleset) => toTop(ruleset, "DOCKER-INGRESS", "DOCKER-USER"),
};
const change = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("FORWARD", "DOCKER-USER"), fc.nat(6), rule) },
  fc.constantFrom(...Object.keys(CHANGES)),
);

for (const engine of ["20.10", "28"] as const) {
  const docker = filter(
    recorded(engine),
    // of a swarm
    ":DOCKER-INGRESS - [0:0]",
    "-A DOCKER-INGRESS -p tcp -m tcp --dport 8080 -j ACCEPT",
    "-A DOCKER-INGRESS -j RETURN",
  );
  const first = engine === "28" ? "DOCKER-FORWARD" : "DOCKER-ISOLATION-STAGE-1";

  /** The operator's rules alone: those of FORWARD before Docker's, and an accept. */
  const alone = (ruleset: string): string => {
    const rules = rulesOf(withoutOurs(ruleset), "FORWARD");
    const before = rules.slice(0, rules.indexOf(`-j ${first}`));
    const accepting = [...before, "-j ACCEPT"].map((line) => `-A FORWARD ${line}`);
    return filter(ruleset.replace(/^-A FORWARD .*\n/gm, ""), ...accepting);
  };

  t.test(
    `Docker ${engine}: what the operator refuses before Docker's rules is refused, all else is accepted, whenever the rules came`,
    async () => {
      fc.assert(
        fc.property(chains, fc.array(change, { maxLength: 8 }), (declared, changes) => {
          let ruleset = filter(docker, ...declared);
          for (const one of changes)
            ruleset =
              typeof one === "string" ? (CHANGES[one] as Change)(ruleset, first) : insert(ruleset, ...one);
          ruleset = run(ruleset);
          const expected = alone(ruleset);
          const same = [CLIENT, FAR, WEB, DB].every((from) =>
            [".11", ".12", ".13"].every((to) => {
              const packet = { ...from, ...tcp(80, to) };
              return JSON.stringify(verdict(packet, ruleset)) === JSON.stringify(verdict(packet, expected));
            }),
          );
          return same && written(ruleset, WANTED) === "" && look(ruleset).dataPath.damaged.length === 0;
        }),
        { numRuns: 200 },
      );
    },
  );

  t.test(`Docker ${engine}: a rule between DOCKER-USER and Docker's own survives each change`, async (t) => {
    const reached = (ruleset: string) => [
      verdict({ ...CLIENT, ...tcp(80, ".11") }, ruleset),
      verdict({ ...FAR, ...tcp(80, ".11") }, ruleset),
    ];
    const dropped = ["dropped", at("172.17.0.2", 80)];
    const drop = "-s 192.168.122.50/32 -j DROP";
    for (const [name, to] of Object.entries(CHANGES)) {
      if (name === "Docker starts") continue; // it overtakes the rule
      t.strictSame(
        reached(run(insert(to(docker, first), "FORWARD", 1, drop))),
        dropped,
        `${name}, then the rule`,
      );
      t.strictSame(
        reached(run(to(insert(run(docker), "FORWARD", 1, drop), first))),
        dropped,
        `the rule, then: ${name}`,
      );
    }
  });

  t.test(
    `Docker ${engine}: DOCKER-USER behind Docker's own: its rules are in force, and doctor names the order`,
    async (t) => {
      const swapped = run(insert(toTop(docker, first), "DOCKER-USER", 0, "-s 192.168.122.50/32 -j DROP"));
      const forward = rulesOf(swapped, "FORWARD");
      t.ok(forward.indexOf(OURS) > forward.indexOf("-j DOCKER-USER"));
      t.equal(verdict({ ...CLIENT, ...tcp(80, ".12") }, swapped), "dropped");
      t.strictSame(blockersOf(look(swapped).snapshot.chains), [{ chain: "FORWARD", rule: `-j ${first}` }]);
      const ingress = run(toTop(docker, "DOCKER-INGRESS"));
      t.strictSame(blockersOf(look(ingress).snapshot.chains), [], "a swarm's chain refuses nothing");
    },
  );

  t.test(
    `Docker ${engine}: an accept that Docker's jumps have overtaken is damaged, and moved in one transaction`,
    async (t) => {
      const before = converge(docker, WANTED);
      // dockerd 28 at its start: DOCKER-FORWARD, then DOCKER-USER at the top of FORWARD; 20.10 its isolation at a new network
      const overtaken = toTop(before, first, "DOCKER-USER");
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
  "without DOCKER-USER: the accept is behind the operator's rules, before their end and Docker's",
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
    t.strictSame(placed([...own, '-m comment --comment "the end" -j DROP']).indexOf(ours), 2);
    t.strictSame(placed(["-j DROP", ...own]), ["-j DROP", ...own, ours], "put in front of all, it is no end");
    const panic = converge(table(own), WANTED).replace("-A FORWARD -s", "-A FORWARD -j DROP\n-A FORWARD -s");
    t.equal(written(panic, WANTED), "", "an end that the operator puts before the accept stays");
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
  t.strictSame(blocked("-I DOCKER-USER 1 -m comment --comment panic -j DROP"), [
    { chain: "DOCKER-USER", rule: "-m comment --comment panic -j DROP" },
  ]);
});
