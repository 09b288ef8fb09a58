/** What Prometheus is told of the director. */

import { readFileSync } from "node:fs";
import t from "tap";
import type { Decision } from "../src/core/model.ts";
import { SKIP_CODES } from "../src/core/skipped.ts";
import { directorMetrics } from "../src/metrics.ts";

t.test(
  "who is not served is counted by reason, addresses by state, and no label holds a stranger's word",
  async (t) => {
    const metrics = directorMetrics();
    const range = { size: 20, used: 3, held: 2, conflict: 1, reserved: 1 };
    const skipped = [
      { container: 'evil"} 1', code: "range-full", reason: "the address range is full" },
      { container: "other", code: "range-full", reason: "the address range is full" },
      { container: "sealed", code: "no-network", reason: "it has no network (none)" },
    ];
    const decision = { services: [{}, {}], skipped, range } as unknown as Decision;
    metrics.ran(0.02, decision, ["+ rule web 192.168.122.11 -> 172.17.0.2", "+ evil rule"], true);
    const text = await metrics.text();
    const value = (series: string): number =>
      Number(
        text
          .split("\n")
          .find((l) => l.startsWith(`${series} `))
          ?.split(" ")
          .at(-1),
      );
    t.equal(value("ocdd_services"), 2);
    t.equal(value('ocdd_skipped{reason="range-full"}'), 2);
    t.equal(value('ocdd_skipped{reason="no-network"}'), 1);
    t.equal(value('ocdd_skipped{reason="label"}'), 0, "a reason nobody has is told as well");
    for (const [state, n] of [
      ["used", 3],
      ["rest", 2],
      ["conflict", 1],
      ["reserved", 1],
      ["free", 13],
    ] as const)
      t.equal(value(`ocdd_addresses{state="${state}"}`), n, state);
    t.equal(value('ocdd_changes_total{kind="rule",drift="true"}'), 1);
    t.equal(value('ocdd_changes_total{kind="other",drift="true"}'), 1);
    t.equal(value("ocdd_docker_up"), 1);
    metrics.failed(1, "docker");
    const after = await metrics.text();
    t.match(after, /^ocdd_docker_up 0$/m);
    t.match(after, /^ocdd_run_seconds_count\{result="docker"\} 1$/m);
    t.notMatch(after, /evil|sealed|web/, "no container's name");
  },
);

t.test("every metric is described", async (t) => {
  const source = readFileSync(new URL("../src/metrics.ts", import.meta.url), "utf8");
  const described = readFileSync(new URL("../docs/metrics.md", import.meta.url), "utf8");
  const names = new Set(source.match(/ocdd_[a-z_]+/g));
  t.ok(names.size > 10);
  for (const name of names) t.match(described, `\`${name}`, name);
  for (const code of SKIP_CODES) t.match(described, `\`${code}\``, code);
});
