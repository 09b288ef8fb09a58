/** Docker's API over its socket, for programs for which Docker's client is too slow. */

import { request } from "node:http";
import { createInterface } from "node:readline";

/** One call; resolves with the reply's text when it has ended, whatever its status. */
export async function callDocker(
  socketPath: string,
  method: string,
  path: string,
  body?: object,
): Promise<string> {
  return (await askDocker(socketPath, method, path, body)).text;
}

/** One call; resolves with the reply's status and text when it has ended. */
export function askDocker(
  socketPath: string,
  method: string,
  path: string,
  body?: object,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const sent = request({ socketPath, path, method, headers }, (reply) => {
      let text = "";
      reply.setEncoding("utf8");
      reply.on("data", (chunk: string) => {
        text += chunk;
      });
      reply.on("end", () => resolve({ status: reply.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Each event that passes the filters, as a line of JSON, until this process ends. */
export function followEvents(
  socketPath: string,
  filters: Readonly<Record<string, readonly string[]>>,
  heard: (line: string) => void,
): void {
  const path = `/events?filters=${encodeURIComponent(JSON.stringify(filters))}`;
  request({ socketPath, path }, (reply) => createInterface({ input: reply }).on("line", heard)).end();
}
