/** An engine whose answers a test has written down. */
import { mkdtempSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Test } from "tap";
import { startDockerDouble } from "../../../bench/docker-double.ts";

/** What the engine does with a request. */
export type Answer = (response: ServerResponse, body: string) => void;

export const says =
  (status: number, body: unknown = ""): Answer =>
  (response) => {
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(body === "" ? "" : JSON.stringify(body));
  };

/** `METHOD path` → its answers in order; the last one counts for all later requests. */
export type Script = Record<string, Answer | readonly Answer[]>;

/** Its socket, what it has been asked so far, and the bodies of the requests. Status 404 for what the script does not have. */
export async function scriptedEngine(t: Test, script: Script) {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-engine-"));
  const asked: string[] = [];
  const bodies: string[] = [];
  const engine = await startDockerDouble(join(directory, "docker.sock"), {
    containers: [],
    networks: [],
    instead(path, response, request) {
      const key = `${request.method} ${path}`;
      const before = asked.filter((one) => one === key).length;
      asked.push(key);
      const answers = [script[key] ?? says(404, { message: "page not found" })].flat();
      void text(request).then((body) => {
        bodies.push(body);
        answers[Math.min(before, answers.length - 1)]?.(response, body);
      });
      return true;
    },
  });
  t.teardown(async () => {
    await engine.close();
    rmSync(directory, { recursive: true });
  });
  return { socket: engine.socket, asked, bodies };
}
