/** The data path as iptables rules, and read back. */
import fc from "fast-check";
import t from "tap";
import type { Forward } from "../../../src/core/forwards/forward.ts";
import { canonical } from "../../../src/core/forwards/forward.ts";
import { RULES_PER_FORWARD, ruleCount } from "../../../src/core/forwards/iptables-forward.ts";
import { parse } from "../../../src/core/forwards/iptables-parse.ts";
import { LINEAR_RULES, partOf, render } from "../../../src/core/forwards/iptables-render.ts";
import { anyForward, converge, FRAME, forward, look, manyForwards, pathOf, recorded } from "./iptables.ts";

const DOCKER = recorded("28");
const PORTS = (count: number, protocol = ""): string =>
  Array.from({ length: count }, (_, i) => `${1000 + 2 * i}${protocol}`).join();
const SOURCES = Array.from({ length: 32 }, (_, i) => `10.${2 * i}.0.0/16`).join();

t.test("the rules of one forward for each kind of policy", async (t) => {
  const rules = (labels: Record<string, string>): readonly string[] => {
    const chains = render(pathOf([forward("192.168.122.12", "172.17.0.2", labels)]));
    const all = [...(chains.get("nat/OCDD") ?? []), ...(chains.get("nat/OCDD-c0a87a0c") ?? [])];
    return all.filter((rule) => rule.includes("--comment"));
  };
  const comment = "-m comment --comment OCDD-c122-12";
  const dnat = `${comment} -j DNAT --to-destination 172.17.0.2`;
  t.strictSame(rules({}), [`-d 192.168.122.12/32 ${dnat}`]);
  t.strictSame(
    rules({ "ocdd.ports": "443,80,53/udp" }),
    [
      `-d 192.168.122.12/32 -p tcp -m multiport --dports 80,443 ${dnat}`,
      `-d 192.168.122.12/32 -p udp -m udp --dport 53 ${dnat}`,
    ],
    "ports of a protocol share a rule",
  );
  t.strictSame(
    rules({ "ocdd.ports": "80,22", "ocdd.map": "80:8080,443:8443", "ocdd.allow": "10.0.0.1,10.9.0.0/16" }),
    [
      `-s 10.0.0.1/32 -d 192.168.122.12/32 -p tcp -m tcp --dport 80 ${dnat}:8080`,
      `-s 10.9.0.0/16 -d 192.168.122.12/32 -p tcp -m tcp --dport 80 ${dnat}:8080`,
      `-s 10.0.0.1/32 -d 192.168.122.12/32 -p tcp -m tcp --dport 22 ${dnat}`,
      `-s 10.9.0.0/16 -d 192.168.122.12/32 -p tcp -m tcp --dport 22 ${dnat}`,
    ],
  );
  t.strictSame(
    rules({
      "ocdd.map": "80:8080",
      "ocdd.ports": PORTS(30),
      "ocdd.allow": "10.0.0.1,10.9.0.1,10.8.0.1,10.7.0.1,10.6.0.1",
    }),
    [
      ...["0.1", "6.0.1", "7.0.1", "8.0.1", "9.0.1"].map(
        (end) => `-s 10.${end === "0.1" ? "0.0.1" : end}/32 -d 192.168.122.12/32 ${comment} -j OCDD-c0a87a0c`,
      ),
      `-d 192.168.122.12/32 -p tcp -m multiport --dports ${PORTS(15)} ${dnat}`,
      `-d 192.168.122.12/32 -p tcp -m multiport --dports ${PORTS(30).split(",").slice(15)} ${dnat}`,
    ],
  );
});

t.test("rules of one forward at the extremes stay within the bound", async (t) => {
  const count = (labels: Record<string, string>): number =>
    ruleCount(forward("192.168.122.12", "172.17.0.2", labels));
  t.equal(count({}), 1);
  t.equal(count({ "ocdd.ports": PORTS(32) }), 3);
  t.equal(count({ "ocdd.allow": SOURCES }), 64 / 2 + 1);
  t.equal(count({ "ocdd.allow": SOURCES, "ocdd.ports": PORTS(32) }), 32 + 3);
  const map = PORTS(32)
    .split(",")
    .map((port) => `${port}:${port}`);
  t.equal(count({ "ocdd.map": map.join() }), 1 + 33);
  t.equal(count({ "ocdd.allow": SOURCES, "ocdd.map": map.join() }), 32 + 33);
  fc.assert(
    fc.property(anyForward("192.168.122.12"), (one) => {
      const { chains } = look(converge(DOCKER, pathOf([one]))).snapshot;
      const rules = [...chains].flatMap(([name, list]) => (partOf(name) === "redirect" ? list : []));
      return rules.filter((rule) => rule.includes("--comment")).length === ruleCount(one);
    }),
  );
  t.ok(32 + 33 < RULES_PER_FORWARD, "what labels can ask for");
});

/** Some forwards of any kind, each with another alias. */
const someForwards = fc
  .uniqueArray(fc.integer({ min: 11, max: 30 }), { maxLength: 6 })
  .chain((ends) => fc.tuple(...ends.map((end) => anyForward(`192.168.122.${end}`))));

t.test("what was rendered is read back: the same forwards and frame, nothing damaged", async () => {
  const sorted = (forwards: readonly Forward[]): Forward[] =>
    forwards.map(canonical).sort((a, b) => (a.alias < b.alias ? -1 : 1));
  fc.assert(
    fc.property(someForwards, (forwards) => {
      const { dataPath } = look(converge(DOCKER, pathOf(forwards)));
      return (
        JSON.stringify(dataPath) === JSON.stringify({ frame: FRAME, forwards: sorted(forwards), damaged: [] })
      );
    }),
  );
});

t.test("a line of a chain taken away, doubled or changed is found and named by its part", async (t) => {
  const one = forward("192.168.122.12", "172.17.0.2", { "ocdd.ports": PORTS(32), "ocdd.allow": SOURCES });
  const whole = converge(DOCKER, pathOf([one, forward("192.168.122.13", "172.17.0.3")]));
  const lines = whole.split("\n");
  let table = "";
  let ours = 0;
  for (const [i, line] of lines.entries()) {
    if (line.startsWith("*")) table = line.slice(1);
    const chain = /^-A (\S+)/.exec(line)?.[1];
    const jump = /-j (OCDD\S*)$/.exec(line)?.[1];
    const part = partOf(`${table}/${chain}`) ?? partOf(`${table}/${jump}`);
    if (part === undefined) continue;
    ours++;
    for (const [what, now] of [
      ["gone", []],
      ["doubled", [line, line]],
      ["changed", [line.replace(/-j /, "-i ens9 -j ")]],
    ] as const) {
      // a forward with a rule less, or a frame with a network less, is a whole one that is not the desired one
      const damaged = look(lines.toSpliced(i, 1, ...now).join("\n")).dataPath;
      const differs = JSON.stringify({ ...damaged, damaged: [] }) !== JSON.stringify(look(whole).dataPath);
      t.ok(damaged.damaged.includes(part) || differs, `${line}: ${what}`);
    }
  }
  t.ok(ours > 60);
});

t.test("no chain of OCDD's: no data path; foreign chains with similar names are not its own", async (t) => {
  t.strictSame(look(DOCKER).dataPath, { frame: null, forwards: [], damaged: [] });
  t.equal(look(DOCKER).dockerUser, true);
  t.equal(parse(new Map(), []).dockerUser, false);
  for (const name of ["nat/OCDD-foreign", "nat/OCDDMINE", "nat/xOCDDx", "filter/OCDD", "nat/OCDD-C0A87A0B"])
    t.equal(partOf(name), undefined, name);
});

for (const count of [LINEAR_RULES, LINEAR_RULES + 1, 300, 4000]) {
  t.test(`${count} forwards`, async (t) => {
    const { path, forwards } = manyForwards(count);
    const chains = render(path);
    const end = (chains.get("nat/OCDD") ?? []).filter((rule) => rule.endsWith("-j ACCEPT"));
    const longest = Math.max(
      ...[...chains].map(([name, rules]) =>
        name === "nat/OCDD" ? rules.length - end.length : partOf(name) === "redirect" ? rules.length : 0,
      ),
    );
    if (count > LINEAR_RULES) t.ok(longest <= 16, `the longest chain of the tree has ${longest} rules`);
    else t.equal(longest, count, "one chain");
    for (const name of chains.keys()) t.ok(name.length - name.indexOf("/") - 1 <= 28, name);
    const { dataPath } = look(converge(DOCKER, path), path.frame?.pool);
    t.strictSame(dataPath.forwards, forwards);
    t.strictSame(dataPath.damaged, []);
  });
}

t.test("nothing but names, addresses and numbers gets into a rule (O-5, N-8)", async () => {
  fc.assert(
    fc.property(someForwards, (forwards) =>
      [...render(pathOf(forwards)).values()].flat().every((rule) => /^[A-Za-z0-9 ./:,!-]+$/.test(rule)),
    ),
  );
});

t.test("rules are in the order of addresses, whatever the order of containers", async (t) => {
  const { forwards, path } = manyForwards(300);
  t.strictSame(render({ ...path, forwards: [...forwards].reverse() }), render(path));
});
