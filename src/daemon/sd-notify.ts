/** Messages to systemd (sd_notify(3)), through systemd-notify since Node has no UNIX datagram sockets. */

export interface Notifier {
  /** The first run has succeeded. */
  readonly ready: () => void;
  /** Still alive: to be called more often than `interval`. */
  readonly alive: () => void;
  readonly stopping: () => void;
  /** Milliseconds within which systemd expects `alive`; null without a watchdog. */
  readonly interval: number | null;
}

/** Runs a program to its end; rejects when it fails. */
export type RunProgram = (argv: readonly [string, ...string[]]) => Promise<unknown>;

/** `environment` as systemd sets it: NOTIFY_SOCKET and WATCHDOG_USEC. Without them nothing is sent. */
export function notifier(environment: ReadonlyMap<string, string>, run: RunProgram): Notifier {
  const listens = environment.has("NOTIFY_SOCKET");
  const watchdog = Number(environment.get("WATCHDOG_USEC") ?? 0) / 1000;
  const tell = (word: string): void => {
    // a service must not fail because its supervisor did not accept a message
    if (listens) run(["systemd-notify", word]).catch(() => undefined);
  };
  return {
    // words, not options: --stopping is younger (systemd 253) than what Debian 12 has
    ready: () => tell("READY=1"),
    alive: () => tell("WATCHDOG=1"),
    stopping: () => tell("STOPPING=1"),
    interval: listens && watchdog > 0 ? watchdog : null,
  };
}
