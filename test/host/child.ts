/** A program beside the test, to be killed: what it says is heard line by line. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export interface Child {
  readonly pid: number;
  /** Resolves at the first line for which `wanted` is true; throws when the program ends before. */
  heard(wanted: (line: string) => boolean): Promise<void>;
  /** Kills it; resolves when it has ended. */
  kill(): Promise<void>;
}

/** Starts a TypeScript program of the tests. */
export function start(file: string, ...args: string[]): Child {
  const child: ChildProcess = spawn(process.execPath, [file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return {
    pid: child.pid ?? 0,
    heard: (wanted) =>
      new Promise((resolve, reject) => {
        lines.on("line", (line) => wanted(line) && resolve());
        ended.then(() => reject(new Error(`${file} ended early`)), reject);
      }),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
