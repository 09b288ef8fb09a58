/** The output of a command or container as Docker sends it: frames of its two streams. */
import type { Readable } from "node:stream";

export interface Output {
  readonly stream: "stdout" | "stderr";
  /** Untrusted octets. Valid until the callback has returned. */
  readonly octets: Buffer;
}

/** Gets each part of the output as it comes; what the command prints waits meanwhile. */
export type OnOutput = (part: Output) => void | Promise<void>;

const STREAMS: ReadonlyMap<number, Output["stream"]> = new Map([
  [1, "stdout"],
  [2, "stderr"],
]);
const HEAD_OCTETS = 8;

/**
 * Reads a body to its end: each frame is a head of eight octets, stream and length, then the content (Engine API, ContainerAttach).
 * Nothing is given once `closed` is aborted. Throws what `failure` makes of a broken connection, or what `onOutput` throws.
 */
export async function readFrames(
  body: Readable,
  onOutput: OnOutput,
  closed: AbortSignal,
  failure: (error: unknown) => Error,
): Promise<void> {
  const head = Buffer.alloc(HEAD_OCTETS);
  let filled = 0;
  let left = 0;
  for await (const part of parts(body, failure)) {
    let at = 0;
    while (at < part.length && !closed.aborted) {
      if (left === 0) {
        const taken = part.copy(head, filled, at, at + HEAD_OCTETS - filled);
        at += taken;
        filled += taken;
        if (filled < HEAD_OCTETS) break;
        filled = 0;
        left = head.readUInt32BE(4);
        continue;
      }
      const octets = part.subarray(at, at + left);
      at += octets.length;
      left -= octets.length;
      const stream = STREAMS.get(head[0] ?? 0);
      if (stream !== undefined) await onOutput({ stream, octets });
    }
  }
  if (filled > 0 || left > 0) throw failure(new Error("the connection was closed within the output"));
}

/** What the caller throws for a part does not pass through here. */
async function* parts(body: Readable, failure: (error: unknown) => Error): AsyncGenerator<Buffer> {
  try {
    for await (const part of body) yield part as Buffer;
  } catch (error) {
    throw failure(error);
  }
}
