/** Failures of a run: caused by the host or the configuration, or faults of the program. */
import { ConfigError, HostError } from "../core/errors.ts";

const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EROFS"]);

/** The failure as one of the host or the configuration; anything else is a fault of the program and is thrown again. */
export function causeOf(error: unknown): HostError | ConfigError {
  if (error instanceof HostError || error instanceof ConfigError) return error;
  const { syscall, code, message } = error as NodeJS.ErrnoException;
  if (syscall === undefined || code === undefined) throw error;
  return new HostError(FULL.has(code) ? "storage" : "command", message, { cause: error });
}

/** One line for the log. A run that failed in a step of its plan has done the steps before it. */
export function failureLine(cause: HostError | ConfigError): string {
  const inStep = cause instanceof HostError && cause.step !== undefined;
  const left = inStep
    ? "what this run did before stays in force"
    : "current addresses and rules are unchanged";
  return `${cause.message}${remedyOf(cause)}; ${left}`;
}

/** In brackets; empty where it has none. */
export const remedyOf = (cause: HostError | ConfigError): string =>
  cause instanceof HostError && cause.remedy !== undefined ? ` (${cause.remedy})` : "";
