/** Answers to TCP messages from the served zones, with counters. */

import { addressOctets } from "../../daemon/address-octets.ts";
import { forwardable } from "../../dns/message/forward.ts";
import { parseQuery } from "../../dns/message/query.ts";
import { respond } from "../../dns/message/respond.ts";
import { transfer } from "../../dns/message/transfer.ts";
import { type Authority, loadedZones, type Served, type Via } from "../../dns/zone/authority.ts";
import type { Zone } from "../../dns/zone/zone.ts";
import { type CounterRow, countAnswer, countEvent, countTime } from "./counters.ts";
import type { Forwarding } from "./forwarding.ts";
import { isAllowed, type Permission } from "./networks.ts";
import type { TcpAnswer } from "./tcp-types.ts";

/** What answers to TCP connections are made from. */
export function tcpAnswer(
  authority: () => Authority,
  permission: Permission,
  row: CounterRow,
  forwarding?: Forwarding,
): TcpAnswer {
  const mayAsk = (address: string): boolean => forwarding?.mayAsk(addressOctets(address)) === true;
  const clock = () => Math.floor(Date.now() / 1000);
  const via = (address: string): Via => ({
    tcp: true,
    client: addressOctets(address),
    now: clock(),
    mayTransfer: isAllowed(permission, address),
    recursion: mayAsk(address),
  });
  let served: readonly Served[] = [];
  let loaded: readonly Zone[] = [];
  return {
    aborted: () => countEvent(row, "aborted"),
    opened: () => countEvent(row, "connections"),
    zones() {
      const { zones } = authority();
      if (zones !== served) loaded = loadedZones(zones);
      served = zones;
      return loaded;
    },
    answered: (qtype, rcode) => {
      countEvent(row, "tcp");
      countAnswer(row, qtype, rcode);
    },
    sent: (answers, milliseconds) => countTime(row, answers, milliseconds),
    mayAsk,
    forward(message, address) {
      if (forwarding === undefined || !mayAsk(address)) return undefined;
      if (forwardable(authority().zones, message) === undefined) return undefined;
      countEvent(row, "tcp");
      return forwarding.answer({
        message: Uint8Array.from(message),
        client: addressOctets(address),
        tcp: true,
      });
    },
    respond(message, address, out) {
      const size = respond(authority(), via(address), message, out);
      countEvent(row, "tcp");
      if (size === 0) countEvent(row, "silent");
      else countAnswer(row, parseQuery(message)?.qtype ?? 0, (out[3] as number) & 15);
      return size;
    },
    transfer(message, address) {
      const found = transfer(authority(), via(address), message, clock);
      if (found === undefined) return undefined;
      countEvent(row, found.kind === "IXFR" ? "incremental" : "transfers");
      countAnswer(row, parseQuery(message)?.qtype ?? 0, 0);
      return found.messages;
    },
  };
}
