/** Methods at their times: a clock that the test moves, containers whose commands end when it says so. */
import t from "tap";
import type { Container } from "../../../src/core/model.ts";
import { config, id, NOW } from "../../core/make.ts";
import { labelled, makeStage, settle } from "./stage.ts";

const VALIDATE = { "ocdd.validate": "validate", "ocdd.validate.interval": "60s" } as const;
const SECOND = 1_000;

/** A range with room for many services. */
const WIDE = config({
  IP_RANGE: "10.9.0.1-10.9.3.250",
  IP_SUBNET: null,
  IP_RANGE_START: null,
  IP_RANGE_END: null,
});

const many = (n: number, labels: Readonly<Record<string, string>>): Container[] =>
  Array.from({ length: n }, (_, at) =>
    labelled(`service-${at}`, labels, `172.17.${1 + Math.floor(at / 200)}.${1 + (at % 200)}`),
  );

/** A run of VALIDATE that has ended well. */
const RUN = { method: "validate", ok: true, status: 0, reason: null, by: "x" } as const;

t.test("200 services are validated, four at once, begun over half a minute", async (t) => {
  const stage = makeStage();
  stage.docker.answer = () => null;
  stage.update(many(200, { ...VALIDATE, "ocdd.validate.interval": "1h" }), WIDE);
  await stage.clock.advance(9 * SECOND);
  t.equal(stage.docker.begun.length, 0, "those that have just started are left alone");
  await stage.clock.advance(3 * SECOND);
  t.ok(stage.docker.begun.length > 0 && stage.docker.begun.length <= 4);
  await stage.clock.advance(45 * SECOND);
  t.equal(stage.docker.begun.length, 4, "the others wait while these run");
  while (stage.docker.running.size > 0) {
    for (const run of [...stage.docker.running]) run.end(0);
    await settle();
  }
  t.equal(new Set(stage.docker.begun.map(({ container }) => container)).size, 200);
  t.equal(stage.docker.begun.length, 200, "each once");
  t.equal(stage.docker.most, 4);
  t.same(stage.log, []);
  await stage.schedule.close();
});

t.test("an interval is kept, from start to start; a run that takes longer is not doubled", async (t) => {
  const stage = makeStage();
  stage.update([labelled("web", { ...VALIDATE, "ocdd.validate.interval": "20s" })]);
  await stage.clock.advance(130 * SECOND);
  t.ok([5, 6].includes(stage.docker.begun.length), String(stage.docker.begun.length));
  const before = stage.docker.begun.length;
  stage.docker.answer = () => null;
  await stage.clock.advance(300 * SECOND);
  t.equal(stage.docker.begun.length, before + 1);
  for (const run of stage.docker.running) run.end(0);
  await settle();
  await stage.clock.advance(2 * SECOND);
  t.equal(stage.docker.begun.length, before + 2, "the next one follows its end");
  await stage.schedule.close();
});

t.test("after a restart of watch the time of the last run counts, whoever made it", async (t) => {
  const stage = makeStage();
  const startedAt = stage.clock.date() - 40 * SECOND;
  stage.results.set(
    id("web"),
    new Map([["validate", { ...RUN, container: id("web"), startedAt, endedAt: startedAt }]]),
  );
  stage.update([labelled("web", VALIDATE)]);
  await stage.clock.advance(19 * SECOND);
  t.equal(stage.docker.begun.length, 0);
  await stage.clock.advance(2 * SECOND);
  t.equal(stage.docker.begun.length, 1);
  await stage.schedule.close();
});

t.test(
  "a service that stops, sleeps or is paused is not run, also when its turn comes; it is again later",
  async (t) => {
    const stage = makeStage();
    stage.docker.answer = () => null;
    const others = many(4, { ...VALIDATE, "ocdd.validate.interval": "1h" });
    const web = labelled("web", { ...VALIDATE, "ocdd.wake": "true" }, "172.17.9.9");
    stage.update(others);
    await stage.clock.advance(45 * SECOND);
    t.equal(stage.docker.running.size, 4);
    const startedAt = stage.clock.date() - 59 * SECOND;
    stage.results.set(
      web.id,
      new Map([["validate", { ...RUN, container: web.id, startedAt, endedAt: startedAt }]]),
    );
    stage.update([...others, web]);
    await stage.clock.advance(2 * SECOND);
    // it waits for its turn, and falls asleep
    stage.update([...others, { ...web, state: "exited" }]);
    for (const run of [...stage.docker.running]) run.end(0);
    await settle();
    await stage.clock.advance(600 * SECOND);
    t.equal(stage.docker.begun.length, 4, "not in one that is asleep");
    stage.update([...others, { ...web, state: "paused" }]);
    await stage.clock.advance(600 * SECOND);
    t.equal(stage.docker.begun.length, 4, "not in one that is paused");
    stage.update([...others, web]);
    await stage.clock.advance(60 * SECOND);
    t.equal(stage.docker.begun.filter(({ container }) => container === web.id).length, 1);
    await stage.schedule.close();
  },
);

t.test("a container that ends while its method runs: no result, no line", async (t) => {
  const stage = makeStage();
  stage.docker.answer = () => null;
  const web = labelled("web", { ...VALIDATE, "ocdd.wake": "true" });
  stage.update([web]);
  await stage.clock.advance(50 * SECOND);
  t.equal(stage.docker.running.size, 1);
  stage.update([{ ...web, state: "exited" }]);
  for (const run of [...stage.docker.running]) run.end(137);
  await settle();
  t.equal(stage.results.size, 0);
  t.same(stage.log, []);
  await stage.schedule.close();
});

t.test(
  "the log has a line when a result changes, and no other; a run of the director is asked for",
  async (t) => {
    const stage = makeStage();
    stage.update([
      labelled("web", { ...VALIDATE, "ocdd.monitor": "monitor", "ocdd.monitor.interval": "60s" }),
    ]);
    const answers = [
      [0, 0],
      [0, 0],
      [1, 2],
      [1, 2],
      [1, 1],
      [0, 0],
      [0, 0],
    ] as const;
    await stage.clock.advance(5 * SECOND);
    for (const [validate, monitor] of answers) {
      stage.docker.answer = ([program]) => [program === "validate" ? validate : monitor, ""];
      await stage.clock.advance(60 * SECOND);
    }
    t.same(
      stage.log.filter((line) => line.includes("VALIDATE")),
      ['warning: VALIDATE of "web" failed with status 1: as it said', 'info: VALIDATE of "web" passed'],
    );
    t.same(
      stage.log.filter((line) => line.includes("MONITOR")),
      [
        'warning: MONITOR of "web" is CRITICAL: as it said',
        'warning: MONITOR of "web" is WARNING: as it said',
        'info: MONITOR of "web" is OK',
      ],
    );
    t.same(new Set(stage.changed), new Set([id("web")]));
    t.equal(stage.changed.length, 1 + 2 + 1 + 3);
    await stage.schedule.close();
  },
);

t.test("a result that is stored as failed is no news after a restart of watch", async (t) => {
  const stage = makeStage();
  const last = {
    container: id("web"),
    method: "validate",
    ok: false,
    status: 1,
    reason: "x",
    by: "x",
  } as const;
  const startedAt = stage.clock.date() - 600 * SECOND;
  stage.results.set(id("web"), new Map([["validate", { ...last, startedAt, endedAt: startedAt }]]));
  stage.update([labelled("web", VALIDATE)]);
  stage.docker.answer = () => [1, ""];
  await stage.clock.advance(120 * SECOND);
  t.ok(stage.docker.begun.length >= 1);
  t.same(stage.log, []);
  stage.docker.answer = () => [0, ""];
  await stage.clock.advance(60 * SECOND);
  t.same(stage.log, ['info: VALIDATE of "web" passed']);
  await stage.schedule.close();
});

t.test("UPDATE at its interval, then VALIDATE; not after an UPDATE that failed", async (t) => {
  const stage = makeStage();
  const labels = { "ocdd.update": "update", "ocdd.validate": "validate", "ocdd.update.interval": "100s" };
  stage.update([labelled("web", labels)]);
  await stage.clock.advance(60 * SECOND);
  t.same(stage.words(), ["update", "validate"]);
  stage.docker.answer = ([program]) => [program === "update" ? 3 : 0, ""];
  await stage.clock.advance(100 * SECOND);
  t.same(stage.words(), ["update", "validate", "update"]);
  t.same(stage.log, ['warning: UPDATE of "web" failed with status 3: as it said']);
  await stage.schedule.close();
});

t.test("a container without the method: one line, and no more questions to Docker", async (t) => {
  const stage = makeStage();
  const labels = {
    "ocdd.monitor.interval": "10s",
    "ocdd.validate.interval": "10s",
    "ocdd.validate": "a | b",
  };
  stage.update([labelled("web", labels)]);
  await stage.clock.advance(60 * SECOND);
  const { asked } = stage.docker;
  await stage.clock.advance(600 * SECOND);
  t.equal(stage.docker.asked, asked);
  t.equal(asked, 1, "its methods are looked for once");
  t.same(stage.log.sort(), [
    'warning: MONITOR of "web" is not run: its container has no such method',
    'warning: VALIDATE of "web" is not run: validate (label ocdd.validate) cannot be read: "|" needs a shell: quote it, or write ["sh", "-c", "..."]: "a | b"',
  ]);
  t.equal(stage.docker.begun.length, 0);
  await stage.schedule.close();
});

t.test("methods are looked for once in a container, and again in the next one", async (t) => {
  const stage = makeStage();
  const web = labelled("web", VALIDATE);
  stage.update([web]);
  await stage.clock.advance(300 * SECOND);
  t.equal(stage.docker.asked, 1);
  stage.update([]);
  stage.update([web]);
  await stage.clock.advance(120 * SECOND);
  t.equal(stage.docker.asked, 2, "forgotten when it has ended");
  await stage.schedule.close();
});

t.test("services without any of the labels: no timer, no question to Docker", async (t) => {
  const stage = makeStage();
  stage.update(many(50, { "ocdd.validate": "validate" }), WIDE);
  await stage.clock.advance(3_600 * SECOND);
  t.equal(stage.clock.timers, 0);
  t.equal(stage.docker.asked + stage.docker.begun.length, 0);
  await stage.schedule.close();
});

t.test("cron: at its times, not while the run before goes on; that is counted", async (t) => {
  const stage = makeStage();
  stage.docker.answer = () => null;
  stage.update([labelled("web", { "ocdd.cron.a": "*/5 * * * * job 'x y'" })]);
  // NOW is a full minute
  const minute = NOW % 3_600;
  const toNext = (300 - (minute % 300)) * SECOND;
  await stage.clock.advance(toNext - 1);
  t.equal(stage.docker.begun.length, 0);
  await stage.clock.advance(1);
  t.same(
    stage.docker.begun.map(({ argv }) => argv),
    [["job", "x y"]],
  );
  await stage.clock.advance(600 * SECOND);
  t.equal(stage.docker.begun.length, 1, "no overlap");
  const { runs } = await stage.schedule.figures();
  t.same(runs, [{ method: "cron", result: "skipped", n: 2 }]);
  for (const run of stage.docker.running) run.end(4, "no space\n");
  await settle();
  t.same(stage.log, ['warning: ocdd.cron.a of "web" failed with status 4: no space']);
  await stage.clock.advance(300 * SECOND);
  t.equal(stage.docker.begun.length, 2);
  await stage.schedule.close();
});

t.test(
  "cron: what was missed while the host was suspended is not made up for; a clock set back repeats nothing",
  async (t) => {
    const stage = makeStage();
    const labels = { "ocdd.cron.a": "30 3 * * * job" };
    const at = new Date(NOW * 1000).setHours(3, 29, 0, 0);
    stage.clock.set(at);
    stage.update([labelled("web", labels)]);
    await stage.clock.advance(120 * SECOND);
    t.equal(stage.docker.begun.length, 1);
    stage.clock.set(at);
    await stage.clock.advance(30 * SECOND);
    t.equal(stage.docker.begun.length, 1);
    await stage.clock.advance(60 * SECOND);
    t.equal(stage.docker.begun.length, 2, "at its time by the clock of now");
    // it was suspended from then on, for more than a day
    stage.clock.set(at + 30 * 3_600 * SECOND);
    await stage.clock.advance(60 * SECOND);
    t.equal(stage.docker.begun.length, 2);
    await stage.schedule.close();
  },
);

t.test("close: what runs is ended, without a result and a line, and nothing begins any more", async (t) => {
  const stage = makeStage();
  stage.docker.answer = () => null;
  stage.update(many(8, { ...VALIDATE, "ocdd.cron.a": "* * * * * job" }), WIDE);
  await stage.clock.advance(65 * SECOND);
  t.equal(stage.docker.running.size, 12, "four methods, eight entries of cron");
  await stage.schedule.close();
  t.equal(stage.docker.running.size, 0);
  t.ok(stage.docker.begun.every(({ signal }) => signal?.aborted));
  t.equal(stage.results.size, 0);
  t.same(stage.log, []);
  t.equal(stage.clock.timers, 0);
  const { length } = stage.docker.begun;
  stage.update(many(8, VALIDATE), WIDE);
  await stage.clock.advance(600 * SECOND);
  t.equal(stage.docker.begun.length, length);
});

t.test("another configuration ends no run, and begins none anew", async (t) => {
  const stage = makeStage();
  stage.docker.answer = () => null;
  const web = labelled("web", { "ocdd.cron.a": "* * * * * job" });
  stage.update([web]);
  await stage.clock.advance(60 * SECOND);
  stage.update([web], config({ METRICS_LISTEN: "127.0.0.1:9553", DNS_TTL: "30" }));
  await stage.clock.advance(120 * SECOND);
  t.equal(stage.docker.begun.length, 1);
  t.equal(stage.docker.running.size, 1);
  await stage.schedule.close();
});

t.test("figures: last results, states of MONITOR, runs, and the metrics of containers", async (t) => {
  const stage = makeStage();
  stage.docker.answer = ([program]) =>
    program === "metrics"
      ? [0, "# TYPE jobs gauge\njobs 7\nocdd_x 1\n"]
      : [program === "monitor" ? 2 : 0, ""];
  const labels = {
    ...VALIDATE,
    "ocdd.monitor": "monitor",
    "ocdd.monitor.interval": "60s",
    "ocdd.metrics": "metrics",
    "ocdd.metrics.interval": "60s",
  };
  const web = labelled("web", labels);
  stage.update([web]);
  await stage.clock.advance(55 * SECOND);
  const figures = await stage.schedule.figures();
  t.same(
    figures.last.map(({ service, method, ok }) => [service, method, ok]),
    [
      ["web", "validate", true],
      ["web", "monitor", false],
      ["web", "metrics", true],
    ],
  );
  t.same([...figures.monitor], [["web", 2]]);
  t.same(figures.runs.map(({ method, result, n }) => `${method} ${result} ${n}`).sort(), [
    "metrics ok 1",
    "monitor failed 1",
    "validate ok 1",
  ]);
  t.match(figures.text, 'jobs{service="web"} 7');
  t.same([...figures.series], [["web", 2]]);
  t.same([...figures.leftOut], [["web", 1]]);
  // what is out of date is not shown
  stage.docker.answer = ([program]) => (program === "metrics" ? [0, "jobs\n"] : [0, ""]);
  await stage.clock.advance(60 * SECOND);
  const failed = await stage.schedule.figures();
  t.equal(failed.text, "");
  t.match(
    stage.log.join("\n"),
    'METRICS of "web" failed: its metrics cannot be read: line 1: no blank follows',
  );
  stage.docker.answer = () => [0, "jobs 8\n"];
  await stage.clock.advance(60 * SECOND);
  t.match((await stage.schedule.figures()).text, 'jobs{service="web"} 8');
  stage.update([]);
  t.equal((await stage.schedule.figures()).text, "", "nor what a container said that has ended");
  await stage.schedule.close();
});

t.test("METRICS are not collected where nothing listens for a scrape", async (t) => {
  const stage = makeStage();
  stage.update([labelled("web", { "ocdd.metrics": "metrics" })], config());
  await stage.clock.advance(300 * SECOND);
  t.equal(stage.docker.begun.length + stage.docker.asked, 0);
  await stage.schedule.close();
});

t.test("slow METRICS keep neither a scrape nor other methods waiting", async (t) => {
  const stage = makeStage();
  stage.docker.answer = ([program]) => (program === "metrics" ? null : [0, ""]);
  stage.update(
    many(10, { ...VALIDATE, "ocdd.metrics": "metrics" }),
    config({ ...RANGE, METRICS_LISTEN: "127.0.0.1:9553" }),
  );
  await stage.clock.advance(55 * SECOND);
  t.equal(stage.docker.running.size, 4);
  t.equal((await stage.schedule.figures()).last.length, 10, "all are validated");
  await stage.schedule.close();
});

const RANGE = { IP_RANGE: "10.9.0.1-10.9.3.250", IP_SUBNET: null, IP_RANGE_START: null, IP_RANGE_END: null };

t.test(
  "commands that run for as long as their labels let them: every other container still has its turn",
  async (t) => {
    const stage = makeStage();
    stage.docker.answer = ([word]) => (word === "sleep" ? null : [0, ""]);
    const entries = Array.from({ length: 16 }, (_, n): [string, string] => [
      `ocdd.cron.n${n}`,
      "* * * * * sleep 9d",
    ]);
    const slow = Array.from({ length: 8 }, (_, n) =>
      labelled(
        `slow-${n}`,
        {
          ...Object.fromEntries(entries),
          "ocdd.cron.timeout": "30d",
          "ocdd.validate": "sleep 9d",
          "ocdd.validate.interval": "1h",
          "ocdd.validate.timeout": "1h",
          "ocdd.metrics": "sleep 9d",
          "ocdd.metrics.interval": "1h",
          "ocdd.metrics.timeout": "1h",
        },
        `172.17.9.${n + 1}`,
      ),
    );
    stage.update(slow);
    await stage.clock.advance(120 * SECOND);
    const other = labelled("other", {
      "ocdd.cron.backup": "* * * * * backup",
      "ocdd.validate": "validate",
      "ocdd.validate.interval": "60s",
      "ocdd.metrics": "metrics",
      "ocdd.metrics.interval": "60s",
    });
    stage.update([...slow, other]);
    await stage.clock.advance(1_800 * SECOND);
    const ran = new Set(
      stage.docker.begun.filter(({ container }) => container === id("other")).map(({ argv }) => argv[0]),
    );
    t.strictSame([...ran].sort(), ["backup", "metrics", "validate"]);
    await stage.schedule.close();
  },
);
