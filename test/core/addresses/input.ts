/** What addresses are allocated from, in tests: a small range, nothing leased, nothing reserved. */
import type { AllocateInput } from "../../../src/core/addresses/lease.ts";
import type { Lease, LeaseTable } from "../../../src/core/model.ts";
import { NOW } from "../make.ts";

export const HOLD = 180;
export const LEAST = 60;

export const table = (...leases: Lease[]): LeaseTable => ({
  leases,
  conflicts: [],
  hairpins: [],
  nameHolds: [],
  holders: [],
});

export const inputOf = (pool: AllocateInput["pool"], over: Partial<AllocateInput>): AllocateInput => ({
  table: table(),
  owners: [],
  pool,
  excluded: new Set(),
  avoided: new Set(),
  now: NOW,
  hold: HOLD,
  leastHold: LEAST,
  isGone: () => false,
  ...over,
});
