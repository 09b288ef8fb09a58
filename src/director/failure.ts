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

/** One line for the log. */
export function failureLine(cause: HostError | ConfigError): string {
  return `${cause.message}${remedyOf(cause)}; current addresses and rules are unchanged`;
}

/** In brackets; empty where it has none. */
export const remedyOf = (cause: HostError | ConfigError): string =>
  cause instanceof HostError && cause.remedy !== undefined ? ` (${cause.remedy})` : "";
