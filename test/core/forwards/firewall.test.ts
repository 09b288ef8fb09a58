import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { forwardOf, parseFirewall, renderTransaction } from "../../../src/core/forwards/firewall.ts";
import { NO_FIREWALL, renderFirewall, TABLES } from "../../../src/core/forwards/rules.ts";
import type { Firewall } from "../../../src/core/model.ts";
import { applyTransaction, saved } from "../../fake/iptables.ts";
import { forward, POOL } from "../make.ts";

const DOCKER = readFileSync(new URL("../../recorded/docker-20.10.txt", import.meta.url), "utf8");
const desired = renderFirewall([forward(11, 2), forward(12, 3)], POOL, [], true);

const transaction = (actual: Firewall, wanted: Firewall): string =>
  TABLES.map((table) => renderTransaction(table, actual, wanted)).join("");
const see = (ruleset: string) => parseFirewall(saved(ruleset), POOL);
/** One run of the director over a ruleset. */
const converge = (ruleset: string, wanted: Firewall = desired): string =>
  applyTransaction(ruleset, transaction(see(ruleset).firewall, wanted));
/** Rules of a ruleset that are nobody's of ours. */
const foreign = (ruleset: string): string[] => ruleset.split("\n").filter((line) => !line.includes("OCDD"));

const CONVERGED = converge(DOCKER);

/** What must stand behind our jump in a chain: rules that would take the packet before it. */
const BEHIND: readonly [chain: string, ours: string, theirs: RegExp][] = [
  ["PREROUTING", "-j OCDD", /-j DOCKER$/],
  ["OUTPUT", "-j OCDD", /-j DOCKER$/],
  ["INPUT", "-j OCDD-INPUT", /-j ACCEPT$/],
  ["DOCKER-USER", "-j OCDD-FORWARD", /^-A DOCKER-USER -j (ACCEPT|RETURN|DROP)$/],
];

/** The chains in which one of ours comes too late. */
function tooLate(ruleset: string): string[] {
  const lines = ruleset.split("\n");
  return BEHIND.flatMap(([chain, ours, theirs]) => {
    const rules = lines.filter((line) => line.startsWith(`-A ${chain} `));
    const rival = rules.findIndex((rule) => theirs.test(rule));
    const jump = rules.findIndex((rule) => rule.endsWith(ours));
    return jump < 0 || (rival >= 0 && rival < jump) ? [chain] : [];
  });
}

t.test(
  "a transaction replaces whole chains, declares before it fills, and inserts jumps at the top",
  async (t) => {
    const nat = renderTransaction("nat", see(DOCKER).firewall, desired);
    t.equal(
      nat,
      `*nat
:OCDD - [0:0]
:OCDD-POSTROUTING - [0:0]
-A OCDD -d 192.168.122.11/32 -m comment --comment OCDD-c11 -j DNAT --to-destination 172.17.0.2
-A OCDD -d 192.168.122.12/32 -m comment --comment OCDD-c12 -j DNAT --to-destination 172.17.0.3
-A OCDD -d 192.168.122.11/32 -j ACCEPT
-A OCDD -d 192.168.122.12/30 -j ACCEPT
-A OCDD -d 192.168.122.16/29 -j ACCEPT
-A OCDD -d 192.168.122.24/30 -j ACCEPT
-A OCDD -d 192.168.122.28/31 -j ACCEPT
-A OCDD -d 192.168.122.30/32 -j ACCEPT
-I PREROUTING 1 -m addrtype --dst-type LOCAL -j OCDD
-I OUTPUT 1 -m addrtype --dst-type LOCAL -j OCDD
-I POSTROUTING 1 -j OCDD-POSTROUTING
COMMIT
`,
    );
  },
);

t.test(
  "jumps that are gone, doubled, misplaced or misspelt come right, and nothing else is touched",
  async (t) => {
    const table: [string, (text: string) => string][] = [
      [
        "Docker's rule before ours",
        (s) => s.replace(/(-A PREROUTING .*-j OCDD\n)(-A PREROUTING .*-j DOCKER\n)/, "$2$1"),
      ],
      ["a jump gone", (s) => s.replace(/-A OUTPUT .*-j OCDD\n/, "")],
      ["a jump twice", (s) => s.replace(/(-A PREROUTING .*-j OCDD\n)/, "$1$1")],
      [
        "a jump twice, Docker's between",
        (s) => s.replace(/(-A PREROUTING .*-j OCDD\n)(-A PREROUTING .*-j DOCKER\n)/, "$1$2$1"),
      ],
      [
        "a jump of another spelling",
        (s) => s.replace("-A INPUT -j OCDD-INPUT", "-A INPUT -i ens3 -j OCDD-INPUT"),
      ],
      [
        "a jump from a stranger's chain",
        (s) =>
          s.replace(
            "-A DOCKER-USER -j OCDD-FORWARD",
            "-A DOCKER-USER -j OCDD-FORWARD\n-A FORWARD -j OCDD-FORWARD",
          ),
      ],
      ["DOCKER-USER flushed", (s) => s.replace(/-A DOCKER-USER .*\n/g, "")],
      [
        "accept before our reject",
        (s) =>
          s.replace(
            "-A INPUT -j OCDD-INPUT",
            "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -j OCDD-INPUT",
          ),
      ],
      ["one of our chains flushed", (s) => s.replace(/-A OCDD .*\n/g, "")],
      [
        "a rule of ours changed",
        (s) => s.replace("--to-destination 172.17.0.3", "--to-destination 172.17.0.9"),
      ],
      ["order of ours changed", (s) => s.replace(/(-A OCDD .*c11.*\n)(-A OCDD .*c12.*\n)/, "$2$1")],
      [
        "a stranger's rule in our chain",
        (s) => s.replace("-A OCDD -d", "-A OCDD -p udp -j ACCEPT\n-A OCDD -d"),
      ],
    ];
    for (const [what, break_] of table) {
      const broken = break_(CONVERGED);
      t.not(broken, CONVERGED, `${what}: is a change`);
      const mended = converge(broken);
      t.strictSame(see(mended).firewall, desired, `${what}: mended`);
      t.equal(transaction(see(mended).firewall, desired), "", `${what}: for good`);
      t.strictSame(tooLate(mended), [], `${what}: ours come first`);
      t.strictSame(foreign(mended), foreign(broken), `${what}: foreign rules intact`);
    }
  },
);

t.test("an operator's own restriction in DOCKER-USER keeps its place before us", async (t) => {
  const restricted = CONVERGED.replace(
    "-A DOCKER-USER -j OCDD-FORWARD",
    "-A DOCKER-USER -s 10.6.6.6/32 -j DROP\n-A DOCKER-USER -j OCDD-FORWARD",
  );
  t.equal(transaction(see(restricted).firewall, desired), "");
});

t.test("what the bash script left in Docker's chain goes; near misses stay", async (t) => {
  const original =
    '-A DOCKER -d 192.168.122.11/32 ! -i docker0 -m comment --comment "OCDD-jenkins" -j DNAT --to-destination 172.18.0.3';
  const near = [
    '-A DOCKER -d 192.168.123.11/32 ! -i docker0 -m comment --comment "OCDD-far" -j DNAT --to-destination 172.18.0.3',
    "-A DOCKER -d 192.168.122.12/32 ! -i docker0 -j DNAT --to-destination 172.18.0.3",
    '-A DOCKER -d 192.168.122.12/32 ! -i docker0 -m comment --comment "MY-OCDD-x" -j DNAT --to-destination 172.18.0.3',
    '-A PREROUTING -d 192.168.122.12/32 -m comment --comment "OCDD-x" -j DNAT --to-destination 172.18.0.3',
  ];
  const before = DOCKER.replace(/(\*nat[\s\S]*?)COMMIT/, `$1${[original, ...near].join("\n")}\nCOMMIT`);
  t.strictSame([...see(before).originals], ["192.168.122.11"]);
  const after = converge(before);
  t.notMatch(after, "OCDD-jenkins");
  for (const rule of near) t.match(after, `${rule}\n`);
  t.equal(transaction(see(after).firewall, desired), "");
});

t.test("what a rule forwards can be read back", async (t) => {
  t.strictSame(
    forwardOf(
      "-d 192.168.122.11/32 -p tcp -m tcp --dport 80 -m comment --comment OCDD-web -j DNAT --to-destination 172.17.0.2:8080",
    ),
    [{ name: "web", alias: "192.168.122.11", target: "172.17.0.2" }],
  );
  for (const rule of ["-d 192.168.122.11/32 -j ACCEPT", "-s 10.0.0.0/8 -j DNAT --to-destination 1.2.3.4", ""])
    t.strictSame(forwardOf(rule), [], rule);
});

// Firewalls as others leave them: any order of jumps, ours and theirs, in the chains that matter.
const lines: Readonly<Record<string, readonly string[]>> = {
  "filter/INPUT": [
    "-j OCDD-INPUT",
    "-j ACCEPT",
    "-p tcp -m tcp --dport 22 -j ACCEPT",
    "-s 10.0.0.0/8 -j DROP",
    "-i ens3 -j OCDD-INPUT",
  ],
  "filter/DOCKER-USER": ["-j OCDD-FORWARD", "-j RETURN", "-s 10.0.0.0/8 -j DROP", "-j ACCEPT"],
  "filter/FORWARD": ["-j DOCKER-USER", "-j OCDD-FORWARD", "-o docker0 -j DOCKER", "-j DROP"],
  "nat/PREROUTING": [
    "-m addrtype --dst-type LOCAL -j OCDD",
    "-m addrtype --dst-type LOCAL -j DOCKER",
    "-j OCDD",
    "-p tcp -m tcp --dport 9 -j REDIRECT --to-ports 10",
  ],
  "nat/OUTPUT": [
    "-m addrtype --dst-type LOCAL -j OCDD",
    "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
  ],
  "nat/POSTROUTING": ["-j OCDD-POSTROUTING", "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"],
};
const OURS = ["filter/OCDD-FORWARD", "filter/OCDD-INPUT", "nat/OCDD", "nat/OCDD-POSTROUTING"];

const ruleset = fc
  .record(
    Object.fromEntries(
      Object.entries(lines).map(([chain, rules]) => [
        chain,
        fc.array(fc.constantFrom(...rules), { maxLength: 4 }),
      ]),
    ),
  )
  .map((chains) => {
    const table = (name: string): string => {
      const mine = Object.entries(chains).filter(([chain]) => chain.startsWith(`${name}/`));
      const short = (chain: string): string => chain.slice(name.length + 1);
      const declared = [
        ...mine.map(([chain]) => `:${short(chain)} ACCEPT [0:0]`),
        ":DOCKER - [0:0]",
        ...OURS.filter((c) => c.startsWith(`${name}/`)).map((c) => `:${short(c)} - [0:0]`),
      ];
      const rules = mine.flatMap(([chain, list]) =>
        list.map((rule) => `-A ${short(chain)} ${rule.replace("REDIRECT --to-ports 10", "RETURN")}`),
      );
      return `*${name}\n${[...declared, ...rules].join("\n")}\nCOMMIT\n`;
    };
    return table("filter").replace(":DOCKER-USER ACCEPT", ":DOCKER-USER -") + table("nat");
  });

t.test("from any ruleset one run converges, foreign rules intact; teardown leaves them alone", async () => {
  fc.assert(
    fc.property(ruleset, (before) => {
      const after = converge(before);
      const still = transaction(see(after).firewall, desired) === "";
      const gone = converge(after, NO_FIREWALL);
      return (
        still &&
        tooLate(after).length === 0 &&
        foreign(after).join() === foreign(before).join() &&
        !gone.includes("OCDD") &&
        foreign(gone).join() === foreign(before).join()
      );
    }),
    { numRuns: 1000 },
  );
});
