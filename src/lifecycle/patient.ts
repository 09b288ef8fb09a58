/** Calls to Docker that wait for it: while it restarts, a service that has been visited need not fail. */

import type { DockerActions } from "../host/docker/actions.ts";
import { isUnanswered } from "../host/docker/error.ts";
import { unlessAborted } from "../platform/abort.ts";
import { pausing } from "../platform/timer.ts";

/** Milliseconds until Docker is asked again that has not answered. */
const AGAIN_MS = 250;

/** What a start asks of Docker. */
export type Starting = Pick<DockerActions, "inspect" | "start" | "unpause" | "exec">;

/**
 * The same calls, repeated while Docker does not answer, until the signal is aborted: then each rejects at once, with
 * Docker's error where there was one. `settled` resolves when this process is not about to stop the container.
 */
export function patient(
  docker: Starting,
  signal: AbortSignal,
  settled: (id: string) => Promise<void>,
): Starting {
  const answered = <T>(ask: () => Promise<T>): Promise<T> => whileUnanswered(ask, signal);
  return {
    inspect: (id) => answered(() => settled(id).then(() => docker.inspect(id, signal))),
    start: (id) => answered(() => docker.start(id)),
    unpause: (id) => answered(() => docker.unpause(id)),
    // a check that fails is made again in any case
    exec: docker.exec,
  };
}

/** Asks again while Docker does not answer, until the signal is aborted. */
export async function whileUnanswered<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await unlessAborted(ask(), signal);
    } catch (error) {
      if (signal.aborted || !isUnanswered(error)) throw error;
      await pausing(AGAIN_MS, signal);
      if (signal.aborted) throw error;
    }
  }
}
