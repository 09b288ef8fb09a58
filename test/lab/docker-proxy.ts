/** A proxy for Docker's socket that can send invented events and an empty list. */

import { createServer, request } from "node:http";

export interface DockerProxy {
  readonly socket: string;
  /** While true, the list of containers is empty. */
  forgetful: boolean;
  /** Sends so many events to each client that follows, over that many seconds. */
  storm(count: number, seconds: number): Promise<void>;
  close(): void;
}

/** An event of a container that does not exist; the director has to look for it. */
const EVENT = `${JSON.stringify({
  Type: "container",
  Action: "start",
  Actor: { ID: "0".repeat(64), Attributes: { name: "storm" } },
})}\n`;

/** Listens on `socket` and forwards to the engine at `behind`. */
export async function dockerProxy(socket: string, behind: string): Promise<DockerProxy> {
  const followers = new Set<{ write(text: string): unknown }>();
  const server = createServer((asked, answer) => {
    const path = asked.url ?? "/";
    if (proxy.forgetful && path.includes("/containers/json")) {
      answer.writeHead(200, { "Content-Type": "application/json" });
      answer.end("[]");
      return;
    }
    const passed = request(
      { socketPath: behind, path, method: asked.method, headers: asked.headers },
      (reply) => {
        answer.writeHead(reply.statusCode ?? 500, reply.headers);
        reply.pipe(answer);
        if (!path.includes("/events")) return;
        answer.flushHeaders();
        followers.add(answer);
        answer.on("close", () => {
          followers.delete(answer);
          passed.destroy();
        });
      },
    );
    passed.on("error", () => answer.destroy());
    asked.pipe(passed);
  });
  const proxy: DockerProxy = {
    socket,
    forgetful: false,
    async storm(count, seconds) {
      const started = performance.now();
      for (let sent = 0; sent < count; ) {
        const due = Math.min(count, Math.ceil((count * (performance.now() - started)) / (seconds * 1000)));
        for (const follower of followers) follower.write(EVENT.repeat(due - sent));
        sent = due;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return proxy;
}
