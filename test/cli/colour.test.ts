/** When there are colours. */
import { PassThrough } from "node:stream";
import { WriteStream } from "node:tty";
import t, { type Test } from "tap";
import { colours } from "../../src/cli/colour.ts";
import { byState } from "../../src/core/report/paint.ts";

const terminal = (isTTY: boolean): NodeJS.WriteStream =>
  Object.assign(new PassThrough(), {
    isTTY,
    getColorDepth: WriteStream.prototype.getColorDepth,
  }) as unknown as NodeJS.WriteStream;

/** Sets the environment for one test, with a terminal that has colours. */
function environment(t: Test, over: Record<string, string>): void {
  const names = ["FORCE_COLOR", "NO_COLOR", "NODE_DISABLE_COLORS", "COLORTERM", "CI", "TERM"];
  const before = names.map((name) => [name, process.env[name]] as const);
  for (const name of names) delete process.env[name];
  Object.assign(process.env, { TERM: "xterm-256color", ...over });
  t.teardown(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
}

t.test("a terminal: colours by tone", async (t) => {
  environment(t, {});
  const paint = colours(true, terminal(true));
  t.equal(paint("up", "good"), "\u001b[32mup\u001b[39m");
  t.equal(paint("up", "warn"), "\u001b[33mup\u001b[39m");
  t.equal(paint("up", "bad"), "\u001b[31mup\u001b[39m");
});

t.test("no colours: --no-color, no terminal, NO_COLOR", async (t) => {
  environment(t, {});
  t.equal(colours(false, terminal(true))("up", "good"), "up");
  t.equal(colours(true, terminal(false))("up", "good"), "up");
  process.env.NO_COLOR = "1";
  t.equal(colours(true, terminal(true))("up", "good"), "up");
});

t.test("states have a tone by their first word; text that is no state has none", async (t) => {
  const paint = (text: string, tone: string): string => `${tone}:${text}`;
  for (const [text, shown] of [
    ["healthy", "good:healthy"],
    ["OK 2026-11-29 06:21Z", "good:OK 2026-11-29 06:21Z"],
    ["pending", "warn:pending"],
    ["failed", "bad:failed"],
    ["asleep", "asleep"],
    ["runningish", "runningish"],
    ["", ""],
  ] as const)
    t.equal(byState(text, paint), shown);
});
