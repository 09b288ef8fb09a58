/** Records a churn on one clock, for the check of history.ts. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Lab } from "./handle.ts";
import { HOST_ADDRESS, HOST_DEVICE, ZONE } from "./network.ts";
import type { Note } from "./note.ts";
import { storage } from "./ocdd.ts";
import { type Daemon, until } from "./process.ts";

const EYE = fileURLToPath(new URL("recorder-eye.ts", import.meta.url));

export interface Recorder {
  /** Asks for the names and connects to the aliases of these containers from now on, from the office PC. */
  ask(
    aliases: Readonly<Record<string, string>>,
    every?: { readonly question?: number; readonly connection?: number },
  ): Promise<void>;
  /** Ends it; returns everything noted. */
  stop(): Promise<Note[]>;
}

/** The recorder's clock: milliseconds, the same in each process of the machine. */
export const clock = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Start recording. It must begin before the first container: what exists already is not notified. */
export async function record(lab: Lab): Promise<Recorder> {
  const eyes: Daemon[] = [];
  const open = async (where: "host" | "client", ...args: string[]): Promise<void> => {
    const eye = lab.spawn(where, [process.execPath, EYE, where, ...args], { label: `eye-${where}` });
    eyes.push(eye);
    await until(`the eye at ${where} is open`, () => {
      if (!eye.running()) throw new Error(`the eye has closed:\n${eye.output()}`);
      return eye.output().includes("ready");
    });
  };
  const files = ["leases.json", `dns/${ZONE}.zone`].map((file) => join(storage(lab), file));
  await open("host", lab.dockerSocket, ...files, HOST_DEVICE);
  return {
    ask: (aliases, { question = 10, connection = 40 } = {}) =>
      open(
        "client",
        ...[HOST_ADDRESS, ZONE, String(question), String(connection)],
        ...Object.entries(aliases).map(([container, address]) => `${container}=${address}`),
      ),
    async stop() {
      for (const eye of [...eyes].reverse()) await eye.stop();
      return eyes.flatMap((eye) =>
        eye
          .output()
          .split("\n")
          .filter((line) => line.startsWith("{"))
          .map((line) => JSON.parse(line) as Note),
      );
    },
  };
}
