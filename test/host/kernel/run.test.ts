import t from "tap";
import { missingPrograms, requirePrograms } from "../../../src/host/install/programs.ts";
import { PACKAGE_OF, run, traceCommands } from "../../../src/host/kernel/run.ts";
import { refusal } from "../refusal.ts";

t.test("arguments arrive as they are: there is no shell", async (t) => {
  const odd = ["$(id)", "`id`", "a b", "*", "'", '"', ";", "--", "é\n"];
  const { stdout, code } = await run(["printf", "%s|", ...odd]);
  t.equal(stdout, odd.map((a) => `${a}|`).join(""));
  t.equal(code, 0);
  t.equal((await run(["cat"], { input: "in" })).stdout, "in");
});

t.test("a program that fails: its arguments, status and message are kept", async (t) => {
  const error = await refusal(run(["ls", "/nonexistent-for-sure"]));
  t.match(error, {
    fault: "command",
    message: /^ls failed with exit status 2: ls: cannot access/,
    cause: { argv: ["ls", "/nonexistent-for-sure"], code: 2 },
  });
  t.equal((await run(["false"], { ok: [0, 1] })).code, 1);
  t.match(await refusal(run(["false"])), { message: "false failed with exit status 1: no message" });
  t.match(await refusal(run(["sh", "-c", "echo Operation not permitted >&2; exit 4"])), {
    fault: "privilege",
    remedy: /root/,
  });
});

t.test("what a failing program says: one line, short, without control characters", async (t) => {
  const says = 'printf "\\033[2J%5000s\\n" "$WORD" >&2; exit 3';
  const { message } = await refusal(run(["sh", "-c", says], { env: { WORD: "x" } }));
  t.match(message, /^sh failed with exit status 3: \ufffd\[2J +…$/);
  t.equal((await run(["printenv", "WORD"], { env: { WORD: "x" } })).stdout, "x");
  t.equal((await run(["false"], { ok: "any" })).code, 1);
});

t.test("a program that is not installed: named with its package", async (t) => {
  const path = process.env.PATH;
  t.match(await refusal(run(["ocdd-no-such-program"])), {
    fault: "missing",
    message: "ocdd-no-such-program is not installed",
    remedy: "apt-get install ocdd-no-such-program",
  });
  t.equal(process.env.PATH, path);
  t.strictSame(await missingPrograms(["sh", "ocdd-no-such-program", "cat"]), ["ocdd-no-such-program"]);
  t.match(await refusal(requirePrograms(["sh", "ocdd-a", "ocdd-b"])), {
    fault: "missing",
    message: "not installed: ocdd-a, ocdd-b",
    remedy: "apt-get install ocdd-a ocdd-b",
  });
  t.equal(PACKAGE_OF.get("arping"), "iputils-arping");
});

t.test("a program that does not end: killed at the deadline", async (t) => {
  t.match(await refusal(run(["sleep", "3600"], { timeout: 100 })), {
    fault: "command",
    message: "sleep did not end in time",
  });
  t.match(
    await refusal(run(["sh", "-c", "trap '' TERM; while :; do :; done"], { timeout: 100 })),
    { message: "sh did not end in time" },
    "TERM ignored",
  );
});

t.test("a program killed by a signal: an error", async (t) => {
  t.match(await refusal(run(["sh", "-c", "kill -9 $$"])), { fault: "command", message: /sh/ });
});

t.test("the trace: each command", async (t) => {
  const lines: string[] = [];
  traceCommands((line) => lines.push(line));
  await run(["true"]);
  await refusal(run(["false"]));
  t.match(lines, [/^true \(exit 0, \d+ ms\)$/, /^false \(exit 1, \d+ ms\)$/]);
  traceCommands(() => undefined);
});
