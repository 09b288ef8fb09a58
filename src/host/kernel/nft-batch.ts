/** Changes of set elements as one nf_tables transaction by netlink: the kernel takes all of it or nothing. */
import { type Ipv4, toNumber } from "../../core/addresses/ipv4.ts";
import { policyChain } from "../../core/forwards/nft-chains.ts";
import type { ChangingSet, Element, ElementChange } from "../../core/forwards/nft-elements.ts";
import { FAMILY_OF } from "../../core/forwards/nft-elements.ts";
import { TABLE } from "../../core/forwards/nft-table-name.ts";
import type { Netlink } from "./netlink.ts";
import { ACK, attribute, CREATE, type Message, NESTED, REQUEST, text } from "./netlink-message.ts";

// linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h
const NFTABLES = 10;
const BATCH_BEGIN = 16;
const BATCH_END = 17;
const NEWSETELEM = (NFTABLES << 8) | 12;
const DELSETELEM = (NFTABLES << 8) | 14;
const LIST_TABLE = 1;
const LIST_SET = 2;
const LIST_ELEMENTS = 3;
const LIST_ELEM = 1;
const ELEM_KEY = 1;
const ELEM_DATA = 2;
const ELEM_USERDATA = 6;
const DATA_VALUE = 1;
const DATA_VERDICT = 2;
const VERDICT_CODE = 1;
const VERDICT_CHAIN = 2;
const NFT_GOTO = -4;
const NFPROTO = { ip: 2, bridge: 7 } as const;
const IFNAMSIZ = 16;

/** Elements of one message: the length of an attribute has 16 bits. */
const MOST_ELEMENTS = 400;

/** Carries out a change of elements; the chains that they lead to exist. Throws NetlinkError; nothing has changed then. */
export function commitElements(netlink: Netlink, { gone, added }: ElementChange): void {
  const steps = [
    ...messages(gone, DELSETELEM, REQUEST | ACK),
    ...messages(added, NEWSETELEM, REQUEST | ACK | CREATE),
  ];
  if (steps.length === 0) return;
  const bracket = (type: number): Message => ({ type, flags: REQUEST, body: header(0, NFTABLES) });
  netlink.ask([bracket(BATCH_BEGIN), ...steps, bracket(BATCH_END)], steps.length);
}

function messages(elements: readonly Element[], type: number, flags: number): Message[] {
  const sets = new Map<ChangingSet, Element[]>();
  for (const element of elements) sets.set(element.set, [...(sets.get(element.set) ?? []), element]);
  return [...sets].flatMap(([set, list]) => {
    const count = Math.ceil(list.length / MOST_ELEMENTS);
    const parts = Array.from({ length: count }, (_, i) =>
      list.slice(i * MOST_ELEMENTS, (i + 1) * MOST_ELEMENTS),
    );
    return parts.map((part) => ({
      type,
      flags,
      body: Buffer.concat([
        header(NFPROTO[FAMILY_OF[set]], 0),
        attribute(LIST_TABLE, text(TABLE)),
        attribute(LIST_SET, text(set)),
        attribute(LIST_ELEMENTS | NESTED, Buffer.concat(part.map((one) => encode(one, type === NEWSETELEM)))),
      ]),
    }));
  });
}

function encode({ set, alias, value }: Element, whole: boolean): Buffer {
  const data = (octets: Buffer): Buffer => attribute(DATA_VALUE, octets);
  const key = set === "bridge-ports" ? Buffer.concat([mark(alias), device(value)]) : address(alias);
  const parts = [attribute(ELEM_KEY | NESTED, data(key))];
  if (whole && set === "targets") parts.push(attribute(ELEM_DATA | NESTED, data(address(value as Ipv4))));
  if (whole && set === "policies") parts.push(attribute(ELEM_DATA | NESTED, goto(alias)));
  if (whole && set === "leased" && value !== "") parts.push(attribute(ELEM_USERDATA, comment(value)));
  return attribute(LIST_ELEM | NESTED, Buffer.concat(parts));
}

function goto(alias: Ipv4): Buffer {
  const code = Buffer.alloc(4);
  code.writeInt32BE(NFT_GOTO);
  const verdict = [attribute(VERDICT_CODE, code), attribute(VERDICT_CHAIN, text(policyChain(alias)))];
  return attribute(DATA_VERDICT | NESTED, Buffer.concat(verdict));
}

/** A comment as nft stores it: type 0, length, text with its NUL. */
function comment(value: string): Buffer {
  const octets = text(value);
  return Buffer.concat([Buffer.from([0, octets.length]), octets]);
}

const header = (family: number, resource: number): Buffer =>
  Buffer.from([family, 0, resource >> 8, resource & 0xff]);

function address(value: Ipv4): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(toNumber(value));
  return octets;
}

/** In the machine's order of octets, which is the lowest first on x86 and ARM. */
function mark(alias: Ipv4): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32LE(toNumber(alias));
  return octets;
}

function device(name: string): Buffer {
  const octets = Buffer.alloc(IFNAMSIZ);
  octets.write(name.slice(0, IFNAMSIZ - 1), "latin1");
  return octets;
}
