/** The order of rules: the operator's in DOCKER-USER and FORWARD, Docker's, OCDD's. */
import fc from "fast-check";
import t from "tap";
import { blockersOf } from "../../../src/core/forwards/iptables-jumps.ts";
import { applyTransaction } from "../../fake/iptables.ts";
import { converge, forward, look, pathOf, recorded, written } from "./iptables.ts";
import { CLIENT, DB, FAR, tcp, verdict, WEB } from "./packets.ts";

const WANTED = pathOf([
  forward("192.168.122.11", "172.17.0.2"),
  forward("192.168.122.12", "172.20.0.2"),
  forward("192.168.122.13", "172.17.0.13", { "ocdd.map": "80:8080,53:5353/udp" }),
]);

for (const engine of ["20.10", "28"] as const) {
  const docker = recorded(engine);

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
          // one run at any time is enough, before or after any of the rules
          if (!edits.some(({ run }) => run)) ruleset = converge(ruleset, WANTED);
          // the verdict of the operator's rules alone: only DOCKER-USER in FORWARD
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
