/** Changes of a zone's hash table, which is open addressing with steps of one. */
import { slotOf, type Zone } from "./zone.ts";

/** The slot that holds this node. */
export function slotWith({ words, table, mask }: Zone, hash: number, node: number): number {
  let slot = slotOf(hash, mask);
  while (words[table + 2 * slot + 1] !== node) slot = (slot + 1) & mask;
  return slot;
}

/** Put a node into the first free slot of its hash. */
export function occupy({ words, table, mask }: Zone, hash: number, node: number): void {
  let slot = slotOf(hash, mask);
  while (words[table + 2 * slot + 1] !== 0) slot = (slot + 1) & mask;
  words[table + 2 * slot] = hash;
  words[table + 2 * slot + 1] = node;
}

/** Free a slot and move up those behind it that would no longer be found (Knuth, TAOCP 3, §6.4, Algorithm R). */
export function vacate({ words, table, mask }: Zone, slot: number): void {
  let hole = slot;
  for (let at = (slot + 1) & mask; words[table + 2 * at + 1] !== 0; at = (at + 1) & mask) {
    const home = slotOf(words[table + 2 * at] as number, mask);
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    words[table + 2 * hole] = words[table + 2 * at] as number;
    words[table + 2 * hole + 1] = words[table + 2 * at + 1] as number;
    hole = at;
  }
  words[table + 2 * hole] = 0;
  words[table + 2 * hole + 1] = 0;
}
