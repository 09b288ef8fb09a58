/** UDP by the engine that works here: the fast one while its thread runs, else the portable one. */
import { randomBytes } from "node:crypto";
import type { Opened } from "../../daemon/listener.ts";
import type { Say } from "../../daemon/log.ts";
import type { Authority } from "../../dns/zone/authority.ts";
import { type CounterRow, counterRow } from "./counters.ts";
import type { Forwarding } from "./forwarding.ts";
import { addressText, isAllowed, type Permission } from "./networks.ts";
import { type Rate, udpResponder } from "./udp-answer.ts";
import { type FastUdp, startFastUdp } from "./udp-fast.ts";
import { openPortableUdp } from "./udp-portable.ts";
import type { HangGuard } from "./udp-protocol.ts";

export interface UdpOptions {
  readonly rate: Rate;
  /** Items of DNS_ALLOW_TRANSFER, and the same as read. */
  readonly networks: readonly string[];
  readonly permission: Permission;
  readonly forwarding: Forwarding | undefined;
  /** `portable` forbids the fast engine. */
  readonly engine: "portable" | undefined;
  /** The UDP thread ends the process when the main thread hangs; absent: nothing does. */
  readonly guard: HangGuard | undefined;
  readonly log: Say;
}

export interface Udp {
  readonly engine: "fast" | "portable";
  /** `inherited` is a socket that is bound there already. */
  open(address: string, port: number, inherited: number | undefined): Promise<Opened>;
  use(authority: Authority): void;
  close(): Promise<void>;
}

/** Starts an engine; its counters are added to `rows`, whose first is the main thread's. */
export function startUdp(options: UdpOptions, rows: CounterRow[]): Udp {
  const { rate, networks, permission, forwarding, log } = options;
  const seed = randomBytes(4).readInt32LE();
  const later = forwarding?.answer;
  const portable = udpResponder(rows[0] as CounterRow, rate, seed, {
    mayTransfer: (client) => isAllowed(permission, addressText(client)),
    mayAsk: forwarding?.mayAsk,
  });
  let fast: FastUdp | undefined;
  if (options.engine !== "portable") {
    const thread = counterRow();
    const started = startFastUdp(
      { counters: thread.buffer as SharedArrayBuffer, rate, seed, networks, guard: options.guard },
      (reason) => {
        fast = undefined;
        log("error", `the fast UDP engine failed, the portable one takes over: ${reason}`);
      },
      later,
    );
    if ("reason" in started) log("info", `UDP is served by the portable engine: ${started.reason}`);
    else {
      fast = started;
      rows.push(thread);
    }
  }
  return {
    get engine() {
      return fast === undefined ? "portable" : "fast";
    },
    open: (address, port, inherited) =>
      fast?.open(address, port, inherited) ?? openPortableUdp(address, port, portable, inherited, later),
    use(authority) {
      portable.use(authority);
      fast?.use(authority);
    },
    close: async () => fast?.close(),
  };
}
