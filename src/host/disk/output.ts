/** The files that the configuration names and every run may write, as they are before it. */
import { NO_FILE } from "../../core/config/outputs.ts";
import { HostError } from "../../core/errors.ts";
import { NotRegular } from "../../platform/regular-file.ts";

/** What a read has found: its text, empty for no file, and NO_FILE for what is none, which a run refuses to replace. */
export function outputText(read: Promise<string | undefined>): Promise<string> {
  return read.then(
    (text) => text ?? "",
    (error: unknown) => {
      if (error instanceof HostError && error.cause instanceof NotRegular) return NO_FILE;
      throw error;
    },
  );
}
