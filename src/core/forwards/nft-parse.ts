/** What `nft -j list table` prints of OCDD's tables → the elements in force, and whether the constant part is untouched. */
import { fromNumber, type Ipv4, parseIpv4 } from "../addresses/ipv4.ts";
import { textVersion } from "../text.ts";
import { STAMP } from "./nft.ts";
import { isPolicyChain } from "./nft-chains.ts";
import type { ChangingSet, Element } from "./nft-elements.ts";

/** Both tables as one look found them. */
export interface TablesSeen {
  readonly elements: readonly Element[];
  /**
   * Of the constant part as the kernel lists it. It is compared with what the kernel listed right after the tables were
   * written, because no program prints a rule as it was written, and each version prints it in its own way.
   */
  readonly fingerprint: string;
  /** What `renderStamp` has left: of the text that was written, and of its listing; empty when there is none. */
  readonly stamp: string;
}

type Json = Readonly<Record<string, unknown>>;

const CHANGING: ReadonlySet<string> = new Set<ChangingSet>(["leased", "targets", "chains", "bridge-ports"]);

/** `listings`: the documents for the ip and the bridge table. Throws SyntaxError for what is no listing. */
export function parseTables(listings: readonly string[]): TablesSeen {
  const objects = listings.flatMap(objectsOf);
  const elements: Element[] = [];
  const constant: unknown[] = [];
  let stamp = "";
  for (const object of objects) {
    const [kind, value] = Object.entries(object)[0] ?? ["", {}];
    const fields = record(value);
    if (kind === "metainfo") continue;
    const chain = String(kind === "chain" ? fields.name : (fields.chain ?? ""));
    if (isPolicyChain(chain)) continue;
    if (kind === "rule" && chain === STAMP) {
      stamp = String(fields.comment ?? "");
      continue;
    }
    const changes = (kind === "set" || kind === "map") && CHANGING.has(String(fields.name));
    if (changes) elements.push(...elementsOf(fields.name as ChangingSet, fields.elem));
    constant.push({ kind, ...(changes ? { ...fields, elem: undefined } : fields) });
  }
  return { elements, fingerprint: textVersion(JSON.stringify(constant, withoutState)), stamp };
}

/** Handles and counters differ each time. */
function withoutState(key: string, value: unknown): unknown {
  return key === "handle" || key === "counter" || key === "index" ? undefined : value;
}

function objectsOf(text: string): Json[] {
  const { nftables } = record(JSON.parse(text));
  if (!Array.isArray(nftables)) throw new SyntaxError("no nftables listing");
  return nftables.map(record);
}

function elementsOf(set: ChangingSet, list: unknown): Element[] {
  return (Array.isArray(list) ? list : []).flatMap((item): Element[] => {
    const [key, value] = Array.isArray(item) ? item : [item, undefined];
    // an element with a comment or a counter stands in an object of its own
    const { val = key, comment = "" } = record(record(key).elem);
    if (set === "bridge-ports") {
      const [mark, port] = list2(record(val).concat);
      const alias = aliasOf(mark);
      return alias === undefined ? [] : [{ set, alias, value: String(port) }];
    }
    const alias = parseIpv4(String(val));
    if (alias === undefined) return [];
    if (set === "leased") return [{ set, alias, value: String(comment) }];
    if (set === "chains") return [{ set, alias, value: "" }];
    const target = parseIpv4(String(value));
    return target === undefined ? [] : [{ set, alias, value: target }];
  });
}

/** A mark is printed as a number or in hexadecimal. */
function aliasOf(mark: unknown): Ipv4 | undefined {
  const number = Number(mark);
  return Number.isInteger(number) && number >= 0 && number <= 0xffffffff ? fromNumber(number) : undefined;
}

const record = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const list2 = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
