/** Which rules of the host's INPUT keep clients from OCDD's servers. */
import fc from "fast-check";
import t from "tap";
import { type Arrival, refusedBy } from "../../../src/core/forwards/iptables-input.ts";
import { ip } from "../make.ts";

const DNS: Arrival = { device: "ens3", address: ip("192.168.122.200"), protocol: "udp", port: 53 };
const WEB: Arrival = { ...DNS, protocol: "tcp", port: 80 };

/** As iptables-save prints it: a policy, and rules. */
const saved = (policy: string, ...rules: string[]): string => {
  const chains = new Set(rules.map((rule) => rule.split(" ")[1]).filter((name) => name !== "INPUT"));
  const declared = [...chains].map((name) => `:${name} - [0:0]\n`).join("");
  return `*filter\n:INPUT ${policy} [7:420]\n${declared}${rules.map((rule) => `${rule}\n`).join("")}COMMIT\n`;
};

const SSH_ONLY = [
  "-A INPUT -i lo -j ACCEPT",
  "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
  "-A INPUT -p icmp -j ACCEPT",
  "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
];
/** The shape that ufw gives: chains for before, own rules, and after, and a policy behind them. */
const LAYERED = [
  "-A INPUT -j before",
  "-A INPUT -j user",
  "-A INPUT -j after",
  "-A before -i lo -j ACCEPT",
  "-A before -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
  "-A before -m conntrack --ctstate INVALID -j DROP",
  "-A before -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT",
  "-A before -j not-local",
  "-A not-local -m addrtype --dst-type LOCAL -j RETURN",
  '-A not-local -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "BLOCK -j ACCEPT "',
  "-A not-local -j DROP",
  "-A user -p tcp -m tcp --dport 22 -j ACCEPT",
  "-A after -p udp -m udp --dport 137 -j DROP",
];

t.test("rules that refuse every client are named; where some may be let in, there are none", async (t) => {
  const table: [string, string, string | null, string | null][] = [
    ["no rule", saved("ACCEPT"), null, null],
    ["a policy, and ssh allowed", saved("DROP", ...SSH_ONLY), "-P INPUT DROP", "-P INPUT DROP"],
    ["the shape of ufw", saved("DROP", ...LAYERED), "-P INPUT DROP", "-P INPUT DROP"],
    [
      "ufw with port 53 allowed",
      saved("DROP", ...LAYERED, "-A user -p udp -m multiport --dports 53,80 -j ACCEPT"),
      null,
      "-P INPUT DROP",
    ],
    [
      "an end behind the rules",
      saved("ACCEPT", ...SSH_ONLY, "-A INPUT -j REJECT --reject-with icmp-host-prohibited"),
      "-A INPUT -j REJECT --reject-with icmp-host-prohibited",
      "-A INPUT -j REJECT --reject-with icmp-host-prohibited",
    ],
    [
      "one port on the device",
      saved("ACCEPT", "-A INPUT -i ens+ -p udp -m udp --dport 50:60 -j DROP"),
      "-A INPUT -i ens+ -p udp -m udp --dport 50:60 -j DROP",
      null,
    ],
    [
      "a comment that looks like a target",
      saved("DROP", "-A INPUT -m comment --comment -j -j ACCEPT"),
      null,
      null,
    ],
    [
      "comments that look like conditions",
      saved(
        "DROP",
        '-A INPUT -m comment --comment "a -j DROP" -j ACCEPT',
        "-A INPUT -m comment --comment --dport",
      ),
      null,
      null,
    ],
    [
      "a comment of more than one line",
      saved("DROP", '-A INPUT -m comment --comment "a\n-A INPUT -j ACCEPT\n" -s 10.0.0.0/8 -j DROP'),
      "-P INPUT DROP",
      "-P INPUT DROP",
    ],
    [
      "a name with spaces, without quotes",
      saved("DROP", "-A INPUT -m recent --rcheck --name x -j DROP --rsource -j ACCEPT"),
      null,
      null,
    ],
    ["another device", saved("ACCEPT", "-A INPUT ! -i ens3 -j DROP"), null, null],
    ["all but this device", saved("DROP", "-A INPUT ! -i eth0 -j ACCEPT"), null, null],
    ["some clients are let in", saved("DROP", "-A INPUT -s 192.168.0.0/16 -j ACCEPT"), null, null],
    ["some clients are refused", saved("ACCEPT", "-A INPUT -s 192.168.0.0/16 -j DROP"), null, null],
    ["an alias is refused", saved("ACCEPT", "-A INPUT -d 192.168.122.11/32 -j DROP"), null, null],
    ["a target that is not known", saved("DROP", "-A INPUT -j NFQUEUE --queue-num 3"), null, null],
    [
      "a chain that may be left early",
      saved("ACCEPT", "-A INPUT -j a", "-A a -m set --match-set x src -j RETURN", "-A a -j DROP"),
      null,
      null,
    ],
    [
      "a chain that does not come back",
      saved("DROP", "-A INPUT -g a", "-A INPUT -j ACCEPT", "-A a -p tcp -m tcp --dport 22 -j ACCEPT"),
      "-P INPUT DROP",
      "-P INPUT DROP",
    ],
  ];
  for (const [what, text, dns, web] of table) {
    t.equal(refusedBy(text, DNS), dns, `${what}: DNS`);
    t.equal(refusedBy(text, WEB), web, `${what}: page`);
  }
});

t.test("chains that call the next one twice: each is read once, and what they say is found", async (t) => {
  // 2^60 ways to the last one
  const levels = (verdict: string): string[] =>
    ["-A INPUT -j c0"].concat(
      ...Array.from({ length: 60 }, (_, i) =>
        ["tcp", "udp"].map((protocol) => `-A c${i} -p ${protocol} -j c${i + 1}`),
      ),
      `-A c60 -j ${verdict}`,
    );
  t.equal(refusedBy(saved("ACCEPT", ...levels("DROP")), DNS), "-A c60 -j DROP");
  t.equal(refusedBy(saved("DROP", ...levels("ACCEPT")), DNS), null);
  const twice = levels("RETURN").map((rule) => rule.replace(/-p \S+/, "-s 10.0.0.0/8"));
  t.equal(refusedBy(saved("DROP", ...twice), DNS), "-P INPUT DROP");
});

t.test("any text, and chains that call each other: an end, and no exception", async () => {
  const rule = fc.tuple(
    fc.constantFrom("INPUT", "a", "b"),
    fc.constantFrom("", "! -i ens3", "-p udp", "--dport x", '-m comment --comment "-j DROP"', "-s 1.2.3.4"),
    fc.constantFrom("-j a", "-j b", "-g a", "-j DROP", "-j ACCEPT", "-j RETURN", "-j LOG", "-j", ""),
  );
  const rules = fc.array(rule.map(([chain, match, target]) => `-A ${chain} ${match} ${target}`));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        rules.map((list) => saved("DROP", ...list)),
      ),
      (text) => {
        const found = refusedBy(text, DNS);
        return found === null || /^-P INPUT DROP$|DROP/.test(found);
      },
    ),
  );
});
