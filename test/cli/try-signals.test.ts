/** What signals do to `ocdd try`: before and after its command they end it, meanwhile they are the command's. */
import { EventEmitter } from "node:events";
import t from "tap";
import { stayNote } from "../../src/cli/try.ts";
import { trySignals } from "../../src/cli/try-signals.ts";

/** A program that gets signals, and ends when it is told. */
function program() {
  const got: string[] = [];
  const { promise, resolve } = Promise.withResolvers<number>();
  return { got, end: resolve, attached: { ended: promise, signal: (name: string) => void got.push(name) } };
}

/** A process that signals can be sent to without an effect on the test. */
function receiver() {
  const exits: number[] = [];
  const exit = (status: number): never => void exits.push(status) as never;
  return Object.assign(new EventEmitter(), { exits, exit }) as EventEmitter & {
    exits: number[];
    exit: NodeJS.Process["exit"];
  };
}

t.test("without a command a signal ends it, and gives the status", (t) => {
  for (const [name, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    const own = receiver();
    const signals = trySignals(true, own);
    t.notOk(signals.signal.aborted);
    own.emit(name);
    t.ok(signals.signal.aborted);
    t.equal(signals.status(), status);
    t.same(own.exits, []);
    own.emit("SIGINT");
    t.same(own.exits, [130], "a second one does not wait for anything");
  }
  t.end();
});

t.test(
  "a command on a terminal gets Ctrl-C from that, as often as it is pressed; other signals from here",
  async (t) => {
    const own = receiver();
    const signals = trySignals(true, own);
    const one = program();
    const passed = signals.passTo(one.attached);
    own.emit("SIGINT");
    own.emit("SIGINT");
    t.same(one.got, []);
    own.emit("SIGTERM");
    t.same(one.got, ["SIGTERM"]);
    t.notOk(signals.signal.aborted, "its own status counts");
    one.end(7);
    t.equal(await passed, 7);
  },
);

t.test("a command without a terminal gets each signal; after it a signal ends the rest", async (t) => {
  const own = receiver();
  const signals = trySignals(false, own);
  const one = program();
  const passed = signals.passTo(one.attached);
  own.emit("SIGINT");
  t.same(one.got, ["SIGINT"]);
  one.end(130);
  t.equal(await passed, 130);
});

t.test("one that only stays says how it is ended", (t) => {
  t.equal(stayNote("try-web-3fa2", true), "try-web-3fa2 stays until Ctrl-C is pressed; it is removed then");
  const without = `try-web-3fa2 stays until process ${process.pid} gets SIGTERM; it is removed then`;
  t.equal(stayNote("try-web-3fa2", false), without);
  t.end();
});
