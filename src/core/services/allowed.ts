/** `ocdd.allow` and Docker's networks: any user who may create a network chooses its subnet, also an allowed one. */

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
 * The wishes, with the subnets of Docker networks made after the container left out of its `ocdd.allow`: its author cannot
 * have meant them. The host sends answers for such a subnet to the network's bridge, so no other machine loses access. A
 * container is refused when no address is left of the label.
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
      // Docker creates this one again at each start, and lets no other network have its name
      network.name !== "bridge" &&
      network.created > container.created &&
      subnetsOf(network).some((subnet) => allowed.some((range) => overlaps(range, subnet))),
  );
  if (later.length === 0) return wishes;
  const most = Math.floor(LIMITS.rules / ((wishes.ports?.length ?? 1) + wishes.map.length));
  const allow = without(allowed, later.flatMap(subnetsOf), most);
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

/** All addresses where not all of its subnets are known. */
const subnetsOf = ({ partial, subnets }: Network): readonly Range[] =>
  partial === true ? [EVERYWHERE] : subnets;

const EVERYWHERE: Range = { first: fromNumber(0), last: fromNumber(2 ** 32 - 1) };

/** `allowed` without the holes, as at most `most` CIDRs: where there are more, the holes are widened until these suffice. */
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

/** The aligned block of 2^`bits` times the size that contains the block. */
function widened({ first, last }: Range, bits: number): Range {
  const size = Math.min((toNumber(last) - toNumber(first) + 1) * 2 ** bits, 2 ** 32);
  const start = Math.floor(toNumber(first) / size) * size;
  return { first: fromNumber(start), last: fromNumber(start + size - 1) };
}
