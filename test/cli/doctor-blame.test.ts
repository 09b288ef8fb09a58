/** `ocdd doctor` names the component that is at fault, not those that depend on it. */
import t from "tap";
import { dockerEngine } from "../../src/cli/doctor/docker.ts";
import { afterNameServer } from "../../src/cli/doctor/doctor.ts";
import { drift } from "../../src/cli/doctor/drift.ts";
import { bad, good } from "../../src/cli/doctor/finding.ts";
import { answerFinding, oneService, portFinding, portlessFinding } from "../../src/cli/doctor/service.ts";
import { decide } from "../../src/core/decide.ts";
import { config, container, id, NOW, observation } from "../core/make.ts";

t.test("without the name server: what depends on it is not checked, and IT is not asked", async (t) => {
  const failed = bad("delegation", "this host's resolver finds no zone", "ask IT");
  t.match(afterNameServer(failed, false), { ok: null, subject: "delegation", remedy: null });
  t.equal(afterNameServer(failed, true), failed);
  const fine = good("delegation", "found");
  t.equal(afterNameServer(fine, false), fine);
});

t.test("a rootless Docker: FAIL, whatever else it reports", async (t) => {
  const rootless = ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"];
  t.match(dockerEngine("engine 28", rootless), { ok: false, message: /engine 28 is rootless/ });
  for (const options of [undefined, [], "rootless", ["name=seccomp"], [null, {}]])
    t.match(dockerEngine("engine 28", options), { ok: true, message: "engine 28" });
});

t.test("a container that is not served: its reason, and the remedy for that", async (t) => {
  const conf = config({ IP_RANGE_END: "11" });
  const containers = [
    container({ name: "bad1", at: "172.17.0.2", labels: new Map([["ocdd.allow", "foo"]]) }),
    container({ name: "lo", networkMode: "none", attachments: [] }),
    container({ name: "first", at: "172.17.0.3", created: NOW - 9 }),
    container({ name: "second", at: "172.17.0.4", created: NOW - 8 }),
  ];
  const decision = decide(conf, observation({ containers }), NOW);
  const full = decision.skipped.find(({ code }) => code === "range-full")?.container ?? "";
  for (const [name, remedy] of [
    ["bad1", /labels/],
    ["lo", /docker network connect/],
    [full, /larger range/],
    ["nobody", /ocdd list/],
  ] as const)
    t.match(await oneService(conf, decision, name), [{ ok: false, remedy }], name);
});

t.test("a service that watch has found not to answer: said, with what helps", async (t) => {
  const conf = config();
  const web = container({ name: "shop-web", ports: [{ protocol: "tcp", port: 80 }] });
  const of = (unanswered: ReadonlySet<string>, open: boolean) =>
    decide(conf, observation({ containers: [web], unanswered }), NOW).services.flatMap((one) =>
      answerFinding(one, open),
    );
  const silent = new Set([web.id]);
  const message = 'it is shown as "no answer": no connection is accepted on TCP port 80';
  t.match(of(silent, false), [
    { ok: false, subject: "service shop-web", message, remedy: /docker logs shop-web.*ocdd\.check=off/ },
  ]);
  t.match(of(silent, true), [{ ok: null, message: /when `ocdd watch` tried last/ }], "it accepts one now");
  t.same(of(new Set(), false), []);
});

t.test(
  "a port that ocdd.map leads to another one, where no program listens: the label is named",
  async (t) => {
    const labels = new Map([["ocdd.map", "80:8080"]]);
    const [web] = decide(
      config(),
      observation({ containers: [container({ name: "web", labels })] }),
      NOW,
    ).services;
    if (web === undefined) throw new Error("it is not served");
    const of = (port: number, direct: string, alias: string) =>
      portFinding(web, { port, inside: "172.17.0.2", direct, alias }, true);
    t.match(of(80, "open", "ECONNREFUSED"), {
      ok: false,
      message: /^ocdd\.map leads it to port 8080 .*refused/,
      remedy: /ocdd\.map/,
    });
    t.match(of(81, "open", "ECONNREFUSED"), { ok: false, remedy: /ocdd\.ports/ });
    t.match(of(80, "open", "open"), { ok: true });
    t.match(of(80, "ECONNREFUSED", "open"), { ok: null });
  },
);

t.test(
  "a service whose bridge port is not found: the guard is at fault, and so is the service",
  async (t) => {
    const conf = config();
    const firewall = { backend: "nft", unguarded: null, obstacles: [], iptables: false } as const;
    const started = { earliest: NOW - 90, latest: NOW - 60 };
    const guard = (containers: ReturnType<typeof container>[], known: readonly string[] = []) => {
      const port = (name: string) => ({
        name: `v${name}`,
        bridge: "docker0",
        hairpin: true,
        container: id(name),
      });
      const seen = observation({ containers, firewall, bridgePorts: known.map(port) });
      const decision = decide(conf, seen, NOW);
      const settled = { ...seen, actual: decision.desired };
      return { decision, finding: drift(conf, settled, decision).find(({ subject }) => subject === "guard") };
    };
    const web = container({ name: "web", started });
    const one = guard([web]);
    t.match(one.finding, {
      ok: false,
      message: /^1 service whose .* gets no packets: web$/,
      remedy: /--pid host/,
    });
    t.match(one.decision.services.flatMap(portlessFinding), [
      { ok: false, subject: "service web", message: /^it gets no packets/, remedy: /--pid host/ },
    ]);
    const fine = guard([web], ["web"]);
    t.match(fine.finding, { ok: true });
    t.strictSame(fine.decision.services.flatMap(portlessFinding), []);
  },
);

t.test("what is in order is said in words", async (t) => {
  const conf = config();
  const seen = observation();
  const said = new Map(drift(conf, seen, decide(conf, seen, NOW)).map((one) => [one.subject, one.message]));
  t.match(said.get("forward accept"), /^packets to services are let through/);
  t.match(said.get("unused ports"), /^what a service does not offer is refused/);
});
