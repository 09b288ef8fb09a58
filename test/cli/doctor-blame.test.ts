/** `ocdd doctor` names the component that is at fault, not those that depend on it. */
import t from "tap";
import { oneService } from "../../src/cli/doctor/answers.ts";
import { afterNameServer, dockerEngine } from "../../src/cli/doctor/doctor.ts";
import { bad, good } from "../../src/cli/doctor/finding.ts";
import { decide } from "../../src/core/decide.ts";
import { config, container, NOW, observation } from "../core/make.ts";

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
