import { getEventListeners } from "node:events";
import t, { type Test } from "tap";
import { idOf } from "../../bench/docker-double.ts";
import { type Ipv4, parseIpv4 } from "../../src/core/addresses/ipv4.ts";
import { connectActions } from "../../src/host/docker/actions.ts";
import { untilReady } from "../../src/lifecycle/readiness.ts";
import { unlessAborted } from "../../src/platform/abort.ts";
import { frame } from "../host/docker/frame.ts";
import { says, scriptedEngine } from "../host/docker/script.ts";

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

t.test(
  "work and a signal: the result, the work's error, or the signal's reason; no listener is left",
  async (t) => {
    const { signal } = new AbortController();
    t.equal(await unlessAborted(Promise.resolve(7), signal), 7);
    await t.rejects(unlessAborted(Promise.reject(new Error("no")), signal), { message: "no" });
    t.equal(listeners(signal), 0);
    const reason = new Error("it is over");
    const stop = new AbortController();
    const late = unlessAborted(new Promise(() => undefined), stop.signal);
    stop.abort(reason);
    await t.rejects(late, reason);
    await t.rejects(unlessAborted(Promise.reject(new Error("no")), stop.signal), reason);
    t.equal(listeners(stop.signal), 0);
  },
);

/** The signals that are combined with others during a test. */
function combined(t: Test): AbortSignal[] {
  const made: AbortSignal[] = [];
  const { any } = AbortSignal;
  AbortSignal.any = (signals) => {
    const one = any.call(AbortSignal, signals);
    made.push(one);
    return one;
  };
  t.teardown(() => {
    AbortSignal.any = any;
  });
  return made;
}

t.test(
  "questions to Docker, commands and checks under a long-lived signal: no listener is left",
  async (t) => {
    const [web, run] = [idOf("web"), idOf("run")];
    const { socket } = await scriptedEngine(t, {
      [`GET /containers/${web}/json`]: says(200, { Id: web, State: { Running: true } }),
      [`POST /containers/${web}/exec`]: says(201, { Id: run }),
      [`POST /exec/${run}/start`]: (response) => void response.writeHead(200).end(frame(1, "out")),
      [`GET /exec/${run}/json`]: says(200, { Running: false, ExitCode: 0, Pid: 0 }),
    });
    const made = combined(t);
    const long = new AbortController();
    const docker = connectActions({ socket, version: null });
    t.match(await docker.inspect(web, long.signal), { id: web });
    t.equal(await docker.exec(web, ["/check"], 60_000, long.signal), 0);
    await untilReady(
      { address: parseIpv4("192.0.2.1") as Ipv4, container: web, healthcheck: ["/check"], exposed: [] },
      { health: null, grace: 0 },
      () => [],
      { exec: docker.exec, state: docker.inspect },
      long.signal,
    );
    t.ok(made.length >= 6, `${made.length} were combined`);
    t.strictSame(
      [...made, long.signal].map(listeners),
      [...made, long.signal].map(() => 0),
    );
  },
);
