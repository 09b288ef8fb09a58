/** The server's check of itself: it asks for its own SOA through the sockets that clients use. */
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Say } from "../../daemon/log.ts";
import type { WireName } from "../../dns/wire/name.ts";
import { TYPE } from "../../dns/wire/types.ts";
import { endpointName } from "../bind.ts";
import { silenceCheck } from "./silence.ts";

/** Milliseconds between rounds. */
const ROUND_MS = 1_000;
/** A round that comes later than this after the previous one was delayed. */
const DELAYED_MS = 3_000;

/** What is checked. */
export interface Checked {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly zone: WireName;
  /** Is the UDP socket of this address bound? */
  bound(address: string): boolean;
  /** Datagrams received since the start. */
  received(): number;
}

/** Where the results go. */
export interface CheckListener {
  readonly log: Say;
  /** A query had no answer within a round. */
  unanswered(): void;
  /** An endpoint is silent for good. */
  failed(reason: string): void;
}

export interface SelfCheck {
  /** Checks the queries of the previous round and sends the next. `now` is in milliseconds of a monotonic clock. */
  round(now: number): void;
  /** False while an endpoint is silent. */
  answering(): boolean;
  close(): void;
}

/** A query for the zone's SOA. Any response to it is an answer, also SERVFAIL before the zone is there. */
function soaQuery(id: number, zone: WireName): Uint8Array {
  return Uint8Array.of(id >>> 8, id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...zone, 0, TYPE.SOA, 0, 1);
}

/** One endpoint, with a socket that asks it. */
function checkEndpoint(checked: Checked, address: string, to: CheckListener) {
  const check = silenceCheck();
  const name = endpointName(address, checked.port, "udp");
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  let id = -1;
  let answered = false;
  // ECONNREFUSED and similar: no answer
  socket.on("error", () => undefined);
  socket.on("message", (message) => {
    if (message.length >= 12 && message.readUInt16BE(0) === id && (message[2] as number) & 0x80)
      answered = true;
  });
  socket.unref();
  const judgeRound = (delayed: boolean): void => {
    if (!answered && !delayed) to.unanswered();
    const found = check.round({ delayed, answered, received: checked.received() });
    if (found === undefined) return;
    const seconds = (found.rounds * ROUND_MS) / 1000;
    if (found.kind === "silent") to.log("error", `${name} has not answered its own queries for ${seconds} s`);
    if (found.kind === "recovered")
      to.log("info", `${name} answers its own queries again after ${seconds} s`);
    if (found.kind === "failed")
      to.failed(`${name} has neither received nor answered a query for ${seconds} s`);
  };
  return {
    answering: () => check.answering(),
    close: () => socket.close(),
    round(delayed: boolean) {
      if (id >= 0) judgeRound(delayed);
      answered = false;
      id = -1;
      if (!checked.bound(address)) return;
      id = randomInt(0x10000);
      socket.send(soaQuery(id, checked.zone), checked.port, address, () => undefined);
    },
  };
}

/** A check of all addresses, one round at a time; `now` is in milliseconds of a monotonic clock. */
export function selfCheck(checked: Checked, to: CheckListener, now: number): SelfCheck {
  const endpoints = checked.addresses.map((address) => checkEndpoint(checked, address, to));
  let last = now;
  return {
    round(at) {
      const passed = at - last;
      last = at;
      const delayed = passed > DELAYED_MS;
      if (delayed)
        to.log(
          "warning",
          `this process was stopped or its main thread blocked for ${(passed / 1000).toFixed(1)} s`,
        );
      for (const endpoint of endpoints) endpoint.round(delayed);
    },
    answering: () => endpoints.every((endpoint) => endpoint.answering()),
    close: () => {
      for (const endpoint of endpoints) endpoint.close();
    },
  };
}

/** A check that starts its rounds by a timer until it is closed. */
export function runSelfCheck(checked: Checked, to: CheckListener): Omit<SelfCheck, "round"> {
  const check = selfCheck(checked, to, performance.now());
  const timer = setInterval(() => check.round(performance.now()), ROUND_MS);
  timer.unref();
  return {
    answering: () => check.answering(),
    close() {
      clearInterval(timer);
      check.close();
    },
  };
}
