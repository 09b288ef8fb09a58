/** Commands that are described as data: `main.ts` adds them to the tree. */
import type { Config } from "../core/config/config.ts";
import type { Paint } from "../core/report/paint.ts";
import type { Answer } from "./commands.ts";

/** A command of the tree. */
export interface CommandSpec {
  readonly name: string;
  readonly text: string;
  /** `<name>`, and what it is; null for none. */
  readonly argument: readonly [name: string, text: string] | null;
  /** What may follow it. */
  readonly rest?: readonly [name: string, text: string];
  readonly options: readonly OptionSpec[];
  /** What its help shows behind its name, where that is not worked out from the above. */
  readonly usage?: string;
  /** A whole command, below its help. */
  readonly example?: string;
  /** False: its output is one JSON document in any case. */
  readonly json?: false;
  run(names: readonly string[], flags: SpecFlags, terminal: Terminal): Promise<void>;
}

/** An option that may be repeated is a list; one with choices takes one of them. */
export type OptionSpec = readonly [flags: string, text: string, takes?: "repeated" | readonly string[]];

/** What `main.ts` does for each command. */
export interface Terminal {
  /** Reads the configuration that the program's options name, carries out the command, and prints its answer. */
  answer(work: (config: Config) => Promise<Answer>): Promise<void>;
  /** The same for a command that needs no configuration. */
  answerAlone(work: () => Promise<Answer>): Promise<void>;
  /** Prints a line at once. */
  say(line: string): void;
  /** The same for a message, on standard error. */
  note(line: string): void;
  /** Standard input is a terminal. */
  readonly hasTerminal: boolean;
  /** Aborted by SIGINT and SIGTERM. */
  stopped(): AbortSignal;
  environment(): ReadonlyMap<string, string>;
  /** Colours for standard output. */
  readonly paint: Paint;
  /** Ends the command: it was called in a wrong way. */
  misused(message: string): never;
}

export interface SpecFlags {
  readonly json?: boolean;
  readonly all?: boolean;
  readonly project?: string;
  readonly batch?: string;
  readonly showEnv?: boolean;
  readonly write?: string | true;
  readonly where?: readonly string[];
  readonly olderThan?: string;
  readonly select?: string;
  readonly mount?: readonly string[];
  readonly env?: readonly string[];
  readonly validate?: boolean;
  readonly output?: "wide" | "name" | "json";
  readonly state?: string;
  readonly network?: string;
}
