/** A program on this process's terminal: its exit status, signals to it, and what cannot be run. */
import t from "tap";
import { attached } from "../../../src/host/kernel/run.ts";
import { run } from "../../lab/process.ts";

t.test("its exit status; of one that a signal has ended 128 and the signal's number", async (t) => {
  t.equal(await attached(["sh", "-c", "exit 3"], false).ended, 3);
  t.equal(await attached(["sh", "-c", "kill -KILL $$"], false).ended, 137);
  const sleeping = attached(["sleep", "600"], false);
  sleeping.signal("SIGINT");
  t.equal(await sleeping.ended, 130);
});

t.test("a program that does not exist, or may not be run: said", async (t) => {
  await t.rejects(attached(["/no/such/program"], false).ended, {
    message: "/no/such/program cannot be run: there is no such program",
  });
  await t.rejects(attached(["/etc"], false).ended, { message: "/etc cannot be run" });
});

t.test("its standard output, its environment, and standard error in its place", async (t) => {
  for (const [toStderr, stdout, stderr] of [
    [false, "hello", ""],
    [true, "", "hello"],
  ] as const) {
    const module = new URL("../../../src/host/kernel/run.ts", import.meta.url).href;
    const script = `import { attached } from ${JSON.stringify(module)};
      await attached(["sh", "-c", 'printf %s "$WORD"'], ${toStderr}).ended;`;
    const ran = await run([process.execPath, "--input-type=module", "-e", script], {
      env: { WORD: "hello" },
    });
    t.same([ran.stdout, ran.stderr], [stdout, stderr]);
  }
});
