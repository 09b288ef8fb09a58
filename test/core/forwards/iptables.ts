/** A host for tests of the rules: recorded rules of Docker, forwards of every kind, and the director's run over a ruleset. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { fromNumber, parseCidr, type Range, toNumber } from "../../../src/core/addresses/ipv4.ts";
import type { DataPath, Forward, Frame } from "../../../src/core/forwards/forward.ts";
import { parse, type SeenTables } from "../../../src/core/forwards/iptables-parse.ts";
import { transaction } from "../../../src/core/forwards/iptables-transaction.ts";
import { readLabels } from "../../../src/core/services/labels.ts";
import { applyTransaction, saved } from "../../fake/iptables.ts";
import { ip, name } from "../make.ts";

export const POOL: readonly Range[] = [{ first: ip("192.168.122.11"), last: ip("192.168.122.30") }];
export const FRAME: Frame = {
  pool: POOL,
  subnets: ["172.17.0.0/16", "172.20.0.0/16"].flatMap((cidr) => parseCidr(cidr) ?? []),
};
export const NOTHING: DataPath = { frame: null, forwards: [], damaged: [] };

export const recorded = (engine: "20.10" | "28"): string =>
  applyTransaction(readFileSync(new URL(`../../recorded/docker-${engine}.txt`, import.meta.url), "utf8"), "");

export function forward(
  alias: string,
  target: string,
  labels: Readonly<Record<string, string>> = {},
): Forward {
  const { map, ports, allow } = readLabels(new Map(Object.entries(labels)));
  const own = name(`c${alias.split(".").slice(2).join("-")}`);
  return { name: own, alias: ip(alias), target: ip(target), bridgePort: null, map, ports, allow };
}

export const pathOf = (forwards: readonly Forward[], frame = FRAME): DataPath => ({
  frame,
  forwards,
  damaged: [],
});

/** So many forwards from 10.20.0.11 on, and the frame for them. */
export function manyForwards(count: number): {
  readonly path: DataPath;
  readonly forwards: readonly Forward[];
} {
  const first = toNumber(ip("10.20.0.11"));
  const forwards = Array.from({ length: count }, (_, i) => {
    const alias = fromNumber(first + i);
    return forward(alias, `172.17.${Math.floor(i / 250)}.${(i % 250) + 2}`);
  });
  const pool = [{ first: ip("10.20.0.11"), last: fromNumber(first + count + 9) }];
  return { forwards, path: pathOf(forwards, { ...FRAME, pool }) };
}

export const look = (ruleset: string, pool = POOL): SeenTables => parse(saved(ruleset), pool);

/** What one run writes. */
export const written = (ruleset: string, desired: DataPath): string =>
  transaction(look(ruleset).snapshot, desired).text;

/** The ruleset after one run. */
export const converge = (ruleset: string, desired: DataPath): string =>
  applyTransaction(ruleset, written(ruleset, desired));

const protocol = fc.constantFrom("tcp", "udp", "sctp");
const port = fc.record({ protocol, port: fc.integer({ min: 1, max: 65_535 }) });
const cidr = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 32 }))
  .map(([n, prefix]) => `${fromNumber(n)}/${prefix}`);

/** Any forward that labels can ask for, and more. */
export const anyForward = (alias: string): fc.Arbitrary<Forward> =>
  fc
    .record({
      map: fc.array(
        fc.tuple(port, fc.integer({ min: 1, max: 65_535 })).map(([from, to]) => ({ ...from, to })),
        { maxLength: 40 },
      ),
      ports: fc.option(fc.array(port, { minLength: 1, maxLength: 40 })),
      allow: fc.option(fc.array(cidr, { minLength: 1, maxLength: 40 })),
    })
    .map((policy) => ({ ...forward(alias, "172.17.0.9"), ...policy }) as Forward);
