/** The file in which `watch` stores why starts have failed, for `list` and `status`. */
import { parseFailures, renderFailures } from "../../core/lifecycle/failures.ts";
import { readText, writeWhole } from "./file.ts";

/** What was stored there; nothing where it cannot be read. */
export async function readFailures(file: string): Promise<ReadonlyMap<string, string>> {
  const text = await readText(file).catch(() => undefined);
  return text === undefined ? new Map() : parseFailures(text);
}

/** Writes it after each call of `store`, one write after the other; a disk that is full is tried again with the next. */
export function failuresFile(file: string): {
  store(failed: ReadonlyMap<string, string>): void;
  written(): Promise<void>;
} {
  let onDisk: string | undefined;
  let written = Promise.resolve();
  return {
    store(failed) {
      const text = renderFailures(failed);
      written = written.then(async () => {
        if (text === onDisk || (onDisk === undefined && failed.size === 0)) return;
        await writeWhole(file, text, { durability: "later" }).then(
          () => {
            onDisk = text;
          },
          () => undefined,
        );
      });
    },
    written: () => written,
  };
}
