/** What the command line's help shows of options, and says of a word that is no command. */
import { meant } from "../core/config/nearest.ts";

/** Options of the program that a command lists only where they mean something, as its own; it accepts them all the same. */
export const LISTED_BY_COMMANDS: ReadonlySet<string> = new Set(["--json", "--yes"]);

interface Named {
  readonly long?: string | undefined;
}

/** Whether a command's help shows an option of the program: it has none of its own in its place. */
export const isListed = (own: readonly Named[], { long = "" }: Named): boolean =>
  !LISTED_BY_COMMANDS.has(long) && own.every((one) => one.long !== long);

/** The error for a word that is no command; `commands` are their names. */
export function unknownCommand(word: string, commands: readonly string[]): string {
  const command = meant(word, [...commands, "help", "version"]);
  const hint = command === null ? "" : `, did you mean ${command}?`;
  return `ocdd: unknown command '${word}'${hint}`;
}
