import { createServer, isIPv6 } from "node:net";
import type { Opened } from "../bind.ts";
import { parting } from "../drain.ts";
import { type TcpAnswer, tcpTalk } from "./tcp-connection.ts";
import type { TcpShare } from "./tcp-share.ts";

/**
 * Open a TCP endpoint; its connections count in `share`. `handed` is a socket that is bound there already, and becomes
 * Node's.
 */
export function openTcp(
  address: string,
  port: number,
  share: TcpShare,
  answer: TcpAnswer,
  handed?: number,
): Promise<Opened> {
  const talk = tcpTalk(answer, share);
  return new Promise((resolve, reject) => {
    // Whoever half-closes still has answers to come: we close when it has them.
    const server = createServer({ allowHalfOpen: true }, talk.accept);
    let fail: (error: Error) => void = () => {};
    const failed = new Promise<Error>((settle) => {
      fail = settle;
    });
    server.once("error", reject);
    const own = { host: address, port, ipv6Only: isIPv6(address), exclusive: true };
    server.listen({ ...(handed === undefined ? own : { fd: handed }), backlog: 1024 }, () => {
      server.off("error", reject);
      server.on("error", (error) => {
        // a connection that could not be accepted is that client's loss: the socket goes on listening
        if (!server.listening) fail(error);
      });
      resolve({
        failed,
        async close() {
          talk.end();
          const closed = new Promise<void>((done) => server.close(() => done()));
          await Promise.race([closed, parting()]);
          talk.drop();
          await closed;
        },
      });
    });
  });
}
