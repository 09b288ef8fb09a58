/** Judges from a server's answers to its own queries whether it is silent. Pure: it knows rounds, no time. */

/** Rounds without an answer until that is logged, and until the process is to be replaced. */
const LOG_ROUNDS = 5;
const FAIL_ROUNDS = 30;

/** What a round showed, with the rounds without an answer so far. `failed`: only a new process helps. */
export interface Finding {
  readonly kind: "silent" | "failed" | "recovered";
  readonly rounds: number;
}

/** What happened in a round. */
export interface Round {
  /** The process was stopped or its main thread blocked: an answer may wait unread, and nothing can be concluded. */
  readonly delayed: boolean;
  /** The own query was answered. */
  readonly answered: boolean;
  /** Messages of all clients that the server has received since it started. */
  readonly received: number;
}

/** The judge of one endpoint. */
export interface SilenceJudge {
  /** Judges a round; undefined when it shows nothing new. */
  round(round: Round): Finding | undefined;
  /** False while the endpoint is silent. */
  answering(): boolean;
}

/** A judge at the start of the server. */
export function silenceJudge(): SilenceJudge {
  let silent = 0;
  // Rounds in which nothing was received either: under a flood our query may be dropped, but others are received.
  let deaf = 0;
  // A firewall that drops our own queries from the start is no reason to restart.
  let ever = false;
  let seen = 0;
  return {
    answering: () => silent < LOG_ROUNDS,
    round({ delayed, answered, received }) {
      const before = silent;
      deaf = received === seen ? deaf + 1 : 0;
      seen = received;
      ever ||= answered;
      if (answered || delayed) {
        silent = 0;
        deaf = 0;
        return answered && before >= LOG_ROUNDS ? { kind: "recovered", rounds: before } : undefined;
      }
      silent++;
      if (ever && deaf >= FAIL_ROUNDS) return { kind: "failed", rounds: silent };
      return silent === LOG_ROUNDS ? { kind: "silent", rounds: silent } : undefined;
    },
  };
}
