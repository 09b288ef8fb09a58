/** Forwarding in the name server: for which clients, and the answer that they get. */

import { clientOf } from "../../daemon/connection-share.ts";
import type { Say } from "../../daemon/log.ts";
import { answerFollowed, questionFor } from "../../dns/message/follow.ts";
import { answerFrom } from "../../dns/message/forward.ts";
import { parseQuery } from "../../dns/message/query.ts";
import type { Authority, Via } from "../../dns/zone/authority.ts";
import { leadsOut } from "../../dns/zone/leads-out.ts";
import { type CounterRow, countAnswer, countEvent } from "./counters.ts";
import type { ForwardTarget } from "./forward-ask.ts";
import { openForwarder } from "./forwarder.ts";
import { addressText } from "./networks.ts";
import { type IsOwnNetwork, ownNetworks } from "./own-networks.ts";

/** A client's message that can be forwarded, and its sender's address (4 or 16 octets). */
export interface ToForward {
  readonly message: Uint8Array;
  readonly client: Uint8Array;
  readonly tcp: boolean;
}

export interface Forwarding {
  /** Are questions of this client forwarded? */
  readonly mayAsk: IsOwnNetwork;
  /** The answer: of a forwarder, or SERVFAIL. Never rejects. */
  answer(asked: ToForward): Promise<Uint8Array>;
  close(): void;
}

/** Forwarding to these resolvers; one that is this server itself is left out. Undefined when there is none. */
export function openForwarding(
  targets: readonly ForwardTarget[],
  own: { readonly listen: readonly string[]; readonly port: number },
  authority: () => Authority,
  row: CounterRow,
  log: Say,
): Forwarding | undefined {
  const others = targets.filter(({ address, port }) => !(own.listen.includes(address) && port === own.port));
  if (others.length < targets.length)
    log("error", "DNS_FORWARDERS names this server itself, which would ask itself for ever; left out");
  if (others.length === 0) return undefined;
  const forwarder = openForwarder(others, log);
  const out = new Uint8Array(2 * 65535);
  return {
    mayAsk: ownNetworks(),
    async answer({ message, client, tcp }) {
      const query = parseQuery(message);
      if (query === undefined) return new Uint8Array();
      const name = message.slice(12, query.questionEnd - 4);
      // a copy: the zone may change meanwhile
      const target = leadsOut(authority().zones, name, query.qtype)?.target.slice();
      const question = target === undefined ? { message, query } : questionFor(target, message, query);
      const reply = await forwarder.ask(question, clientOf(addressText(client)));
      const now = Math.floor(Date.now() / 1000);
      const via: Via = { tcp, client, now, mayTransfer: false, recursion: true };
      const size =
        target === undefined
          ? answerFrom(authority(), via, message, query, reply, out)
          : answerFollowed(authority(), via, message, query, target, reply, out);
      countEvent(row, "forwarded");
      countAnswer(row, query.qtype, (out[3] as number) & 15);
      return out.slice(0, size);
    },
    close: () => forwarder.close(),
  };
}
