/** A log line for every signal that ends the server, and for its exit: the log shows why a server has ended. */
import type { Say } from "../daemon/log.ts";

/** Signals that would end a Node process without a log line. */
const ENDING = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const;

/** Logs signals and the exit status, and calls `stop` at the first signal; a second one has its default effect. */
export function logExit(say: Say, stop: () => void): { readonly close: () => void } {
  const onSignal = (signal: NodeJS.Signals): void => {
    say("info", `${signal} received: stopping`);
    stop();
  };
  const onContinue = (): void => say("info", "SIGCONT received: running again");
  const onExit = (status: number): void =>
    say(status === 0 ? "info" : "error", `exiting with status ${status}`);
  for (const signal of ENDING) process.once(signal, onSignal);
  process.on("SIGCONT", onContinue);
  process.once("exit", onExit);
  return {
    close() {
      for (const signal of ENDING) process.off(signal, onSignal);
      process.off("SIGCONT", onContinue);
    },
  };
}
