/** recvmmsg and sendmmsg over buffers that are prepared once. */
import type { SocketCalls } from "../../platform/libc.ts";
import { FORWARD, type UdpResponder } from "./udp-answer.ts";

/** Datagrams a call. */
const BATCH = 64;
/** Octets of a slot: the largest answer, and the largest query that is read; longer ones arrive cut off. */
const SLOT_OCTETS = 2048;
/** Octets kept for a sender's address; sockaddr_in6 has 28. */
const SOCKADDR_OCTETS = 32;
/** Octets of struct mmsghdr and struct iovec on 64-bit Linux. */
const MMSGHDR_OCTETS = 64;
const IOVEC_OCTETS = 16;

/** Errors after which a socket cannot be used; the others are temporary. */
const BROKEN: ReadonlySet<string> = new Set(["EBADF", "ENOTSOCK", "EINVAL", "EFAULT"]);

/** Takes a message whose answer comes later; `to` is its sender's struct sockaddr. Both are copies. */
export type TakeForwarded = (fd: number, message: Uint8Array, to: Uint8Array) => void;

/** One thread's buffers for receiving and sending. */
export interface Batch {
  /** Receive, answer, send; the number of datagrams taken, 0 when none waited, -1 when the socket is broken. */
  round(fd: number, ipv6: boolean, flags: number, responder: UdpResponder): number;
}

// V8 frees what only an address in other memory points to, and the kernel then writes into memory that is used for something else:
// every buffer whose address is stored is held here for the life of the thread.
const held: Uint8Array[] = [];

function buffer(size: number): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(size);
  held.push(octets);
  return octets;
}

/** Prepare the structures once; afterwards only lengths change. */
export function batch(calls: SocketCalls, take: TakeForwarded): Batch {
  const slots = buffer(BATCH * SLOT_OCTETS);
  const names = buffer(BATCH * SOCKADDR_OCTETS);
  const vectors = [buffer(BATCH * IOVEC_OCTETS), buffer(BATCH * IOVEC_OCTETS)] as const;
  const headers = [buffer(BATCH * MMSGHDR_OCTETS), buffer(BATCH * MMSGHDR_OCTETS)] as const;
  const [receive, send] = headers.map((octets) => new Int32Array(octets.buffer)) as [Int32Array, Int32Array];
  const [, sendVector] = vectors.map((octets) => new Int32Array(octets.buffer)) as [Int32Array, Int32Array];
  const [receiveBigs, sendBigs] = headers.map((octets) => new BigUint64Array(octets.buffer)) as [
    BigUint64Array,
    BigUint64Array,
  ];
  const slotsAt = calls.address(slots);
  const namesAt = calls.address(names);
  for (const [side, bigs] of [receiveBigs, sendBigs].entries()) {
    const vector = vectors[side as 0 | 1];
    const vectorAt = calls.address(vector);
    const words = new BigUint64Array(vector.buffer);
    for (let i = 0; i < BATCH; i++) {
      words[2 * i] = slotsAt + BigInt(i * SLOT_OCTETS);
      words[2 * i + 1] = BigInt(SLOT_OCTETS);
      bigs[8 * i] = namesAt + BigInt(i * SOCKADDR_OCTETS);
      bigs[8 * i + 2] = vectorAt + BigInt(i * IOVEC_OCTETS);
      bigs[8 * i + 3] = 1n;
    }
  }
  for (let i = 0; i < BATCH; i++) receive[16 * i + 2] = SOCKADDR_OCTETS;
  // Words of struct mmsghdr: 0-1 name, 2 its size, 4-5 iovec, 6-7 their number, 12 flags, 14 octets received or sent.
  const slotWords = new Int32Array(vectors[0].buffer).slice();
  const nameWords = receive.slice();

  return {
    round(fd, ipv6, flags, responder) {
      const got = calls.recvmmsg(fd, headers[0], BATCH, flags, null);
      if (got <= 0) {
        return BROKEN.has(calls.failure()) ? -1 : 0;
      }
      const now = Date.now();
      const began = performance.now();
      const addressAt = ipv6 ? 8 : 4;
      const addressSize = ipv6 ? 16 : 4;
      let answers = 0;
      for (let i = 0; i < got; i++) {
        const length = receive[16 * i + 14] as number;
        const name = i * SOCKADDR_OCTETS;
        const nameSize = receive[16 * i + 2] as number;
        receive[16 * i + 2] = SOCKADDR_OCTETS;
        // An answer cannot be sent to port 0.
        if ((names[name + 2] as number) + (names[name + 3] as number) === 0) continue;
        const size = responder.answer(
          slots,
          i * SLOT_OCTETS,
          length,
          names,
          name + addressAt,
          addressSize,
          now,
        );
        if (size === FORWARD) {
          const at = i * SLOT_OCTETS;
          take(fd, slots.slice(at, at + length), names.slice(name, name + nameSize));
        }
        if (size <= 0) continue;
        send[16 * answers] = nameWords[16 * i] as number;
        send[16 * answers + 1] = nameWords[16 * i + 1] as number;
        send[16 * answers + 2] = nameSize;
        sendVector[4 * answers] = slotWords[4 * i] as number;
        sendVector[4 * answers + 1] = slotWords[4 * i + 1] as number;
        sendVector[4 * answers + 2] = size;
        answers++;
      }
      for (let sent = 0; sent < answers; ) {
        const more = calls.sendmmsg(
          fd,
          sent === 0 ? headers[1] : headers[1].subarray(sent * MMSGHDR_OCTETS),
          answers - sent,
          0,
        );
        // One that cannot be sent (a firewall, no route) concerns that client alone.
        sent += more > 0 ? more : 1;
      }
      if (answers > 0) responder.sent(answers, performance.now() - began);
      return got;
    },
  };
}
