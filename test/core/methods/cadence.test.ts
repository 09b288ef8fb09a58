/** When methods are to be run, by labels; and what of it is due in which container. */
import fc from "fast-check";
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import { cadenceOf } from "../../../src/core/methods/cadence.ts";
import {
  firstDelayMs,
  isMissed,
  nextDueMs,
  type Task,
  taskName,
  tasksOf,
} from "../../../src/core/methods/tasks.ts";
import type { Container } from "../../../src/core/model.ts";
import { config, container, id, NOW, observation } from "../make.ts";

const labelled = (labels: Readonly<Record<string, string>>) => new Map(Object.entries(labels));

t.test("intervals: durations; METRICS that are named are collected each minute", (t) => {
  const { intervals, notes } = cadenceOf(
    labelled({
      "ocdd.validate.interval": "10m",
      "ocdd.update.interval": "1d",
      "ocdd.monitor.interval": "30",
      "ocdd.metrics": "http://:9100/metrics",
    }),
  );
  t.same(Object.fromEntries(intervals), { validate: 600, update: 86_400, monitor: 30, metrics: 60 });
  t.same(notes, []);
  const metrics = cadenceOf(labelled({ "ocdd.metrics.interval": "15s" }));
  t.same([...metrics.intervals], [["metrics", 15]], "the image may name them");
  t.end();
});

t.test("without a label that asks for a run: nothing, and the labels are looked at once", (t) => {
  const none = cadenceOf(labelled({ "ocdd.validate": "x", "ocdd.name": "y", "ocdd.monitor.timeout": "5s" }));
  t.equal(none.intervals.size + none.cron.length + none.notes.length, 0);
  t.equal(none, cadenceOf(new Map()), "always the same value");
  t.end();
});

t.test("values that cannot be read: the service is served, and the wish refused with its reason", (t) => {
  for (const bad of ["", "0", "-5s", "1.5h", "soon", "400d", "10 m", "\u001b[2J"]) {
    const { intervals, notes } = cadenceOf(labelled({ "ocdd.validate.interval": bad }));
    t.equal(intervals.size, 0, bad);
    t.match(
      notes[0],
      /^label ocdd\.validate\.interval cannot be read and is ignored: ".*" is no duration such as 30s/,
    );
    t.notMatch(notes[0], "\u001b");
  }
  const labels = labelled({ "ocdd.update.interval": "never", "ocdd.cron.x": "bad" });
  const { services, warnings } = decide(
    config(),
    observation({ containers: [container({ name: "web", labels })] }),
    NOW,
  );
  t.equal(services.length, 1);
  t.match(warnings.join("\n"), /ocdd\.update\.interval cannot be read/);
  t.match(warnings.join("\n"), /ocdd\.cron\.x is ignored/);
  t.end();
});

function tasks(containers: readonly Container[], metrics = true): Task[] {
  const seen = observation({ containers });
  return tasksOf(decide(config(), seen, NOW).services, containers, metrics);
}

t.test("tasks: one for each method and cron entry of a container that runs", (t) => {
  const labels = labelled({
    "ocdd.validate.interval": "10m",
    "ocdd.metrics": "metrics",
    "ocdd.cron.a": "* * * * * x",
  });
  const web = container({ name: "web", labels });
  const found = tasks([web, container({ name: "plain", at: "172.17.0.9" })]);
  t.same(found.map(taskName), ["validate", "metrics", "cron.a"]);
  for (const task of found)
    t.match(task, { service: "web", container: id("web"), address: "172.17.0.2" }, "at its own address");
  t.equal(new Set(found.map(({ key }) => key)).size, 3);
  t.same(tasks([web], false).map(taskName), ["validate", "cron.a"], "METRICS_LISTEN is not set");
  for (const over of [{ state: "paused" }, { state: "restarting" }, { health: "starting" }] as const)
    t.same(tasks([{ ...web, ...over }]), [], JSON.stringify(over));
  t.equal(tasks([{ ...web, health: "unhealthy" }]).length, 3, "an unhealthy one is validated");
  t.end();
});

t.test("tasks: a container that sleeps has none", (t) => {
  const labels = labelled({
    "ocdd.wake": "true",
    "ocdd.validate.interval": "1s",
    "ocdd.cron.a": "* * * * * x",
  });
  const seen = observation({ stopped: [container({ name: "web", labels, state: "exited" })] });
  const { services } = decide(config(), seen, NOW);
  t.equal(services[0]?.state, "asleep");
  t.same(tasksOf(services, [...seen.containers, ...(seen.stopped ?? [])], true), []);
  t.end();
});

t.test("first runs: the interval since the last one is kept; those that are due at once are spread", (t) => {
  t.equal(firstDelayMs("web validate", 600, 100_000), 500_000);
  t.equal(firstDelayMs("web validate", 600, 0), 600_000);
  t.equal(firstDelayMs("web validate", 600, -5_000), 600_000, "the clock was set back");
  const names = Array.from({ length: 200 }, (_, n) => `service-${n} validate`);
  for (const since of [null, 10_000_000]) {
    const delays = names.map((name) => firstDelayMs(name, 600, since));
    t.same(
      delays,
      names.map((name) => firstDelayMs(name, 600, since)),
      "always the same",
    );
    const seconds = new Map<number, number>();
    for (const delay of delays)
      seconds.set(Math.floor(delay / 1000), (seconds.get(Math.floor(delay / 1000)) ?? 0) + 1);
    t.ok(Math.max(...seconds.values()) < 30, `at most ${Math.max(...seconds.values())} of 200 in one second`);
    t.ok(Math.max(...delays) < 40_000);
    t.ok(Math.min(...delays) >= (since === null ? 10_000 : 0), "one that has just started is left alone");
  }
  fc.assert(
    fc.property(
      fc.string(),
      fc.integer({ min: 1, max: 31_536_000 }),
      fc.option(fc.integer()),
      (key, every, since) => {
        const delay = firstDelayMs(key, every, since);
        return delay >= 0 && delay <= 2 * every * 1000;
      },
    ),
  );
  t.end();
});

t.test(
  "next runs: an interval after the start, and some time after the end; cron misses what is long past",
  (t) => {
    t.equal(nextDueMs(10, 5_000, 6_000), 15_000);
    t.equal(nextDueMs(1, 5_000, 65_000), 66_000);
    t.equal(isMissed(1_000_000, 1_060_000), false);
    t.equal(isMissed(1_000_000, 1_400_000), true);
    t.end();
  },
);
