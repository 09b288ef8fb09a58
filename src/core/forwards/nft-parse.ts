/** What `nft -j list table` prints of OCDD's tables → what is in force, and whether the constant part is untouched. */
import { fromNumber, type Ipv4, mergeRanges, parseCidr, parseIpv4, type Range } from "../addresses/ipv4.ts";
import { toName } from "../services/name.ts";
import { textVersion } from "../text.ts";
import { canonical, type DataPath, type Forward, type Frame, type Part } from "./forward.ts";
import { type NftStyle, renderTables, STAMP } from "./nft.ts";
import { isPolicyChain, policyChain } from "./nft-chains.ts";
import { type ChangingSet, type Element, FAMILY_OF, isDevice } from "./nft-elements.ts";
import { type Json, list, type Policy, parsePolicy, record } from "./nft-parse-policy.ts";

/** Both tables as one reading found them. */
export interface TablesSeen {
  readonly frame: Frame;
  /** Families of the tables that exist: another program may have deleted one of the two. */
  readonly families: ReadonlySet<unknown>;
  readonly elements: readonly Element[];
  /** Chains of aliases with a policy; undefined for one that OCDD has not written so. */
  readonly policies: ReadonlyMap<Ipv4, Policy | undefined>;
  /**
   * Of the constant part as the kernel lists it. It is compared with what the kernel listed right after the tables were
   * written, because no program prints a rule as it was written, and each version prints it in its own way.
   */
  readonly fingerprint: string;
  /** The stamp that `renderStamp` wrote; empty when there is none. */
  readonly stamp: string;
}

/** Of the text of the constant part. */
export const versionOf = (frame: Frame, style: NftStyle): string => textVersion(renderTables(frame, style));

/** The stamp of the constant part in the kernel: `version`, of the text that was written, and of its listing. */
export const stampOf = (version: string, { fingerprint }: Pick<TablesSeen, "fingerprint">): string =>
  `${version}x${fingerprint}`;

/** True when the constant part in force is the one of this version, as it was written. */
export const isWritten = (seen: TablesSeen, version: string): boolean =>
  seen.stamp === stampOf(version, seen);

/** `listings`: the documents for the ip and the bridge table. Throws SyntaxError for any other text. */
export function parseTables(listings: readonly string[]): TablesSeen {
  const families = new Set<unknown>();
  const elements: Element[] = [];
  const constant: string[] = [];
  const rules = new Map<Ipv4, Json[]>();
  const pool: Range[] = [];
  const subnets: Range[] = [];
  let stamp = "";
  for (const object of listings.flatMap(objectsOf)) {
    const [kind, value] = Object.entries(object)[0] ?? ["", {}];
    const fields = record(value);
    if (kind === "metainfo") continue;
    if (kind === "table") families.add(fields.family);
    // names in the bridge table are not those of this one
    const ip = fields.family === "ip";
    const chain = String(kind === "chain" ? fields.name : (fields.chain ?? ""));
    const alias = isPolicyChain(chain) ? parseIpv4(chain.slice(policyChain("" as Ipv4).length)) : undefined;
    if (alias !== undefined && ip) {
      rules.set(alias, [...(rules.get(alias) ?? []), ...(kind === "rule" ? [fields] : [])]);
    } else if (kind === "rule" && chain === STAMP && ip) stamp = String(fields.comment ?? "");
    else if ((kind === "set" || kind === "map") && FAMILY_OF[fields.name as ChangingSet] === fields.family) {
      const found = list(fields.elem).map((item) => elementOf(fields.name as ChangingSet, item));
      elements.push(...found.filter((element) => element !== undefined));
      // an element that OCDD does not write is not counted as one of its own, but as a change of the constant part
      const foreign = found.filter((element) => element === undefined).length;
      constant.push(printed(kind, { ...fields, elem: foreign === 0 ? [] : foreign }));
    } else {
      if (kind === "set" && fields.name === "pool" && ip) pool.push(...list(fields.elem).flatMap(rangeOf));
      if (kind === "rule" && chain === "postrouting" && ip) subnets.push(...sourceOf(fields));
      constant.push(printed(kind, fields));
    }
  }
  return {
    frame: { pool: mergeRanges(pool), subnets },
    families,
    elements,
    policies: new Map([...rules].map(([alias, chain]) => [alias, parsePolicy(alias, chain)])),
    fingerprint: textVersion(constant.join("\n")),
    stamp,
  };
}

function objectsOf(text: string): Json[] {
  const { nftables } = record(JSON.parse(text));
  if (!Array.isArray(nftables)) throw new SyntaxError("no nftables listing");
  return nftables.map(record);
}

/** Handles and counters differ each time, and the order of a set's elements is the kernel's. */
function printed(kind: string, fields: Json): string {
  const elem = Array.isArray(fields.elem)
    ? fields.elem.map((one) => JSON.stringify(one)).sort()
    : fields.elem;
  const without = (key: string, value: unknown): unknown =>
    key === "handle" || key === "counter" || key === "index" ? undefined : value;
  return `${kind} ${JSON.stringify({ ...fields, elem }, without)}`;
}

function elementOf(set: ChangingSet, item: unknown): Element | undefined {
  const [key, value] = Array.isArray(item) ? item : [item, undefined];
  // an element with a comment is in an object of its own
  const { val = key, comment = "" } = record(record(key).elem);
  if (set === "bridge-ports") {
    const [mark, device] = list(record(val).concat);
    const alias = aliasOf(mark);
    const port = String(device);
    return alias === undefined || !isDevice(port) ? undefined : { set, alias, value: port };
  }
  const alias = parseIpv4(String(val));
  if (alias === undefined) return undefined;
  if (set === "leased") return { set, alias, value: String(comment) };
  if (set === "policies") {
    const { target } = record(record(value).goto);
    return target === policyChain(alias) ? { set, alias, value: "" } : undefined;
  }
  const target = parseIpv4(String(value));
  return target === undefined ? undefined : { set, alias, value: target };
}

/** A mark is printed as a number or in hexadecimal. */
function aliasOf(mark: unknown): Ipv4 | undefined {
  const number = Number(mark);
  return Number.isInteger(number) && number >= 0 && number <= 0xffffffff ? fromNumber(number) : undefined;
}

function rangeOf(item: unknown): Range[] {
  const { prefix, range } = record(item);
  const { addr, len } = record(prefix);
  const [first, last] = list(range);
  const ends = [parseIpv4(String(first)), parseIpv4(String(last))] as const;
  if (ends[0] !== undefined && ends[1] !== undefined) return [{ first: ends[0], last: ends[1] }];
  const found = parseCidr(prefix === undefined ? String(item) : `${addr}/${len}`);
  return found === undefined ? [] : [found];
}

/** The subnet of a rule of the masquerade. */
function sourceOf(rule: Json): Range[] {
  const { left, right } = record(record(list(rule.expr)[0]).match);
  return record(record(left).payload).field === "saddr" ? rangeOf(right) : [];
}

const PARTS: readonly Part[] = ["refusal", "hairpin", "redirect", "guard"];

/** The data path that the tables make; in guard mode without forwards, and its frame without subnets. */
export function dataPathOf(seen: TablesSeen | null, style: NftStyle): DataPath {
  if (seen === null) return { frame: null, forwards: [], damaged: [] };
  const intact = isWritten(seen, versionOf(seen.frame, style));
  const parts: readonly Part[] = style.mode === "full" ? PARTS : ["guard"];
  return {
    frame: seen.frame,
    forwards: style.mode === "full" ? forwardsOf(seen) : [],
    damaged: intact ? [] : parts,
  };
}

/** The bridge port of each alias with a lease; null where it has none. */
export function bridgePortsOf({ elements }: TablesSeen): Map<Ipv4, string | null> {
  const ports = new Map<Ipv4, string | null>();
  for (const { set, alias } of elements) if (set === "leased") ports.set(alias, null);
  for (const { set, alias, value } of elements)
    if (set === "bridge-ports" && ports.has(alias)) ports.set(alias, value);
  return ports;
}

/** The forwards that the tables themselves redirect: aliases with a lease and a target. */
export function forwardsOf(seen: TablesSeen): Forward[] {
  const of = (set: ChangingSet): Map<Ipv4, string> =>
    new Map(seen.elements.filter((element) => element.set === set).map(({ alias, value }) => [alias, value]));
  const [targets, chains] = [of("targets"), of("policies")];
  const ports = bridgePortsOf(seen);
  return [...of("leased")].flatMap(([alias, comment]): Forward[] => {
    const name = toName(comment);
    const target = targets.get(alias) as Ipv4 | undefined;
    // a packet passes the chain first
    const policy = chains.has(alias)
      ? seen.policies.get(alias)
      : target && { target, map: [], ports: null, allow: null };
    if (name === undefined || policy === undefined) return [];
    return [canonical({ name, alias, bridgePort: ports.get(alias) ?? null, ...policy })];
  });
}
