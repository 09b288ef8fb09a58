/** The one writer of the data path: rules and guard, read as nouns and written as nouns. */
import type { Ipv4, Range } from "../../core/addresses/ipv4.ts";
import type { DataPath } from "../../core/forwards/forward.ts";
import type { DataPathSeen } from "../../core/observation.ts";

/** A forward that the kernel did not take; the others are in force. */
export interface Refusal {
  readonly alias: Ipv4;
  readonly message: string;
}

export interface ForwardTable {
  /** What is in force. Throws HostError. */
  read(pool: readonly Range[]): Promise<DataPathSeen>;
  /** Brings the kernel to `desired` from what was read or committed last. Throws HostError; what was in force stays. */
  commit(desired: DataPath): Promise<readonly Refusal[]>;
  /** Takes these aliases out of force at once; waits for no other commit. */
  revoke(aliases: readonly Ipv4[]): Promise<void>;
  /** Lets the packets of an alias out through a bridge port; false where there is no guard. */
  admit(alias: Ipv4, bridgePort: string): boolean;
  close(): void;
}
