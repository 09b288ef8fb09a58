/** Decides from a server's answers to its own queries whether it is silent. Pure: it counts rounds, no time. */

/** Rounds without an answer until that is logged, and until the process is replaced. */
const LOG_ROUNDS = 5;
const FAIL_ROUNDS = 30;

/** The result of a round, with the rounds without an answer so far. `failed`: only a new process helps. */
export interface Finding {
  readonly kind: "silent" | "failed" | "recovered";
  readonly rounds: number;
}

/** The events of a round. */
export interface Round {
  /** The process was stopped or its main thread blocked: an answer may wait unread, and nothing can be concluded. */
  readonly delayed: boolean;
  /** The server's own query was answered. */
  readonly answered: boolean;
  /** Messages of all clients that the server has received since it started. */
  readonly received: number;
}

/** The check of one endpoint. */
export interface SilenceCheck {
  /** Evaluates a round; undefined when it shows nothing new. */
  round(round: Round): Finding | undefined;
  /** False while the endpoint is silent. */
  answering(): boolean;
}

/** A check at the start of the server. */
export function silenceCheck(): SilenceCheck {
  let silent = 0;
  // Rounds in which nothing was received either: under a flood the own query may be dropped, but others are received.
  let unreceived = 0;
  // A firewall that drops the own queries from the start is no reason to restart.
  let ever = false;
  let seen = 0;
  return {
    answering: () => silent < LOG_ROUNDS,
    round({ delayed, answered, received }) {
      const before = silent;
      unreceived = received === seen ? unreceived + 1 : 0;
      seen = received;
      ever ||= answered;
      if (answered || delayed) {
        silent = 0;
        unreceived = 0;
        return answered && before >= LOG_ROUNDS ? { kind: "recovered", rounds: before } : undefined;
      }
      silent++;
      if (ever && unreceived >= FAIL_ROUNDS) return { kind: "failed", rounds: silent };
      return silent === LOG_ROUNDS ? { kind: "silent", rounds: silent } : undefined;
    },
  };
}
