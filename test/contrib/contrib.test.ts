/** contrib/: what Prometheus' own tools say of it, and that its queries ask for metrics and labels that OCDD has. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { ROOT, textOf } from "../../packaging/surface.ts";
import { directorText, serverText } from "../daemon/figures.ts";
import { type Outcome, run } from "../lab/process.ts";
import { ALERTS, HEALTHY } from "./alerts.ts";

const RULES = "contrib/ocdd.rules.yml";
const dir = mkdtempSync(join(tmpdir(), "ocdd-contrib-"));
t.teardown(() => rmSync(dir, { recursive: true }));

const promtool = (...words: string[]): Promise<Outcome> => run(["promtool", ...words], { check: false });

/** JSON is YAML as well. */
function written(name: string, content: unknown): string {
  const file = join(dir, name);
  writeFileSync(file, JSON.stringify(content));
  return file;
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly type: string; readonly definition?: string }[] };
}

const { panels, templating } = JSON.parse(textOf("contrib/grafana-dashboard.json")) as Dashboard;
const queries = panels.flatMap(({ title, targets }) =>
  (targets ?? []).map(({ expr }) => ({
    title,
    // what Grafana puts in their place
    expr: expr.replaceAll("$__rate_interval", "5m").replaceAll("$host", "(192\\\\.0\\\\.2\\\\.1|.+)"),
  })),
);

/** Alerts of the rules file: name, query, and the texts that are templates. */
const alerts = textOf(RULES)
  .split(/^ +- alert: /m)
  .slice(1)
  .map((text) => ({
    name: text.split("\n")[0] as string,
    expr: (/expr: (?:>-\n)?([\s\S]*?)\n +(?:for|labels): /.exec(text)?.[1] ?? "").trim(),
    summary: JSON.parse(/summary: (".*")/.exec(text)?.[1] ?? "") as string,
    description: JSON.parse(/description: (".*")/.exec(text)?.[1] ?? "") as string,
    severity: /severity: (\w+)/.exec(text)?.[1],
  }));

/** Metrics that a query asks for, with the labels that it selects them by. */
function asked(expr: string): { name: string; labels: string[] }[] {
  const bare = expr.replace(/\b(?:by|without|ignoring|on) \([^)]*\)/g, " ");
  const selectors = bare.matchAll(/\b([a-z_]+)\b(?!\s*\()(?:\{((?:[^"}]|"(?:\\.|[^"\\])*")*)\})?/g);
  return [...selectors]
    .filter(([, name = ""]) => name.includes("_") || name === "up")
    .map(([, name = "", labels = ""]) => ({
      name,
      labels: [...labels.matchAll(/(\w+)\s*[=!]~?\s*"/g)].map(([, label = ""]) => label),
    }));
}

t.test("the scrape configuration and the rules: promtool finds no fault", async (t) => {
  for (const words of [
    ["check", "config", `${ROOT}contrib/prometheus.yml`],
    ["check", "rules", `${ROOT}${RULES}`],
  ]) {
    const { code, stdout, stderr } = await promtool(...words);
    t.equal(code, 0, `${stdout}${stderr}`);
  }
});

t.test("the dashboard: every query is one that Prometheus reads; ids of panels differ", async (t) => {
  t.ok(queries.length > 40);
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const rules = queries.map(({ expr }, i) => ({ record: `query:${i}`, expr }));
  const { code, stdout, stderr } = await promtool(
    "check",
    "rules",
    written("dashboard.yml", { groups: [{ name: "x", rules }] }),
  );
  t.equal(code, 0, stderr);
  t.match(stdout, `${queries.length} rules found`);
  const broken = written("broken.yml", { groups: [{ name: "x", rules: [{ record: "a", expr: "sum(" }] }] });
  t.not((await promtool("check", "rules", broken)).code, 0, "it would find a fault");
});

t.test(
  "dashboard and alerts ask for metrics that director or server have, by labels that these have",
  async (t) => {
    const labelsOf = new Map<string, Set<string>>();
    for (const text of [await directorText(), await serverText()])
      for (const [, name = "", labels = ""] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
        // these come from the scrape, `service` from containers that have the metric too
        const known = labelsOf.get(name) ?? new Set(["instance", "job", "service"]);
        for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) known.add(label);
        labelsOf.set(name, known);
      }
    labelsOf.set("up", new Set(["instance", "job"]));
    const variables = templating.list.flatMap(({ definition }) =>
      definition === undefined ? [] : [definition.replace(/^label_values\((.*), \w+\)$/, "$1")],
    );
    const all = [...queries.map(({ expr }) => expr), ...alerts.map(({ expr }) => expr), ...variables];
    for (const expr of all) {
      const found = asked(expr);
      t.ok(found.length > 0, expr);
      for (const { name, labels } of found) {
        t.ok(labelsOf.has(name), `${name} in ${expr}`);
        t.same(
          labels.filter((label) => !labelsOf.get(name)?.has(label)),
          [],
          `labels of ${name} in ${expr}`,
        );
      }
    }
  },
);

t.test("the dashboard shows every metric, or an alert asks for it", async (t) => {
  const used = [...queries, ...alerts].flatMap(({ expr }) => asked(expr).map(({ name }) => name));
  const base = new Set(used.map((name) => name.replace(/_(bucket|count|sum)$/, "")));
  // the dashboard shows the time since then, or the same in another form
  const left = ["process_start_time_seconds", "ocdd_dns_engine", "ocdd_method_last_run_timestamp_seconds"];
  for (const text of [await directorText(), await serverText()])
    for (const [, name = ""] of text.matchAll(/^# TYPE (\S+) /gm))
      t.ok(base.has(name) !== left.includes(name), name);
});

t.test(
  "alerts: each fires in its case with texts that are filled in, none on a host that works",
  async (t) => {
    t.same(ALERTS.map(({ alert }) => alert).sort(), alerts.map(({ name }) => name).sort());
    const quiet = alerts.map(({ name }) => ({ eval_time: "40m", alertname: name, exp_alerts: [] }));
    const tests: unknown[] = [{ interval: "1m", input_series: HEALTHY, alert_rule_test: quiet }];
    for (const { alert, series, labels, value } of ALERTS) {
      const rule = alerts.find(({ name }) => name === alert);
      const filled = (text: string): string =>
        text
          .replace(/\{\{ if .*? \}\}.*\{\{ end \}\}|\{\{ \$value[^}]*\}\}/g, value ?? "NO VALUE")
          .replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => labels[label] ?? "NO LABEL");
      const exp_alerts = [
        {
          exp_labels: { ...labels, severity: rule?.severity },
          exp_annotations: {
            summary: filled(rule?.summary ?? ""),
            description: filled(rule?.description ?? ""),
          },
        },
      ];
      const others = HEALTHY.filter((one) => !series.some((bad) => bad.series === one.series));
      tests.push({
        interval: "1m",
        input_series: [...others, ...series],
        alert_rule_test: [{ eval_time: "40m", alertname: alert, exp_alerts }],
      });
    }
    const file = written("tests.yml", { rule_files: [`${ROOT}${RULES}`], evaluation_interval: "1m", tests });
    const { code, stdout, stderr } = await promtool("test", "rules", file);
    t.equal(code, 0, `${stdout}${stderr}`);
  },
);
