import { HostError } from "../../src/core/errors.ts";

/** The HostError with which something fails; throws any other error, and when it does not fail. */
export async function refusal(work: Promise<unknown>): Promise<HostError> {
  const error = await work.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (error instanceof HostError) return error;
  throw error ?? new Error("it succeeded");
}
