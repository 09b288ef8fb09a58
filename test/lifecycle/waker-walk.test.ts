/** A random walk of the waker: packets, stops, ends, decisions and acts that never end, with a clock that the test moves. */
import fc from "fast-check";
import t from "tap";
import { id } from "../core/make.ts";
import { fakeClock, settle } from "./methods/stage.ts";
import { ALIAS, host, service, tcp } from "./waker-host.ts";

const NAMES = ["web", "new"] as const;
/** Acts that the container's owner can make last, or fail. */
const ACTS = ["start", "ready", "stop"] as const;
/** Its timeout, and the pause between two moves of the clock, in milliseconds. */
const TIMEOUT_MS = 60_000;
const TURN_MS = 20_000;

const container = fc.constantFrom(...NAMES);
const act = fc.constantFrom(...ACTS);
const move = fc.oneof(
  fc.record({ kind: fc.constant("packet" as const), port: fc.constantFrom(80, 443) }),
  fc.record({ kind: fc.constant("fall" as const) }),
  fc.record({ kind: fc.constant("hold" as const), act }),
  fc.record({ kind: fc.constant("end" as const), act, fails: fc.boolean() }),
  fc.record({
    kind: fc.constant("update" as const),
    state: fc.constantFrom("asleep" as const, "starting" as const, "running" as const),
    container,
  }),
  fc.record({ kind: fc.constant("ended" as const), container }),
  fc.record({ kind: fc.constant("started" as const), container }),
  fc.record({ kind: fc.constant("wake" as const) }),
  fc.record({ kind: fc.constant("time" as const), ms: fc.constantFrom(500, 4_000, TURN_MS) }),
);

t.test("no packet waits longer than the timeout, whatever lasts; each gets one verdict", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 5, maxLength: 40 }), async (moves) => {
      const clock = fakeClock();
      /** Packet → when it came; those without a verdict. */
      const waiting = new Map<number, number>();
      const { waker, hold, free, verdicts } = host(
        {
          now: clock.now,
          decide(packet, verdict) {
            if (!waiting.delete(packet)) throw new Error(`packet ${packet} has a second verdict: ${verdict}`);
            verdicts.push(`${packet} ${verdict}`);
          },
          page: async () => true,
        },
        clock.after,
      );
      const held = new Map<string, PromiseWithResolvers<void>>();
      const end = (what: string, fails = false): void => {
        const gate = held.get(what);
        held.delete(what);
        free(what);
        if (fails) gate?.promise.catch(() => undefined);
        if (fails) gate?.reject(new Error("refused"));
        else gate?.resolve();
      };
      const inTime = (): void => {
        for (const [packet, came] of waiting)
          if (clock.now() - came > TIMEOUT_MS) throw new Error(`packet ${packet} still waits`);
      };
      let packets = 0;
      let here: string = "web";
      waker.update([service("running")]);
      for (const one of moves) {
        if (one.kind === "packet") {
          const packet = ++packets;
          waiting.set(packet, clock.now());
          waker.arrived(packet, tcp(4_000 + packet, one.port));
        } else if (one.kind === "fall") void waker.fallAsleep(ALIAS, "not used");
        else if (one.kind === "hold" && !held.has(one.act)) held.set(one.act, hold(one.act));
        else if (one.kind === "end") end(one.act, one.fails);
        else if (one.kind === "update") {
          waker.observing();
          // the time of another container begins anew
          if (one.container !== here) for (const packet of waiting.keys()) waiting.set(packet, clock.now());
          here = one.container;
          waker.update([service(one.state, one.container)]);
        } else if (one.kind === "ended") waker.ended(id(one.container));
        else if (one.kind === "started") waker.started(id(one.container));
        else if (one.kind === "wake") waker.wake(ALIAS, "test");
        await (one.kind === "time" ? clock.advance(one.ms) : settle());
        inTime();
      }
      for (let ms = 0; ms <= TIMEOUT_MS; ms += TURN_MS) await clock.advance(TURN_MS);
      inTime();
      if (waiting.size > 0) throw new Error(`${waiting.size} wait after ${TIMEOUT_MS} ms`);
      for (const what of ACTS) end(what);
      waker.close();
      await settle();
    }),
    { numRuns: 150 },
  );
});
