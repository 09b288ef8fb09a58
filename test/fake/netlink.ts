/** nf_tables by netlink in memory: a transaction of elements, read back into the words of `nft -f`. */
import { type Netlink, NetlinkError } from "../../src/host/kernel/netlink.ts";
import type { Message } from "../../src/host/kernel/netlink-message.ts";
import { attributes } from "../../src/host/kernel/netlink-message.ts";
import type { FakeNft } from "./nft.ts";

// linux/netfilter/nf_tables.h
const NEWSETELEM = (10 << 8) | 12;
const DELSETELEM = (10 << 8) | 14;
const FAMILIES: Readonly<Record<number, string>> = { 2: "ip", 7: "bridge" };
const ENOENT = 2;

/** `call` carries out a function as a call of the director's. */
export function fakeNetlink(nft: FakeNft, call: (name: string, deed: () => void) => void): Netlink {
  return {
    ask(messages) {
      const input = messages.map(commandOf).join("");
      call(`netlink ${input}`, () => {
        try {
          nft.apply(input);
        } catch (error) {
          throw new NetlinkError(ENOENT, (error as Error).message);
        }
      });
      return { messages: [], interrupted: false };
    },
    list: () => undefined,
    listInTurns: async () => false,
    port: () => 0,
    close: () => undefined,
  };
}

function commandOf({ type, body }: Message): string {
  if (type !== NEWSETELEM && type !== DELSETELEM) return "";
  const found = attributes(body.subarray(4));
  const text = (attribute: number): string => textOf(found.get(attribute));
  const verb = type === NEWSETELEM ? "add" : "delete";
  const elements = inOrder(found.get(3)).map((one) => elementOf(text(2), one));
  return `${verb} element ${FAMILIES[body[0] ?? 0]} ${text(1)} ${text(2)} { ${elements.join(", ")} }\n`;
}

/** Attributes that are all of one type. */
function inOrder(body: Buffer = Buffer.alloc(0)): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 4 <= body.length; at += (body.readUInt16LE(at) + 3) & ~3)
    found.push(body.subarray(at + 4, at + body.readUInt16LE(at)));
  return found;
}

function elementOf(set: string, body: Buffer): string {
  const found = attributes(body);
  const inner = (attribute: number): Map<number, Buffer> =>
    attributes(found.get(attribute) ?? Buffer.alloc(0));
  const key = inner(1).get(1) ?? Buffer.alloc(0);
  if (set === "bridge-ports")
    return `0x${key.readUInt32LE(0).toString(16).padStart(8, "0")} . "${textOf(key.subarray(4))}"`;
  const alias = [...key].join(".");
  const [value, verdict, comment] = [inner(2).get(1), inner(2).get(2), found.get(6)];
  if (value !== undefined) return `${alias} : ${[...value].join(".")}`;
  if (verdict !== undefined) return `${alias} : goto ${textOf(attributes(verdict).get(2))}`;
  // type and length come before a comment
  return comment === undefined ? alias : `${alias} comment "${textOf(comment.subarray(2))}"`;
}

const textOf = (octets: Buffer = Buffer.alloc(0)): string => octets.toString("latin1").replace(/\0.*$/s, "");
