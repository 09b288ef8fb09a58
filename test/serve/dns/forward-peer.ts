// A forwarder on loopback that answers as a test says, over UDP and TCP on one port.
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { Test } from "tap";

/** A query, and the messages sent in reply, one after the other; none for silence. */
export type Says = (query: Buffer) => readonly Uint8Array[];

export interface ForwardPeer {
  readonly port: number;
  /** Queries over UDP with the sender's port, and over TCP. */
  readonly asked: { readonly query: Buffer; readonly from: number }[];
  readonly askedTcp: Buffer[];
  send(message: Uint8Array, port: number): void;
  udp: Says;
  tcp: Says;
}

/** Header flags QR, RD, RA. */
const RESPONSE = 0x8180;

/** A response to `query` with these A records, each of 16 octets. */
export function answerTo(query: Buffer, addresses: readonly string[], flags = RESPONSE): Buffer {
  // the query ends with an empty OPT, or with its question
  const opt = query[11] as number;
  const end = query.length - 11 * opt;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(flags, 2);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt16BE(opt, 10);
  const records = addresses.map((each) =>
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, ...each.split(".").map(Number)]),
  );
  return Buffer.concat([head, ...records, query.subarray(end)]);
}

/** Answers `192.0.2.77` until a test changes that. */
export async function forwardPeer(t: Test): Promise<ForwardPeer> {
  const tcp = createServer();
  tcp.listen(0, "127.0.0.1");
  await once(tcp, "listening");
  const { port } = tcp.address() as { port: number };
  const udp = createSocket("udp4");
  udp.bind(port, "127.0.0.1");
  await once(udp, "listening");
  const peer: ForwardPeer = {
    port,
    asked: [],
    askedTcp: [],
    send: (message, to) => udp.send(message, to, "127.0.0.1"),
    udp: (query) => [answerTo(query, ["192.0.2.77"])],
    tcp: (query) => [answerTo(query, ["192.0.2.78"])],
  };
  udp.on("message", (query: Buffer, from: RemoteInfo) => {
    peer.asked.push({ query, from: from.port });
    for (const answer of peer.udp(query)) udp.send(answer, from.port, from.address);
  });
  const open = new Set<Socket>();
  tcp.on("connection", (socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", (framed: Buffer) => {
      const query = framed.subarray(2);
      peer.askedTcp.push(query);
      for (const answer of peer.tcp(query)) {
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        // the length in two pieces, as a network may deliver it
        socket.write(length.subarray(0, 1));
        socket.write(Buffer.concat([length.subarray(1), answer]));
      }
    });
  });
  t.teardown(() => {
    udp.close();
    tcp.close();
    for (const socket of open) socket.destroy();
  });
  return peer;
}
