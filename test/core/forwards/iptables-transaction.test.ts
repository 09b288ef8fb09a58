/** What is written for a difference: all of it, and nothing else. */
import fc from "fast-check";
import t from "tap";
import { parse } from "../../../src/core/forwards/iptables-parse.ts";
import { tableOf } from "../../../src/core/forwards/iptables-saved.ts";
import { revocation, transaction } from "../../../src/core/forwards/iptables-transaction.ts";
import { applyTransaction } from "../../fake/iptables.ts";
import { ip } from "../make.ts";
import { device, hostile, printed, printedPattern } from "./hostile.ts";
import {
  converge,
  forward,
  look,
  manyForwards,
  NOTHING,
  POOL,
  pathOf,
  recorded,
  written,
} from "./iptables.ts";

const DOCKER = recorded("20.10");
const WANTED = pathOf([forward("192.168.122.11", "172.17.0.2"), forward("192.168.122.12", "172.17.0.3")]);
const CONVERGED = converge(DOCKER, WANTED);
const foreign = (ruleset: string): string[] => ruleset.split("\n").filter((line) => !line.includes("OCDD"));

t.test("both tables from nothing: chains declared, then filled, then jumped to", async (t) => {
  t.equal(
    written(DOCKER, {
      ...WANTED,
      frame: { pool: [{ first: ip("10.0.0.11"), last: ip("10.0.0.14") }], subnets: [] },
    }),
    `*filter
:OCDD-FORWARD - [0:0]
:OCDD-INPUT - [0:0]
:OCDD-REFUSE - [0:0]
-A OCDD-FORWARD -m conntrack ! --ctstate DNAT -j RETURN
-A OCDD-FORWARD -m conntrack --ctstate DNAT --ctorigdst 10.0.0.12/31 -j ACCEPT
-A OCDD-FORWARD -m conntrack --ctstate DNAT --ctorigdst 10.0.0.11 -j ACCEPT
-A OCDD-FORWARD -m conntrack --ctstate DNAT --ctorigdst 10.0.0.14 -j ACCEPT
-A OCDD-INPUT -m conntrack --ctdir REPLY -j RETURN
-A OCDD-INPUT -d 10.0.0.12/31 -j OCDD-REFUSE
-A OCDD-INPUT -d 10.0.0.11/32 -j OCDD-REFUSE
-A OCDD-INPUT -d 10.0.0.14/32 -j OCDD-REFUSE
-A OCDD-INPUT -m conntrack ! --ctstate DNAT -j RETURN
-A OCDD-INPUT -m conntrack --ctstate DNAT --ctorigdst 10.0.0.12/31 -j OCDD-REFUSE
-A OCDD-INPUT -m conntrack --ctstate DNAT --ctorigdst 10.0.0.11 -j OCDD-REFUSE
-A OCDD-INPUT -m conntrack --ctstate DNAT --ctorigdst 10.0.0.14 -j OCDD-REFUSE
-A OCDD-REFUSE -p tcp -j REJECT --reject-with tcp-reset
-A OCDD-REFUSE -j REJECT --reject-with icmp-port-unreachable
-I INPUT 1 -j OCDD-INPUT
-I FORWARD 2 -j OCDD-FORWARD
COMMIT
*nat
:OCDD-POSTROUTING - [0:0]
:OCDD-HAIRPIN - [0:0]
:OCDD - [0:0]
-A OCDD-POSTROUTING -m conntrack ! --ctstate DNAT -j RETURN
-A OCDD-HAIRPIN -m conntrack --ctstate DNAT --ctorigdst 10.0.0.12/31 -j MASQUERADE
-A OCDD-HAIRPIN -m conntrack --ctstate DNAT --ctorigdst 10.0.0.11 -j MASQUERADE
-A OCDD-HAIRPIN -m conntrack --ctstate DNAT --ctorigdst 10.0.0.14 -j MASQUERADE
-A OCDD -d 192.168.122.11/32 -m comment --comment OCDD-c122-11 -j DNAT --to-destination 172.17.0.2
-A OCDD -d 192.168.122.12/32 -m comment --comment OCDD-c122-12 -j DNAT --to-destination 172.17.0.3
-A OCDD -d 10.0.0.12/31 -j ACCEPT
-A OCDD -d 10.0.0.11/32 -j ACCEPT
-A OCDD -d 10.0.0.14/32 -j ACCEPT
-I PREROUTING 1 -m addrtype --dst-type LOCAL -j OCDD
-I OUTPUT 1 -m addrtype --dst-type LOCAL -j OCDD
-I POSTROUTING 1 -j OCDD-POSTROUTING
COMMIT
`,
  );
});

t.test("one forward of 4 000 changed: its leaf alone is written", async (t) => {
  const { path, forwards } = manyForwards(4000);
  const before = look(converge(DOCKER, path), path.frame?.pool).snapshot;
  const changed = forwards.map((f, i) => (i === 1234 ? { ...f, target: ip("172.17.99.9") } : f));
  const lines = transaction(before, { ...path, forwards: changed })
    .text.trim()
    .split("\n");
  t.match(lines.slice(0, 2), ["*nat", /^:OCDD-0a1404d0-28 - /]);
  t.equal(lines.length, 2 + 16 + 1);
  t.ok(lines.slice(2, -1).every((line) => line.startsWith("-A OCDD-0a1404d0-28 -d ")));
  const without = look(
    converge(DOCKER, { ...path, forwards: forwards.toSpliced(1234, 1) }),
    path.frame?.pool,
  );
  t.equal(
    transaction(without.snapshot, path).text,
    `*nat\n-I OCDD-0a1404d0-28 14 -d 10.20.4.221/32 -m comment --comment OCDD-c4-221 -j DNAT --to-destination 172.17.4.236\nCOMMIT\n`,
    "one added: one rule is inserted",
  );
  const revoked = revocation(before, new Set([ip("10.20.4.221")]));
  t.equal(revoked.text.split("\n").length, 2 + 15 + 2, "revoked: the leaf without it");
  t.notMatch(revoked.text, "10.20.4.221/32");
});

t.test("a removed forward: its empty leaf is removed too; from a tree to one chain and back", async (t) => {
  const { path, forwards } = manyForwards(300);
  const tree = converge(DOCKER, path);
  const far = forward("10.20.7.1", "172.17.99.9");
  const more = converge(tree, { ...path, forwards: [...forwards, far] });
  t.match(more, "-A OCDD -d 10.20.7.0/24 -j OCDD-0a140700-24");
  t.match(more, "-A OCDD-0a140700-24 -d 10.20.7.0/28 -j OCDD-0a140700-28");
  t.equal(converge(more, path), tree);
  const few = { ...path, forwards: forwards.slice(0, 20) };
  t.equal(converge(tree, few), converge(DOCKER, few));
  t.equal(converge(tree, NOTHING), DOCKER);
});

t.test("any transaction: the state it predicts is the state read afterwards", async () => {
  const change = fc.array(fc.integer({ min: 11, max: 30 }), { maxLength: 8 });
  fc.assert(
    fc.property(change, change, change, (first, second, gone) => {
      const of = (ends: readonly number[]) =>
        pathOf([...new Set(ends)].map((end) => forward(`192.168.122.${end}`, `172.17.0.${end}`)));
      const ruleset = converge(DOCKER, of(first));
      const { text, after } = transaction(look(ruleset).snapshot, of(second));
      const then = applyTransaction(ruleset, text);
      const revoked = revocation(after, new Set(gone.map((end) => ip(`192.168.122.${end}`))));
      const left = look(applyTransaction(then, revoked.text));
      const plain = (chains: ReadonlyMap<string, readonly string[]>): string =>
        JSON.stringify([...chains].sort());
      return (
        plain(look(then).snapshot.chains) === plain(after.chains) &&
        plain(left.snapshot.chains) === plain(revoked.after.chains) &&
        left.dataPath.forwards.every(({ alias }) => !gone.includes(Number(alias.split(".")[3]))) &&
        left.dataPath.damaged.length === 0
      );
    }),
  );
});

t.test(
  "jumps that are missing, doubled, misplaced or in another form: repaired, and nothing else is changed",
  async (t) => {
    const table: [string, string, (text: string) => string][] = [
      [
        "Docker's rule before",
        "redirect",
        (s) => s.replace(/(-A PREROUTING .*-j OCDD\n)(-A PREROUTING .*-j DOCKER\n)/, "$2$1"),
      ],
      ["a jump gone", "redirect", (s) => s.replace(/-A OUTPUT .*-j OCDD\n/, "")],
      ["a jump twice", "redirect", (s) => s.replace(/(-A PREROUTING .*-j OCDD\n)/, "$1$1")],
      [
        "a jump twice, Docker's between",
        "redirect",
        (s) => s.replace(/(-A PREROUTING .*-j OCDD\n)(-A PREROUTING .*-j DOCKER\n)/, "$1$2$1"),
      ],
      [
        "another spelling",
        "refusal",
        (s) => s.replace("-A INPUT -j OCDD-INPUT", "-A INPUT -i ens3 -j OCDD-INPUT"),
      ],
      [
        "a jump from a chain of others",
        "accept",
        (s) => s.replace("-A DOCKER-USER", "-A DOCKER-USER -j OCDD-FORWARD\n-A DOCKER-USER"),
      ],
      ["FORWARD flushed", "accept", (s) => s.replace(/-A FORWARD .*\n/g, "")],
      [
        "an accept before the refusal",
        "refusal",
        (s) => s.replace("-A INPUT", "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT"),
      ],
      [
        "a chain that accepts before the refusal",
        "refusal",
        (s) =>
          s
            .replace(":DOCKER-USER", ":MINE - [0:0]\n:ufw - [0:0]\n:DOCKER-USER")
            .replace("-A INPUT", "-A ufw -j MINE\n-A MINE -i lo -j ACCEPT\n-A INPUT -j ufw\n-A INPUT"),
      ],
      ["a chain flushed", "redirect", (s) => s.replace(/-A OCDD .*\n/g, "")],
      [
        "the order of rules",
        "redirect",
        (s) => s.replace(/(-A OCDD .*c122-11.*\n)(-A OCDD .*c122-12.*\n)/, "$2$1"),
      ],
      [
        "a rule of others in a chain",
        "redirect",
        (s) => s.replace("-A OCDD -d", "-A OCDD -p udp -j ACCEPT\n-A OCDD -d"),
      ],
      ["a chain of no forward", "redirect", (s) => s.replace(":OCDD -", ":OCDD-0a000001 - [0:0]\n:OCDD -")],
    ];
    for (const [what, part, break_] of table) {
      const broken = applyTransaction(break_(CONVERGED), "");
      t.not(broken, CONVERGED, `${what}: is a change`);
      t.ok(look(broken).dataPath.damaged.includes(part as never), `${what}: found`);
      const repaired = converge(broken, WANTED);
      t.strictSame(look(repaired).dataPath.damaged, [], `${what}: repaired`);
      t.equal(written(repaired, WANTED), "", `${what}: for good`);
      t.strictSame(foreign(repaired), foreign(broken), `${what}: foreign rules intact`);
    }
  },
);

t.test("rules of the bash script in Docker's chain are taken over; near misses stay", async (t) => {
  const original =
    '-A DOCKER -d 192.168.122.11/32 ! -i docker0 -m comment --comment "OCDD-jenkins" -j DNAT --to-destination 172.18.0.3';
  const near = [
    '-A DOCKER -d 192.168.123.11/32 ! -i docker0 -m comment --comment "OCDD-far" -j DNAT --to-destination 172.18.0.3',
    "-A DOCKER -d 192.168.122.12/32 ! -i docker0 -j DNAT --to-destination 172.18.0.3",
    '-A DOCKER -d 192.168.122.12/32 ! -i docker0 -m comment --comment "MY-OCDD-x" -j DNAT --to-destination 172.18.0.3',
    "-A DOCKER -d 192.168.122.12/32 ! -i docker0 -m comment --comment OCDD-x -m set --match-set near src -j DNAT --to-destination 172.18.0.3",
    '-A DOCKER -d 192.168.122.12/32 ! -i docker0 -m comment --comment "OCDD-x -j DNAT --to-destination 172.18.0.4" -j DNAT --to-destination 172.18.0.3',
    '-A PREROUTING -d 192.168.122.12/32 -m comment --comment "OCDD-x" -j DNAT --to-destination 172.18.0.3',
  ];
  const before = DOCKER.replace(/(\*nat[\s\S]*?)COMMIT/, `$1${[original, ...near].join("\n")}\nCOMMIT`);
  t.strictSame(look(before).legacy, [{ alias: "192.168.122.11", name: "jenkins", target: "172.18.0.3" }]);
  const after = converge(before, WANTED);
  t.notMatch(after, "OCDD-jenkins");
  for (const rule of near) t.match(after, `${rule}\n`);
  t.equal(written(after, WANTED), "");
});

t.test("the operator's chains that jump to the next one twice: each is read once", async (t) => {
  // 2^60 ways to the last one
  const levels = Array.from({ length: 60 }, (_, i) => [
    `:C${i} - [0:0]`,
    `-A C${i} -p tcp -j C${i + 1}`,
    `-A C${i} -p udp -j C${i + 1}`,
  ]).flat();
  const nested = (hook: string, verdict: string): string =>
    applyTransaction(
      CONVERGED,
      ["*filter", ":C60 - [0:0]", ...levels, `-A C60 -j ${verdict}`, `-I ${hook} 1 -j C0`, "COMMIT\n"].join(
        "\n",
      ),
    );
  t.strictSame(look(nested("INPUT", "DROP")).dataPath.damaged, []);
  t.strictSame(look(nested("INPUT", "ACCEPT")).dataPath.damaged, ["refusal"]);
  t.strictSame(look(nested("FORWARD", "DROP")).obstacles, [], "what is dropped under a condition");
});

/** Jumps in any order, OCDD's and others', in the chains that matter. */
const LINES: Readonly<Record<string, readonly string[]>> = {
  "filter/INPUT": [
    "-j OCDD-INPUT",
    "-j ACCEPT",
    "-p tcp -m tcp --dport 22 -j ACCEPT",
    "-s 10.0.0.0/8 -j DROP",
    "-i ens3 -j OCDD-INPUT",
  ],
  "filter/DOCKER-USER": ["-j OCDD-FORWARD", "-j RETURN", "-s 10.0.0.0/8 -j DROP", "-j ACCEPT"],
  "filter/FORWARD": [
    "-j DOCKER-USER",
    "-j OCDD-FORWARD",
    "-o docker0 -j DOCKER",
    "-j DROP",
    "-s 10.0.0.0/8 -j DROP",
  ],
  "nat/PREROUTING": [
    "-m addrtype --dst-type LOCAL -j OCDD",
    "-m addrtype --dst-type LOCAL -j DOCKER",
    "-j OCDD",
  ],
  "nat/OUTPUT": [
    "-m addrtype --dst-type LOCAL -j OCDD",
    "! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
  ],
  "nat/POSTROUTING": ["-j OCDD-POSTROUTING", "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"],
};
const OWN = "OCDD-FORWARD OCDD-INPUT OCDD OCDD-POSTROUTING".split(" ");

const anyRuleset = fc
  .record(
    Object.fromEntries(
      Object.entries(LINES).map(([chain, rules]) => [
        chain,
        fc.array(fc.constantFrom(...rules), { maxLength: 4 }),
      ]),
    ),
  )
  .map((chains) =>
    ["filter", "nat"]
      .map((table) => {
        const mine = Object.entries(chains).filter(([name]) => name.startsWith(`${table}/`));
        const short = (name: string): string => name.slice(table.length + 1);
        const declared = mine.map(
          ([name]) => `:${short(name)} ${name.endsWith("USER") ? "-" : "ACCEPT"} [0:0]`,
        );
        const own = OWN.filter((name) => (table === "filter") === /FORWARD|INPUT/.test(name));
        const rules = mine.flatMap(([name, list]) => list.map((rule) => `-A ${short(name)} ${rule}`));
        const all = [...declared, ":DOCKER - [0:0]", ...own.map((name) => `:${name} - [0:0]`), ...rules];
        return `*${table}\n${all.join("\n")}\nCOMMIT\n`;
      })
      .join(""),
  );

t.test("any ruleset: one run converges, foreign rules stay; teardown does not change them", async () => {
  fc.assert(
    fc.property(anyRuleset, (before) => {
      const after = converge(before, WANTED);
      const gone = converge(after, NOTHING);
      return (
        written(after, WANTED) === "" &&
        look(after).dataPath.damaged.length === 0 &&
        foreign(after).join() === foreign(before).join() &&
        !gone.includes("OCDD") &&
        foreign(gone).join() === foreign(before).join()
      );
    }),
    { numRuns: 1000 },
  );
});

/** Rules of others around a text that they have chosen (`$C` comment or prefix, `$S` string, `$I` device), by chain. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  "filter/INPUT": [
    "-s 10.66.0.0/16 -m comment --comment $C -j DROP",
    "-m comment --comment $C -j LOG --log-prefix $C --log-level 4",
    "-m string --string $S --algo bm -j MINE",
    "-m comment --comment $C",
    "-i $I -m comment --comment $C -g MINE",
  ],
  "filter/FORWARD": [
    "-i $I -m comment --comment $C -j LOG",
    "-j LOG --log-prefix $C",
    "-m comment --comment $C -m string --string $S --algo bm -j DROP",
    "-m comment --comment $C -j DROP",
    "-j DOCKER-USER",
    "-j DOCKER-FORWARD",
  ],
  "filter/DOCKER-USER": [
    "-s 10.66.0.0/16 -m comment --comment $C -j DROP",
    "-m comment --comment $C -j RETURN",
  ],
  "nat/PREROUTING": [
    "-d 192.168.122.200/32 -p tcp -m tcp --dport 8443 -m comment --comment $C -j REDIRECT --to-ports 443",
    "-m comment --comment $C -j NFLOG --nflog-prefix $C --nflog-threshold 5",
  ],
  "nat/OUTPUT": ["-m string --string $S --algo bm -j LOG --log-prefix $C", "-j DOCKER"],
  "nat/POSTROUTING": ["-o $I -m comment --comment $C -j MASQUERADE"],
  "nat/DOCKER": [
    "-d 192.168.122.12/32 ! -i docker0 -m comment --comment $C -j DNAT --to-destination 172.18.0.3",
  ],
};

/** As iptables-save prints all tables. */
function ruleset(chains: readonly (readonly [string, readonly string[]])[]): string {
  const table = (name: string): string => {
    const mine = chains.filter(([chain]) => chain.startsWith(`${name}/`));
    const short = (chain: string): string => chain.slice(name.length + 1);
    const declared = [...mine.map(([chain]) => short(chain)), "MINE", ...OWN].map(
      (chain) => `:${chain} - [0:0]`,
    );
    return [
      "# Generated by iptables-save",
      `*${name}`,
      ...declared,
      ...mine.flatMap(([chain, rules]) => rules.map((rule) => `-A ${short(chain)} ${rule}`)),
      "COMMIT",
      "",
    ].join("\n");
  };
  return ["raw", "filter", "nat"].map(table).join("");
}

t.test(
  "any text of others in their rules: what is written is the same, and deletes none of theirs",
  async () => {
    const texts = fc.record({ C: hostile, S: hostile, I: device });
    const chain = (name: string): fc.Arbitrary<[string, readonly [string, string][]]> => {
      const theirs = fc
        .tuple(fc.constantFrom(...(FOREIGN[name] as string[])), texts)
        .map(([form, { C, S, I }]) => {
          const filled = (comment: string, string: string, device: string): string =>
            form
              .replaceAll("$C", () => comment)
              .replaceAll("$S", () => string)
              .replaceAll("$I", () => device);
          // a name that is printed without quotes, and a comment that does not begin as one of the bash script's
          return [filled(printed(C), printedPattern(S), I), filled("harmless", '"harmless"', "ens9")] as [
            string,
            string,
          ];
        });
      const own = LINES[name]
        ?.filter((rule) => rule.includes("OCDD"))
        .map((rule): [string, string] => [rule, rule]);
      const rules =
        own === undefined ? theirs : fc.oneof({ weight: 3, arbitrary: theirs }, fc.constantFrom(...own));
      return fc.array(rules, { maxLength: 4 }).map((list) => [name, list]);
    };
    const chains = fc.tuple(...Object.keys(FOREIGN).map(chain));
    fc.assert(
      fc.property(chains, fc.boolean(), (found, teardown) => {
        const seen = [0, 1].map((which) => {
          const text = ruleset(
            found.map(([name, rules]) => [name, rules.map((both) => both[which as 0 | 1])]),
          );
          return parse(
            new Map((["filter", "nat"] as const).map((name) => [name, tableOf(text, name)])),
            POOL,
          );
        });
        const plans = seen.map(({ snapshot }) => transaction(snapshot, teardown ? NOTHING : WANTED).text);
        const deleted = (plans[0] ?? "").split("\n").filter((line) => line.startsWith("-D "));
        const jumps = Object.values(LINES)
          .flat()
          .filter((rule) => rule.includes("OCDD"));
        return (
          plans[0] === plans[1] &&
          JSON.stringify(seen[0]?.dataPath) === JSON.stringify(seen[1]?.dataPath) &&
          JSON.stringify(seen[0]?.legacy) === JSON.stringify(seen[1]?.legacy) &&
          deleted.every((line) => jumps.some((rule) => line.endsWith(` ${rule}`)))
        );
      }),
      { numRuns: 1000 },
    );
  },
);

t.test(
  "a jump of others into a chain of OCDD's goes with its comment, one that no line can name stays",
  async (t) => {
    const lines = (comment: string): string[] => {
      const rule = `-s 10.0.0.0/8 -m comment --comment ${printed(comment)} -j OCDD-FORWARD`;
      const text = CONVERGED.replace("-A DOCKER-USER", `-A DOCKER-USER ${rule}\n-A DOCKER-USER`);
      const seen = parse(
        new Map((["filter", "nat"] as const).map((name) => [name, tableOf(text, name)])),
        POOL,
      );
      return transaction(seen.snapshot, WANTED).text.split("\n");
    };
    t.strictSame(lines('x -j DROP "'), [
      "*filter",
      '-D DOCKER-USER -s 10.0.0.0/8 -m comment --comment "x -j DROP \\"" -j OCDD-FORWARD',
      "COMMIT",
      "",
    ]);
    t.strictSame(lines("x\n-A INPUT -j OCDD-INPUT\n"), [""]);
  },
);

t.test(
  "a rule of others in OCDD's chain: revoked only where it is for the alias, and never written in two lines",
  async (t) => {
    const revoked = (...rules: string[]): string => {
      const theirs = rules.map((rule) => `-A OCDD ${rule}\n`).join("");
      const text = CONVERGED.replace("-A OCDD -d", () => `${theirs}-A OCDD -d`);
      const seen = parse(new Map([["nat", tableOf(text, "nat")]]), POOL);
      return revocation(seen.snapshot, new Set([ip("192.168.122.11")])).text;
    };
    const quoting = '-p udp -m comment --comment "not -d 192.168.122.11/32 --comment OCDD-web" -j ACCEPT';
    t.match(revoked(quoting), `-A OCDD ${quoting}\n`);
    t.equal(revoked('-m comment --comment "a\n-A INPUT -j ACCEPT\n" -j ACCEPT'), revoked());
  },
);
