/** Methods of many containers: bounded, stopped at a failure, and no container's fault is another's. */
import t from "tap";
import type { MethodName } from "../../../src/core/methods/method.ts";
import type { MethodOutcome } from "../../../src/core/report/methods.ts";
import type { ContainerDescription } from "../../../src/host/docker/description.ts";
import type { DockerMethods } from "../../../src/host/docker/methods.ts";
import { type Round, type RoundTarget, runRound } from "../../../src/lifecycle/methods/rounds.ts";
import type { MethodRun, RanMethod } from "../../../src/lifecycle/methods/run.ts";
import { id } from "../../core/make.ts";

const LABELS = { "ocdd.update": "/update", "ocdd.validate": "/validate" };

const target = (name: string): RoundTarget => ({ name, container: { id: id(name), name, state: "running" } });

/** What Docker says of each container: running, with both methods, but for what is given. */
function docker(
  over: Readonly<Record<string, Partial<ContainerDescription> | Error | null>> = {},
): DockerMethods {
  return {
    async container(wanted) {
      const name = Object.keys(over).find((one) => id(one) === wanted) ?? "";
      const special = over[name];
      if (special instanceof Error) throw special;
      if (special === null) return undefined;
      return {
        id: wanted,
        name,
        running: true,
        paused: false,
        pid: 1,
        created: null,
        startedAt: null,
        labels: new Map(Object.entries(LABELS)),
        image: "x",
        imageId: "sha256:x",
        environment: [],
        addresses: new Map(),
        whole: {},
        ...special,
      };
    },
    image: async () => undefined,
    files: async () => ({ files: new Map(), leftOut: [], instead: null }),
    isExecutable: async () => false,
    execute: () => Promise.reject(new Error("not in this test")),
  };
}

type Answer = (wanted: MethodRun) => Promise<number>;

/** Runs a round; `answer` gives the exit status of each method. */
async function round(names: readonly string[], answer: Answer, over: Partial<Round> = {}, engine = docker()) {
  const ran: string[] = [];
  let now = 0;
  let most = 0;
  const done: MethodOutcome[] = [];
  const result = await runRound(
    {
      targets: names.map(target),
      methods: ["validate"],
      atOnce: 4,
      stopAtFailure: false,
      by: "test",
      signal: new AbortController().signal,
      ...over,
    },
    {
      docker: engine,
      runner: {
        async run(wanted): Promise<RanMethod> {
          now += 1;
          most = Math.max(most, now);
          const name = names.find((one) => id(one) === wanted.container) ?? "?";
          ran.push(`${name} ${wanted.method.name}`);
          // others begin meanwhile, as many as may
          await new Promise((resolve) => setImmediate(resolve));
          const status = await answer(wanted).finally(() => {
            now -= 1;
          });
          return {
            container: wanted.container,
            method: wanted.method.name as MethodName,
            ok: status === 0,
            status,
            reason: null,
            startedAt: 0,
            endedAt: 1,
            by: wanted.by,
            output: "",
            shared: false,
            notStored: null,
          };
        },
      },
      onLine: () => undefined,
      done: (_target, outcome) => done.push(outcome),
    },
  );
  return { ...result, ran, most, done };
}

const good: Answer = async () => 0;
const failing =
  (name: string, method: MethodName): Answer =>
  async (wanted) =>
    wanted.container === id(name) && wanted.method.name === method ? 3 : 0;
const namesOf = (targets: readonly { readonly name: string }[]): string[] => targets.map(({ name }) => name);

t.test("200 services: all are validated, no more than the bound at once, in their order", async (t) => {
  const names = Array.from({ length: 200 }, (_, n) => `web${n}`);
  const { outcomes, most, notTouched } = await round(names, good, { atOnce: 8 });
  t.strictSame(namesOf(outcomes), names);
  t.equal(most, 8);
  t.strictSame(notTouched, []);
});

t.test(
  "a container that is gone, stopped, paused, or of which Docker says nothing: the others are run",
  async (t) => {
    const engine = docker({
      gone: null,
      stopped: { running: false },
      paused: { paused: true },
      silent: new Error("Docker did not answer"),
      without: { labels: new Map() },
      unread: { labels: new Map([["ocdd.validate", "a | b"]]) },
    });
    const names = ["gone", "stopped", "paused", "silent", "without", "unread", "good"];
    const { outcomes, without, ran } = await round(names, good, {}, engine);
    t.strictSame(ran, ["good validate"]);
    t.strictSame(namesOf(without), ["without"]);
    t.match(Object.fromEntries(outcomes.map(({ name, skipped }) => [name, skipped])), {
      gone: /removed/,
      stopped: /does not run/,
      paused: /paused/,
      silent: /did not answer/,
      unread: /"\|"/,
      good: null,
    });
  },
);

t.test("UPDATE, then VALIDATE; the first batch with a failure is the last", async (t) => {
  const names = ["a", "b", "c", "d", "e"];
  const update = { methods: ["update", "validate"], stopAtFailure: true, atOnce: 2 } as const;
  const all = await round(names, good, update);
  t.equal(all.ran.length, 10);
  t.strictSame(all.notTouched, []);
  const broken = await round(names, failing("c", "update"), update);
  t.notOk(broken.ran.includes("c validate"), "what was not updated is not validated");
  t.ok(broken.ran.includes("d validate"), "one of the same batch is finished");
  t.strictSame(namesOf(broken.notTouched), ["e"]);
  const invalid = await round(names, failing("a", "validate"), { ...update, atOnce: 1 });
  t.strictSame(invalid.ran, ["a update", "a validate"]);
  t.strictSame(namesOf(invalid.notTouched), ["b", "c", "d", "e"]);
});

t.test("interrupted: what has not begun is not touched", async (t) => {
  const stop = new AbortController();
  const answer: Answer = async () => {
    stop.abort(new Error("SIGINT"));
    return 1;
  };
  const names = ["a", "b", "c"];
  for (const stopAtFailure of [false, true]) {
    const { outcomes, notTouched } = await round(names, answer, {
      atOnce: 1,
      stopAtFailure,
      signal: stop.signal,
    });
    t.strictSame([namesOf(outcomes), namesOf(notTouched)], stopAtFailure ? [[], names] : [["a"], ["b", "c"]]);
  }
});
