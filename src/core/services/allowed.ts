/** `ocdd.allow` beside Docker's networks: whoever may create a network chooses its subnet, and may choose an allowed one. */

import {
  fromNumber,
  overlaps,
  parseCidr,
  type Range,
  subtract,
  toCidrs,
  toNumber,
} from "../addresses/ipv4.ts";
import { clip } from "../clip.ts";
import type { Container, Network } from "../model.ts";
import { LIMITS, type Wishes } from "./labels.ts";

/** Networks named in one note. */
const MOST_NAMED = 3;

/**
 * The wishes with what Docker networks made after the container have of its `ocdd.allow` left out: its author cannot have
 * meant them. The host sends answers for such a subnet to the network's bridge, so no other machine loses anything. A
 * container of which nothing is left of the label is refused.
 */
export function withoutLaterNetworks(
  wishes: Wishes,
  container: Container,
  networks: readonly Network[],
): Wishes {
  if (wishes.allow === null) return wishes;
  const allowed = wishes.allow.flatMap((cidr): Range | Range[] => parseCidr(cidr) ?? []);
  const later = networks.filter(
    (network) =>
      network.driver === "bridge" &&
      // Docker makes this one anew at each start, and lets no other network have its name
      network.name !== "bridge" &&
      network.created > container.created &&
      network.subnets.some((subnet) => allowed.some((range) => overlaps(range, subnet))),
  );
  if (later.length === 0) return wishes;
  const most = Math.floor(LIMITS.rules / ((wishes.ports?.length ?? 1) + wishes.map.length));
  const allow = without(
    allowed,
    later.flatMap(({ subnets }) => subnets),
    most,
  );
  const names = later.slice(0, MOST_NAMED).map(({ name }) => `"${clip(name)}"`);
  const more = later.length - names.length;
  const which = `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  if (allow.length === 0)
    return {
      ...wishes,
      refused: `label ocdd.allow cannot be enforced: Docker networks made after the container have its addresses: ${which}`,
    };
  const note = `label ocdd.allow does not include Docker networks made after the container: ${which}`;
  return { ...wishes, allow, notes: [...wishes.notes, note] };
}

/** What is left as CIDRs, at most `most`: where there are more, the holes are widened until they suffice. */
function without(allowed: readonly Range[], holes: readonly Range[], most: number): string[] {
  for (let wider = 0; ; wider++) {
    const left = toCidrs(
      subtract(
        allowed,
        holes.map((hole) => widened(hole, wider)),
      ),
    );
    if (left.length <= most) return left;
  }
}

/** The block of 2^`bits` times its size that the block lies in. */
function widened({ first, last }: Range, bits: number): Range {
  const size = Math.min((toNumber(last) - toNumber(first) + 1) * 2 ** bits, 2 ** 32);
  const start = Math.floor(toNumber(first) / size) * size;
  return { first: fromNumber(start), last: fromNumber(start + size - 1) };
}
