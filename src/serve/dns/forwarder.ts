/** Forwards questions outside of the zones to resolvers, bounded in number and time. */
import { connectionShare } from "../../daemon/connection-share.ts";
import type { Say } from "../../daemon/log.ts";
import { forwardKey, type Reply } from "../../dns/message/forward.ts";
import { parseQuery, type Query } from "../../dns/message/query.ts";
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

/** Milliseconds after which a forwarder that is silent is probed again. */
const PROBE_AGAIN_MS = 30_000;

export interface Forwarder {
  /** The answer of the first forwarder that has one; undefined where none has, or too many questions wait. Never rejects. */
  ask(question: Question, client: string): Promise<Reply | undefined>;
  close(): void;
}

/** A question that forwarders are being asked, for one client or more. */
interface Pending {
  readonly answer: Promise<Reply | undefined>;
  readonly stop: AbortController;
  clients: number;
}

/** Any other RCODE is a failure for this name: the next forwarder is asked. */
const isFinal = ({ rcode }: Reply): boolean => rcode === RCODE.NOERROR || rcode === RCODE.NXDOMAIN;

/** `localhost. IN A`, with RD: a name server answers it without asking another one (RFC 6761 §6.3). */
const PROBE_MESSAGE = Buffer.from("\0\0\x01\0\0\x01\0\0\0\0\0\0\x09localhost\0\0\x01\0\x01", "latin1");
const PROBE: Question = { message: PROBE_MESSAGE, query: parseQuery(PROBE_MESSAGE) as Query };

/**
 * Forwards to `targets` in their order; those that are silent come last. Silence for one name proves nothing, as the servers of
 * that name may be silent: a forwarder counts as silent when it does not answer the probe either. `now` is in milliseconds.
 */
export function openForwarder(
  targets: readonly ForwardTarget[],
  log: Say,
  limits: ForwardLimits = LIMITS,
  now: () => number = () => performance.now(),
): Forwarder {
  const stop = new AbortController();
  const pending = new Map<string, Pending>();
  const share = connectionShare({ connections: limits.waiting });
  /** Those that are silent, each with the time of its next probe. */
  const silent = new Map<ForwardTarget, number>();
  const probed = new Set<ForwardTarget>();

  const note = (target: ForwardTarget, answered: boolean): void => {
    const before = silent.has(target);
    if (answered) silent.delete(target);
    else silent.set(target, now() + PROBE_AGAIN_MS);
    if (before !== answered) return;
    const name = endpointName(target.address, target.port, "udp");
    if (answered) log("info", `forwarder ${name} answers again`);
    else log("warning", `forwarder ${name} does not answer; until it does, it is asked last`);
  };

  const probe = async (target: ForwardTarget): Promise<void> => {
    if (probed.has(target)) return;
    probed.add(target);
    const reply = await askForwarder(target, PROBE, limits.waitMs, stop.signal);
    probed.delete(target);
    if (!stop.signal.aborted) note(target, reply !== undefined);
  };

  const inOrder = (): ForwardTarget[] => {
    for (const [target, at] of silent) if (now() >= at) void probe(target);
    return targets.toSorted((a, b) => Number(silent.has(a)) - Number(silent.has(b)));
  };

  const tryAll = async (question: Question, signal: AbortSignal): Promise<Reply | undefined> => {
    for (const target of inOrder()) {
      const reply = await askForwarder(target, question, limits.waitMs, signal);
      if (signal.aborted) return undefined;
      if (reply === undefined) void probe(target);
      else note(target, true);
      if (reply !== undefined && isFinal(reply)) return reply;
    }
    return undefined;
  };

  /**
   * The same question is asked once at a time: more than one would give a forger more chances (RFC 5452 §5), and a
   * forwarder that sends it back to this server would make a loop grow.
   */
  const shared = (key: string, question: Question): Pending => {
    const known = pending.get(key);
    if (known !== undefined) return known;
    const own = new AbortController();
    const one = { answer: tryAll(question, own.signal), stop: own, clients: 0 };
    pending.set(key, one);
    return one;
  };

  /** One client less waits for it; without any it ends, so that sockets are bounded as what waits is. */
  const leave = (key: string, one: Pending): void => {
    if (--one.clients > 0) return;
    one.stop.abort();
    pending.delete(key);
  };

  return {
    async ask(question, client) {
      if (stop.signal.aborted || share.of(client) >= limits.waitingOfClient) return undefined;
      const key = forwardKey(question.message, question.query);
      const one = shared(key, question);
      one.clients++;
      const lost = Promise.withResolvers<undefined>();
      const place = { client, active: now(), held: 0, destroy: () => lost.resolve(undefined) };
      share.add(place);
      const reply = await Promise.race([one.answer, lost.promise]);
      share.remove(place);
      leave(key, one);
      return reply;
    },
    close() {
      stop.abort();
      for (const one of pending.values()) one.stop.abort();
    },
  };
}
