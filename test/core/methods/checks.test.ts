/** The last results of methods, as a service, the list, the status and the page show them. */
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import type { MethodName } from "../../../src/core/methods/method.ts";
import { type MethodResult, type Results, withResult } from "../../../src/core/methods/results.ts";
import { checkRows } from "../../../src/core/report/checks.ts";
import { listText } from "../../../src/core/report/list.ts";
import { config, container, id, observation } from "../make.ts";

const AT = Date.UTC(2026, 10, 29, 6, 21, 40);

function results(
  ...all: readonly (Partial<MethodResult> & { readonly of: string; readonly method: MethodName })[]
): Results {
  return all.reduce<Results>(
    (before, { of, ...one }) =>
      withResult(
        before,
        {
          ok: (one.status ?? 0) === 0,
          status: 0,
          reason: null,
          startedAt: AT - 500,
          endedAt: AT,
          by: "test",
          ...one,
          container: id(of),
        },
        () => true,
      ),
    new Map(),
  );
}

const seen = (found: Results) => ({
  ...observation({
    containers: [container({ name: "web", at: "172.17.0.2" }), container({ name: "db", at: "172.17.0.3" })],
  }),
  results: found,
});

const rowsOf = (found: Results) => {
  const { desired } = decide(config(), seen(found), 1_764_400_000);
  const { services } = JSON.parse(desired.page.services) as { services: Record<string, unknown>[] };
  return { rows: new Map(services.map((row) => [row.name, row])), html: desired.page.html };
};

t.test("nothing was run: no word of it anywhere", (t) => {
  const { rows, html } = rowsOf(new Map());
  t.notOk(Object.hasOwn(rows.get("web") ?? {}, "validate"));
  t.notMatch(html, /validated|monitor/i);
  t.end();
});

t.test("passed: a mark with the time, to the minute", (t) => {
  const { rows, html } = rowsOf(
    results({ of: "web", method: "validate" }, { of: "web", method: "monitor", reason: "all good" }),
  );
  t.match(rows.get("web"), {
    status: "running",
    tone: "good",
    reason: null,
    validate: { result: "passed", at: "2026-11-29T06:21:00Z" },
    monitor: { result: "OK", reason: "all good" },
  });
  t.match(html, "<small>validated <span>2026-11-29 06:21Z</span></small>");
  t.match(html, "<small>monitor OK <span>2026-11-29 06:21Z</span></small>");
  t.end();
});

t.test("failed: the service needs attention, with the reason; the others are as they were", (t) => {
  const broken = { of: "web", method: "validate", status: 3, reason: "zone <b>broken</b>" } as const;
  const { rows, html } = rowsOf(results(broken));
  t.match(rows.get("web"), {
    status: "invalid",
    tone: "bad",
    reason: "VALIDATE has failed: zone <b>broken</b>",
  });
  t.match(rows.get("db"), { status: "running", tone: "good" });
  t.match(html, "zone &lt;b&gt;broken&lt;/b&gt;");
  t.notMatch(html, "<b>broken");
  t.end();
});

t.test("MONITOR: its exit status is the state", (t) => {
  for (const [status, state, tone, word] of [
    [0, "OK", "good", "running"],
    [1, "WARNING", "warn", "warning"],
    [2, "CRITICAL", "bad", "critical"],
    [3, "UNKNOWN", "good", "running"],
    [42, "UNKNOWN", "good", "running"],
  ] as const) {
    const { rows } = rowsOf(results({ of: "web", method: "monitor", status, reason: "said" }));
    const reason = state === "OK" ? null : `MONITOR says ${state}: said`;
    t.match(rows.get("web"), { status: word, tone, reason, monitor: { result: state } }, `status ${status}`);
  }
  t.end();
});

t.test("list: a column for each method that has been run", (t) => {
  const found = results({ of: "web", method: "validate", status: 1 });
  const lines = listText(decide(config(), seen(found), 1_764_400_000)).split("\n");
  t.match(lines[0], /STATE +VALIDATE$/);
  t.match(
    lines.find((line) => line.startsWith("web")),
    /failed 2026-11-29 06:21Z$/,
  );
  t.match(
    lines.find((line) => line.startsWith("db")),
    / -$/,
  );
  t.notMatch(listText(decide(config(), seen(new Map()), 1_764_400_000)), "VALIDATE");
  t.end();
});

t.test("status: a row for each method, which says what helps where one is not good", (t) => {
  const rows = (found: Results) => checkRows(decide(config(), seen(found), 1_764_400_000));
  t.same(rows(results({ of: "web", method: "validate" })), [["validate", "1 passed"]]);
  t.match(rows(results({ of: "web", method: "validate" }, { of: "db", method: "validate", status: 1 })), [
    ["validate", "1 failed, 1 passed", "warn", /`ocdd validate NAME`/],
  ]);
  t.end();
});
