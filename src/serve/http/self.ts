/** What a container is told of itself, by where its request comes from. */
import { readSelves, type Self } from "../../core/services/self.ts";
import type { Say } from "../../daemon/log.ts";
import { followFile } from "../follow-file.ts";
import { isBehind, type KernelFiles } from "./peer.ts";

export interface Selves {
  /** The JSON for the container at this address, as a socket has it; undefined where it is none that may be told. */
  find(remote: string): string | undefined;
  close(): void;
}

/** Follows the director's file. */
export function openSelves(file: string, log: Say, kernel?: KernelFiles): Selves {
  let text: string | undefined;
  let read: ReadonlyMap<string, Self> | undefined;
  const follower = followFile(file, (found) => {
    text = "octets" in found ? found.octets.toString("utf8") : undefined;
    read = undefined;
    // without containers there is no file
    if ("absent" in found && found.absent !== "does not exist")
      log("warning", `${file} ${found.absent}; no container is told about itself at /self`);
  });
  /** Read when it is asked for: the file changes with every container, and is seldom asked for. */
  const selves = (): ReadonlyMap<string, Self> => {
    read ??= (text === undefined ? undefined : readSelves(text)) ?? new Map();
    text = undefined;
    return read;
  };
  return {
    find(remote) {
      const address = remote.replace(/^::ffff:(?=[0-9.]+$)/i, "");
      const self = selves().get(address);
      return self !== undefined && isBehind(address, self.port, kernel) ? self.text : undefined;
    },
    close: () => follower.close(),
  };
}
