/** Containers that are not served, and why. */

/** Why a container is not served, to be counted: a closed set, without text from labels. */
export const SKIP_CODES = [
  "label",
  "no-network",
  "internal-network",
  "foreign-driver",
  "no-address",
  "host-address",
  "shares-unserved",
  "range-full",
] as const;
export type SkipCode = (typeof SKIP_CODES)[number];

export interface Skipped {
  readonly container: string;
  readonly code: SkipCode;
  /** The same for people. */
  readonly reason: string;
}
