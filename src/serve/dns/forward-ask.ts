/** One question to one forwarder: over UDP, and over TCP when the answer does not fit. */
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { forwardQuery, NO_EDNS, type Reply, readReply } from "../../dns/message/forward.ts";
import type { Query } from "../../dns/message/query.ts";
import { MAX_UDP_OCTETS } from "../../dns/zone/authority.ts";
import { after } from "../../platform/timer.ts";
import { prefixed } from "./tcp-frame.ts";

/** A resolver that questions are forwarded to. */
export interface ForwardTarget {
  readonly address: string;
  readonly port: number;
}

/** A client's question. */
export interface Question {
  readonly message: Uint8Array;
  readonly query: Query;
}

/** What is sent to a forwarder for it. */
interface Asked extends Question {
  /** With an OPT record. */
  readonly edns: boolean;
}

/** Messages on one port that are no answer: an attacker who guesses IDs gets no more tries at it (RFC 5452 §9.3). */
const MAX_WRONG = 16;

/** Runs `start` until it calls `end`, `waitMs` pass or the signal is aborted; then calls the function that it returned. */
function bounded(
  waitMs: number,
  signal: AbortSignal,
  start: (end: (reply: Reply | undefined) => void) => () => void,
): Promise<Reply | undefined> {
  return new Promise((resolve) => {
    let over = false;
    let close: (() => void) | undefined;
    const end = (reply: Reply | undefined): void => {
      if (over) return;
      over = true;
      cancel();
      signal.removeEventListener("abort", none);
      close?.();
      resolve(reply);
    };
    const none = (): void => end(undefined);
    const cancel = after(waitMs, none);
    signal.addEventListener("abort", none);
    if (signal.aborted) return none();
    close = start(end);
    if (over) close();
  });
}

/**
 * A socket of its own for each question: the kernel chooses its source port at random, this program the ID. It is
 * connected, so that the kernel lets through only what comes from the forwarder's address and port.
 */
function overUdp(
  target: ForwardTarget,
  { message, query, edns }: Asked,
  waitMs: number,
  signal: AbortSignal,
) {
  return bounded(waitMs, signal, (end) => {
    const sent = forwardQuery(message, query, randomInt(0x10000), edns);
    const v6 = isIPv6(target.address);
    const socket = createSocket({
      type: v6 ? "udp6" : "udp4",
      lookup: (host, _options, callback) => callback(null, host, v6 ? 6 : 4),
    });
    let wrong = 0;
    let closed = false;
    // refused or unreachable: no need to wait
    socket.on("error", () => end(undefined));
    socket.on("message", (octets) => {
      const reply = octets.length > MAX_UDP_OCTETS ? undefined : readReply(sent, query.questionEnd, octets);
      if (reply !== undefined) end(reply);
      else if (++wrong >= MAX_WRONG) end(undefined);
    });
    // it is bound in a later turn: until then it can be closed, and is connected all the same
    socket.connect(target.port, target.address, () => {
      if (!closed) socket.send(sent);
    });
    return () => {
      closed = true;
      socket.close();
    };
  });
}

/** The same over a connection of its own, for answers up to 65535 octets. */
function overTcp(
  target: ForwardTarget,
  { message, query, edns }: Asked,
  waitMs: number,
  signal: AbortSignal,
) {
  return bounded(waitMs, signal, (end) => {
    const sent = forwardQuery(message, query, randomInt(0x10000), edns);
    const socket = connect({ host: target.address, port: target.port });
    let have: Buffer[] = [];
    let size = 0;
    socket.on("error", () => end(undefined));
    socket.on("close", () => end(undefined));
    socket.on("connect", () => socket.write(prefixed(sent)));
    socket.on("data", (chunk: Buffer) => {
      have.push(chunk);
      size += chunk.length;
      if (size < 2) return;
      // joined when complete: an answer in single octets would else be copied for each of them
      const head = have[0] as Buffer;
      if (head.length < 2) have = [Buffer.concat(have)];
      const whole = 2 + (have[0] as Buffer).readUInt16BE(0);
      if (size < whole) return;
      const reply = readReply(sent, query.questionEnd, Buffer.concat(have).subarray(2, whole));
      end(reply?.truncated === true ? undefined : reply);
    });
    return () => socket.destroy();
  });
}

async function overBoth(target: ForwardTarget, asked: Asked, waitMs: number, signal: AbortSignal) {
  const reply = await overUdp(target, asked, waitMs, signal);
  return reply?.truncated === true ? overTcp(target, asked, waitMs, signal) : reply;
}

/**
 * The forwarder's answer; undefined when there is none within `waitMs` for each of the two transports. One that does not know
 * EDNS is asked once more, without (RFC 6891 §6.2.2). Never rejects.
 */
export async function askForwarder(
  target: ForwardTarget,
  question: Question,
  waitMs: number,
  signal: AbortSignal,
): Promise<Reply | undefined> {
  const reply = await overBoth(target, { ...question, edns: true }, waitMs, signal);
  if (!NO_EDNS.has(reply?.rcode)) return reply;
  return overBoth(target, { ...question, edns: false }, waitMs, signal);
}
