/** Memory that replaced versions of a zone leave behind. */
import { collectGarbage } from "../platform/garbage.ts";
import { loadMemory } from "../platform/libc.ts";

/** Octets of a zone's block from which its garbage is worth a collection of its own. */
export const LARGE_ZONE_OCTETS: number = 2 << 20;

let trim: ((keep: number) => number) | undefined;

/**
 * Free what a replaced version of a large zone leaves behind. V8 counts such blocks as a few small objects and would
 * let a dozen versions pile up, hundreds of megabytes, before it looks.
 */
export function collectAfter(octets: number): void {
  if (octets < LARGE_ZONE_OCTETS) return;
  if (trim === undefined) {
    const libc = loadMemory();
    // glibc keeps freed blocks of this size for itself.
    trim = "calls" in libc ? libc.calls.malloc_trim : () => 0;
  }
  collectGarbage();
  trim(0);
}
