/** Reverse zones, made from each version of the forward zone. */
import { randomInt } from "node:crypto";
import { addressOctets } from "../../daemon/address-octets.ts";
import { parseZoneFile } from "../../dns/text/zonefile.ts";
import { parseName } from "../../dns/wire/name.ts";
import type { Served } from "../../dns/zone/authority.ts";
import { compileZone } from "../../dns/zone/compile.ts";
import {
  type AddressRanges,
  type ReverseText,
  reverseOrigins,
  reverseZoneTexts,
} from "../../dns/zone/reverse.ts";
import type { Zone } from "../../dns/zone/zone.ts";
import { extended } from "./zone-loader.ts";

/** Reverse names to serve beside the zone. */
export interface ReverseOptions {
  /** Inclusive ranges of IPv4 addresses: PTR is served for exactly these. */
  readonly ranges: readonly (readonly [first: string, last: string])[];
  /** Apex of the reverse zone, classless (RFC 2317) or not; default: the /24s that the ranges touch. */
  readonly zone?: string;
}

/** The reverse zones that follow a forward zone. */
export interface ReverseZones {
  served(): readonly Served[];
  /** Replace those that this version of the forward zone changes; any other keeps its version, and with it its serial. */
  follow(zone: Zone): void;
}

function number(address: string): number {
  return new DataView(addressOctets(address).buffer).getUint32(0);
}

/** Reverse zones for the options; none without them. */
export function reverseZones(options: ReverseOptions | undefined): ReverseZones {
  const ranges: AddressRanges = (options?.ranges ?? []).map(
    ([first, last]) => [number(first), number(last)] as const,
  );
  const origins = options === undefined ? [] : reverseOrigins(ranges, options.zone);
  const seed = randomInt(2 ** 31);
  /** What is served of each, without its serial. */
  const contents: string[] = [];
  let all: readonly Served[] = origins.map((origin) => ({ origin: parseName(origin), zone: undefined }));
  return {
    served: () => all,
    follow(forward) {
      if (origins.length === 0) return;
      const texts = reverseZoneTexts(forward, ranges, origins);
      all = all.map((served, i) => {
        const { text, content } = texts[i] as ReverseText;
        if (content === contents[i]) return served;
        const origin = origins[i] as string;
        const { zone } = compileZone(parseZoneFile(text, origin), origin, seed);
        if (zone === undefined) return served;
        contents[i] = content;
        return {
          ...served,
          zone,
          history: served.zone === undefined ? [] : extended(served.history ?? [], served.zone, zone),
        };
      });
    },
  };
}
