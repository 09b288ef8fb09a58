/** The portable UDP engine, on node:dgram. */
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { addressOctets } from "../../daemon/address-octets.ts";
import type { Opened } from "../../daemon/listener.ts";
import type { ToForward } from "./forwarding.ts";
import { FORWARD, type UdpResponder } from "./udp-answer.ts";

/** A receive buffer large enough for a burst: with the kernel's default packets are lost from 70 000 queries a second. */
export const SOCKET_BUFFER_OCTETS: number = 4 << 20;

/** Octets for the largest query, which is answered in its own buffer. */
const MAX_QUERY_OCTETS = 65535;

/**
 * Open a UDP endpoint on Node's own sockets; `inherited` is a socket that is bound there already, and becomes Node's.
 * `forward` gives later answers.
 */
export function openPortableUdp(
  address: string,
  port: number,
  responder: UdpResponder,
  inherited?: number,
  forward?: (asked: ToForward) => Promise<Uint8Array>,
): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const family = isIPv6(address) ? 6 : 4;
    const socket = createSocket({
      type: isIPv6(address) ? "udp6" : "udp4",
      ipv6Only: isIPv6(address),
      // Addresses come as numbers; without this every answer passes through the resolver's thread pool.
      lookup: (host, _options, callback) => callback(null, host, family),
    });
    let fail: (error: Error) => void = () => {};
    const failed = new Promise<Error>((settle) => {
      fail = settle;
    });
    let closed = false;
    const sendLater = async (message: Uint8Array, port: number, address: string): Promise<void> => {
      const answer = await forward?.({ message, client: addressOctets(address), tcp: false });
      if (answer !== undefined && !closed) socket.send(answer, port, address);
    };
    let octets = Buffer.allocUnsafeSlow(MAX_QUERY_OCTETS);
    // Most queries within a moment come from the same resolver.
    let lastAddress = "";
    let client: Uint8Array = new Uint8Array();
    socket.once("error", reject);
    socket.on("message", (message, from) => {
      if (from.port === 0) return;
      if (from.address !== lastAddress) {
        lastAddress = from.address;
        client = addressOctets(from.address);
      }
      const began = performance.now();
      octets.set(message);
      const size = responder.answer(octets, 0, message.length, client, 0, client.length, Date.now());
      if (size === FORWARD) void sendLater(message, from.port, from.address);
      if (size <= 0) return;
      // No callback: it would cost a turn of the loop an answer, and a lost one is asked for again.
      socket.send(octets, 0, size, from.port, from.address);
      responder.sent(1, performance.now() - began);
      // The kernel reads later what it did not take at once: the next answer is written elsewhere.
      if (socket.getSendQueueCount() > 0) octets = Buffer.allocUnsafeSlow(MAX_QUERY_OCTETS);
    });
    socket.bind(inherited === undefined ? { address, port, exclusive: true } : { fd: inherited }, () => {
      socket.off("error", reject);
      // an inherited socket could not be opened again: Node keeps reading it after an error
      socket.on("error", inherited === undefined ? fail : () => undefined);
      try {
        // an inherited socket has the size that the service manager set, which may be above this process's limit
        if (inherited === undefined) socket.setRecvBufferSize(SOCKET_BUFFER_OCTETS);
        if (inherited === undefined) socket.setSendBufferSize(SOCKET_BUFFER_OCTETS);
      } catch {
        // The kernel's limit stays.
      }
      resolve({
        failed,
        close() {
          closed = true;
          return new Promise((done) => socket.close(() => done()));
        },
      });
    });
  });
}
