/** One problem that the user can fix: where it is and what is wrong. */
export interface Problem {
  /** `FILE:LINE`, a flag or an environment variable. */
  readonly where: string;
  /** The key, when the problem is about one. */
  readonly key?: string;
  /** Subject, value, rule; lower case; no full stop. */
  readonly message: string;
}

/** The configuration is wrong: all problems at once. Nothing has been changed. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];
  /** What the user can do about all of them; undefined where each problem says it. */
  readonly remedy: string | undefined;
  constructor(problems: readonly Problem[], remedy?: string) {
    super(problems.map((p) => [p.where, p.key, p.message].filter(Boolean).join(": ")).join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
    this.remedy = remedy;
  }
}

/** Why the host refused, which decides the exit status. */
export type HostFault = "docker" | "privilege" | "missing" | "busy" | "storage" | "command" | "refused";

/** More about a HostError. */
export interface HostErrorOptions {
  /** What the user can do about it. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
  /** The step of a plan that failed. */
  readonly step?: string | undefined;
}

/** Docker, a command or the disk refused. `cause` keeps the original error; `remedy` says what to do. */
export class HostError extends Error {
  readonly fault: HostFault;
  readonly remedy: string | undefined;
  readonly step: string | undefined;
  constructor(fault: HostFault, message: string, options: HostErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "HostError";
    this.fault = fault;
    this.remedy = options.remedy;
    this.step = options.step;
  }
}
