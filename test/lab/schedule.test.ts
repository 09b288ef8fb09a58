/** Methods at intervals, commands by cron and metrics of containers: `watch` on real engines. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { readExposition } from "../../src/core/methods/exposition.ts";
import { initializedLab } from "./director.ts";
import type { Lab } from "./handle.ts";
import { storage } from "./ocdd.ts";
import { type Daemon, run, until } from "./process.ts";

t.setTimeout(1_200_000);

const LISTEN = "127.0.0.1:9553";
/** Ports are tried at each full run. */
const CONF = { conf: { METRICS_LISTEN: LISTEN, SYNC_INTERVAL: "60" } };

const sh = (text: string): string => JSON.stringify(["sh", "-c", text]);

const put = (lab: Lab, name: string, file: string, text: string): Promise<string> =>
  lab.docker("exec", name, "sh", "-c", `printf '%s\n' "$1" >${file}`, "sh", text);

const metrics = async (lab: Lab): Promise<string> =>
  (await lab.run("host", ["curl", "-sS", "--max-time", "10", `http://${LISTEN}/metrics`], { check: false }))
    .stdout;

/** Resolves with the metrics once a line of them begins so. */
const shows = (lab: Lab, line: string): Promise<string> =>
  until(`the metrics show ${line}`, async () => {
    const text = await metrics(lab);
    return text.split("\n").some((one) => one.startsWith(line)) && text;
  });

/** VALIDATEs that have passed since watch began. */
const validations = async (lab: Lab): Promise<number> =>
  Number(
    /^ocdd_method_runs_total\{method="validate",result="ok"\} (\d+)$/m.exec(await metrics(lab))?.[1] ?? 0,
  );

// what the engines do differently, running a command, is in methods.test.ts
for (const engine of ["debian"] as const) {
  t.test(`methods on a schedule, engine ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `schedule-${engine}`, engine, dns: false });
    const watch = lab.startOcdd(["watch"], CONF);
    t.teardown(() => watch.stop());
    await lab.startContainer({
      name: "web",
      labels: {
        "ocdd.validate": sh("test ! -e /tmp/bad || { echo no zone; exit 3; }"),
        "ocdd.validate.interval": "2s",
        "ocdd.monitor": sh("cat /tmp/monitor; exit $(head -c 1 /tmp/monitor)"),
        "ocdd.monitor.interval": "2s",
        "ocdd.metrics": sh("cat /tmp/metrics"),
        "ocdd.metrics.interval": "2s",
        "ocdd.cron.tick": `* * * * * ${sh("date >>/tmp/ticks")}`,
        "ocdd.cron.bad": "61 * * * * true",
      },
    });
    await put(lab, "web", "/tmp/monitor", "0 fine");
    await put(lab, "web", "/tmp/metrics", '# TYPE jobs gauge\njobs{service="own"} 7');
    // its ports are tried once a minute: the other tests are run meanwhile
    await lab.startContainer({ name: "mute", command: ["sleep", "9999"] });
    await results(t, lab, watch);
    await collected(t, lab, watch);
    await asleep(t, lab);
    await silent(t, lab);
    await cron(t, lab, watch);
    await answers(t, lab, watch);
    await ends(t, lab, watch);
  });
}

async function results(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test("VALIDATE and MONITOR at their intervals; the log has their changes", async (t) => {
    await shows(lab, 'ocdd_method_success{service="web",method="validate"} 1');
    await shows(lab, 'ocdd_monitor_state{service="web"} 0');
    await put(lab, "web", "/tmp/bad", "x");
    await put(lab, "web", "/tmp/monitor", "2 disk full");
    await shows(lab, 'ocdd_method_success{service="web",method="validate"} 0');
    const text = await shows(lab, 'ocdd_monitor_state{service="web"} 2');
    t.match(text, /^ocdd_method_runs_total\{method="validate",result="ok"\} [1-9]/m);
    await lab.docker("exec", "web", "rm", "/tmp/bad");
    await shows(lab, 'ocdd_method_success{service="web",method="validate"} 1');
    const lines = watch.output().split("\n");
    const said = (what: string): number => lines.filter((line) => line.includes(what)).length;
    t.equal(said('VALIDATE of "web" failed with status 3: no zone'), 1);
    t.equal(said('VALIDATE of "web" passed'), 1);
    t.equal(said('MONITOR of "web" is CRITICAL: 2 disk full'), 1);
    t.ok(said("label ocdd.cron.bad is ignored: its minute") >= 1, "served, and the wish refused");
  });
}

async function collected(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test("METRICS by a command and by URL; what is wrong or OCDD's own is left out", async (t) => {
    await shows(lab, 'jobs{service="web",exported_service="own"} 7');
    await lab.startContainer({
      name: "exporter",
      labels: { "ocdd.metrics": "http://any.example:80/metrics.txt", "ocdd.metrics.interval": "2s" },
    });
    await put(
      lab,
      "exporter",
      "/www/metrics.txt",
      '# TYPE jobs counter\njobs 1\nocdd_services 9\n# TYPE t_seconds histogram\nt_seconds_bucket{le="+Inf"} 3\nt_seconds_sum 1\nt_seconds_count 3',
    );
    await shows(lab, 't_seconds_count{service="exporter"} 3');
    const text = await shows(lab, 'ocdd_metrics_left_out{service="exporter"} 2');
    t.notMatch(text, 'jobs{service="exporter"}');
    t.notMatch(text, "ocdd_services{");
    const read = readExposition(text, "x");
    t.equal("problem" in read ? read.problem : "", "", "the whole is in the format");
    await put(lab, "exporter", "/www/metrics.txt", "<html>");
    await until("it is reported", () => watch.output().includes('METRICS of "exporter" failed'));
    t.notMatch(await metrics(lab), 't_seconds_count{service="exporter"}', "what is out of date is not shown");
  });
}

async function asleep(t: Test, lab: Lab): Promise<void> {
  await t.test(
    "a service falls asleep although it is validated and measured, and is not woken for it",
    async (t) => {
      await lab.startContainer({
        name: "sleeper",
        labels: {
          "ocdd.wake": "true",
          "ocdd.idle": "10s",
          "ocdd.validate": "true",
          "ocdd.validate.interval": "1s",
          "ocdd.metrics": "http://:80/",
          "ocdd.metrics.interval": "1s",
        },
      });
      await shows(lab, 'ocdd_method_success{service="sleeper",method="validate"} 1');
      const state = async (): Promise<string> =>
        (await lab.docker("inspect", "--format", "{{.State.Status}} {{.State.StartedAt}}", "sleeper")).trim();
      await until("it is stopped", async () => (await state()).startsWith("exited"));
      const before = await state();
      // the others are run meanwhile
      const runs = await validations(lab);
      await until("other services are validated", async () => (await validations(lab)) >= runs + 4);
      t.equal(await state(), before, "it sleeps");
      const text = await metrics(lab);
      t.match(text, 'ocdd_method_success{service="sleeper",method="validate"} 1', "its last result stays");
    },
  );
}

/** What the page says of the container that listens on nothing. */
const statusOfMute = (lab: Lab): string => {
  const text = readFileSync(join(storage(lab), "www/services.json"), "utf8");
  const { services } = JSON.parse(text) as { services: { name: string; status: string }[] };
  return services.find(({ name }) => name === "mute")?.status ?? "";
};

async function silent(t: Test, lab: Lab): Promise<void> {
  await t.test(
    "a container that runs and listens on nothing: no answer, for other commands too",
    async (t) => {
      await until("the page shows it", () => statusOfMute(lab) === "no answer");
      const { stdout } = await lab.ocdd(["list", "--state", "no-answer"], CONF);
      t.match(stdout, /^mute .* no answer$/m);
      t.equal(stdout.trim().split("\n").length, 2, "all others answer");
      await lab.docker("exec", "-d", "mute", "/serve");
    },
  );
}

async function answers(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test("it listens: shown as running again", async (t) => {
    await until("the page shows it", () => statusOfMute(lab) === "running");
    t.match(watch.output(), '"mute" runs and does not answer: no connection is accepted on TCP port 80');
    t.match(watch.output(), '"mute" answers again');
  });
}

async function cron(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test("cron: each minute", async (t) => {
    const ticks = async (): Promise<string> =>
      lab.docker("exec", "web", "sh", "-c", "cat /tmp/ticks || true");
    await until("it has been run", async () => (await ticks()) !== "");
    t.match(await ticks(), /:0\d /, "in the first seconds of a minute");
    await shows(lab, 'ocdd_method_success{service="web",method="cron.tick"} 1');
    t.notMatch(watch.output(), "ocdd.cron.tick");
  });
}

/** Whether a process of the machine has this argument. */
const runs = async (word: string): Promise<boolean> =>
  (await run(["pgrep", "-fx", `sleep ${word}`], { check: false })).code === 0;

async function ends(t: Test, lab: Lab, watch: Daemon): Promise<void> {
  await t.test("a command that does not end: ended after its timeout, and when watch ends", async (t) => {
    const seconds = `8${process.pid}1`;
    const other = `8${process.pid}2`;
    await lab.startContainer({
      name: "slow",
      labels: {
        "ocdd.validate": `sleep ${seconds}`,
        "ocdd.validate.timeout": "1s",
        "ocdd.validate.interval": "1h",
        "ocdd.monitor": `sleep ${other}`,
        "ocdd.monitor.timeout": "1h",
        "ocdd.monitor.interval": "1s",
      },
    });
    await until("it has been ended", () =>
      watch.output().includes('VALIDATE of "slow" failed: it was ended after 1 second'),
    );
    t.notOk(await runs(seconds));
    await until("the other one runs", () => runs(other));
    await watch.stop();
    t.notOk(await runs(other));
    const stored = `${storage(lab)}/methods.json`;
    t.ok(existsSync(stored));
    const { results } = JSON.parse(readFileSync(stored, "utf8")) as {
      results: { method: string; reason: string }[];
    };
    t.notOk(
      results.some(({ reason }) => /interrupted/.test(reason ?? "")),
      "an interruption is no result",
    );
  });
  await t.test("after a restart of watch nothing is begun anew", async (t) => {
    const validated = (): number | undefined => {
      const { results } = JSON.parse(readFileSync(`${storage(lab)}/methods.json`, "utf8")) as {
        results: { method: string; reason: string | null; startedAt: number }[];
      };
      return results.find(({ method, reason }) => method === "validate" && /^it was ended/.test(reason ?? ""))
        ?.startedAt;
    };
    const before = validated();
    t.type(before, "number");
    const again = lab.startOcdd(["watch"], CONF);
    await until("others are validated", async () => (await validations(lab)) >= 3);
    t.equal(validated(), before, "its interval of an hour goes on");
    await again.stop();
  });
}
