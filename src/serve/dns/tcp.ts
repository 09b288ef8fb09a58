/** DNS over TCP at one address. */
import { createServer } from "node:net";
import type { ConnectionShare } from "../../daemon/connection-share.ts";
import type { Opened } from "../../daemon/listener.ts";
import { startListening } from "../../daemon/listener.ts";
import { tcpTalk } from "./tcp-connection.ts";
import type { TcpAnswer } from "./tcp-types.ts";

/**
 * Open a TCP endpoint; its connections count in `share`. `inherited` is a socket that is bound there already, and
 * becomes Node's.
 */
export function openTcp(
  address: string,
  port: number,
  share: ConnectionShare,
  answer: TcpAnswer,
  inherited?: number,
): Promise<Opened> {
  const talk = tcpTalk(answer, share);
  // A client that half-closes still expects its answers (RFC 7766 §6.2.3): closed when it has them.
  const server = createServer({ allowHalfOpen: true }, talk.accept);
  return startListening(server, { address, port, backlog: 1024, inherited }, talk);
}
