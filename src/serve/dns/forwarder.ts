/** Forwards questions outside of the zones to resolvers, bounded in number and time. */
import type { Say } from "../../daemon/log.ts";
import { forwardKey, type Reply } from "../../dns/message/forward.ts";
import { RCODE } from "../../dns/wire/types.ts";
import { endpointName } from "../bind.ts";
import { askForwarder, type ForwardTarget, type Question } from "./forward-ask.ts";

/** Bounds; tests have their own. */
export interface ForwardLimits {
  /** Milliseconds that a forwarder has to answer, over UDP and, when truncated, once more over TCP; the same again without EDNS. */
  readonly waitMs: number;
  /** Questions that wait for an answer at once: of all clients, and of one. */
  readonly waiting: number;
  readonly waitingOfClient: number;
}

/** Stub resolvers wait 5 s: three forwarders can be asked in that time. */
const LIMITS: ForwardLimits = { waitMs: 1_500, waiting: 512, waitingOfClient: 64 };

export interface Forwarder {
  /** The answer of the first forwarder that has one; undefined where none has, or too many questions wait. Never rejects. */
  ask(question: Question, client: string): Promise<Reply | undefined>;
  close(): void;
}

/** Any other RCODE is a failure of the forwarder: the next one is asked. */
const isFinal = ({ rcode }: Reply): boolean => rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN;

/** Forwards to `targets` in their order, beginning with the one that answered last. */
export function openForwarder(
  targets: readonly ForwardTarget[],
  log: Say,
  limits: ForwardLimits = LIMITS,
): Forwarder {
  const stop = new AbortController();
  const waiting = new Map<string, Promise<Reply | undefined>>();
  const ofClient = new Map<string, number>();
  const silent = new Set<ForwardTarget>();
  let first = 0;
  let all = 0;

  const note = (target: ForwardTarget, answered: boolean): void => {
    if (answered === !silent.has(target) || stop.signal.aborted) return;
    const name = endpointName(target.address, target.port, "udp");
    if (answered) silent.delete(target);
    else silent.add(target);
    if (answered) log("info", `forwarder ${name} answers again`);
    else log("warning", `forwarder ${name} does not answer or reports a failure; the next one is asked`);
  };

  const tryAll = async (question: Question): Promise<Reply | undefined> => {
    const start = first;
    for (let n = 0; n < targets.length && !stop.signal.aborted; n++) {
      const at = (start + n) % targets.length;
      const target = targets[at] as ForwardTarget;
      const reply = await askForwarder(target, question, limits.waitMs, stop.signal);
      const good = reply !== undefined && isFinal(reply);
      note(target, good);
      if (!good) continue;
      first = at;
      return reply;
    }
    return undefined;
  };

  /**
   * The same question is asked once at a time: more than one would give a forger more chances (RFC 5452 §5), and a
   * forwarder that sends it back to this server would make a loop grow.
   */
  const shared = (question: Question): Promise<Reply | undefined> => {
    const key = forwardKey(question.message, question.query);
    const known = waiting.get(key);
    if (known !== undefined) return known;
    const asked = tryAll(question).finally(() => waiting.delete(key));
    waiting.set(key, asked);
    return asked;
  };

  return {
    async ask(question, client) {
      const own = ofClient.get(client) ?? 0;
      if (all >= limits.waiting || own >= limits.waitingOfClient) return undefined;
      all++;
      ofClient.set(client, own + 1);
      try {
        return await shared(question);
      } finally {
        all--;
        const left = (ofClient.get(client) ?? 1) - 1;
        if (left === 0) ofClient.delete(client);
        else ofClient.set(client, left);
      }
    },
    close: () => stop.abort(),
  };
}
