/** Commits all forwards but those that the kernel refuses, when it refuses a transaction. */
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import type { HostError } from "../../core/errors.ts";
import type { Forward } from "../../core/forwards/forward.ts";

/** A forward that the kernel does not take; the others are in force. */
export interface Refused {
  readonly alias: Ipv4;
  readonly message: string;
}

/** How a backend commits. */
export interface Attempts<Refusal extends HostError> {
  /** Puts exactly these forwards in force. */
  attempt(forwards: readonly Forward[]): Promise<void>;
  /** True for an error after which nothing has changed. */
  isRefusal(error: unknown): error is Refusal;
  /** The forward that the refusal names, where it names one. */
  culprit(refusal: Refusal, among: readonly Forward[]): Forward | undefined;
}

/**
 * Commits `kept`, which have been in force, with as many of `changed` as the kernel takes; returns those that it refuses. A
 * refusal that names no forward leads to tries with halves. Throws when it is refused also without any of `changed`.
 */
export async function commitMost<Refusal extends HostError>(
  by: Attempts<Refusal>,
  kept: readonly Forward[],
  changed: readonly Forward[],
): Promise<Refused[]> {
  try {
    await by.attempt([...kept, ...changed]);
    return [];
  } catch (error) {
    if (!by.isRefusal(error) || changed.length === 0) throw error;
    const { message } = error;
    const culprit = by.culprit(error, changed);
    if (culprit !== undefined) {
      const rest = changed.filter((forward) => forward !== culprit);
      return [{ alias: culprit.alias, message }, ...(await commitMost(by, kept, rest))];
    }
    // a refusal also without any of them has another cause
    await by.attempt(kept);
    const [only] = changed;
    if (changed.length === 1 && only !== undefined) return [{ alias: only.alias, message }];
    const half = changed.slice(0, Math.ceil(changed.length / 2));
    const first = await commitMost(by, kept, half);
    const taken = half.filter((forward) => !first.some(({ alias }) => alias === forward.alias));
    return [...first, ...(await commitMost(by, [...kept, ...taken], changed.slice(half.length)))];
  }
}
