/** Output whose reader has gone. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import t from "tap";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

t.test("the reader of the output closes it: no error, and the status of the command", async (t) => {
  for (const [args, status] of [
    [["--help"], 0],
    [["no-such-command"], 64],
  ] as const) {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const [closed, open] = status === 0 ? [child.stdout, child.stderr] : [child.stderr, child.stdout];
    closed.destroy();
    let rest = "";
    open.on("data", (chunk: Buffer) => {
      rest += chunk.toString();
    });
    const [code] = await once(child, "close");
    t.strictSame([code, rest], [status, ""], args.join(" "));
  }
});
