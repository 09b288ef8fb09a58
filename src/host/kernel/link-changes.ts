/** Changes of devices: aliases, and the hairpin mode of bridge ports. */
import { getSystemErrorName } from "node:util";
import { toNumber } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import type { DeviceAddress } from "../../core/model.ts";
import type { Loaded } from "../../platform/libc.ts";
import {
  ADDRESS_HEADER,
  AF_BRIDGE,
  AF_INET,
  IFA_ADDRESS,
  IFA_LABEL,
  IFA_LOCAL,
  IFLA_BRPORT_MODE,
  IFLA_IFNAME,
  IFLA_PROTINFO,
  LINK_HEADER,
  linkQuestion,
  RTM_DELADDR,
  RTM_NEWADDR,
  RTM_SETLINK,
} from "./link-message.ts";
import { NETLINK_ROUTE, type Netlink, NetlinkError, openNetlink } from "./netlink.ts";
import { ACK, attribute, CREATE, type Message, NESTED, REPLACE, REQUEST, text } from "./netlink-message.ts";
import { NEEDS_PRIVILEGE, run, trace } from "./run.ts";

/** Each call may be repeated: one that was cut short is completed by the next run. All throw HostError. */
export interface LinkChanges {
  add(aliases: readonly DeviceAddress[]): Promise<void>;
  /** One that is gone already is no failure; the others are removed although one cannot be. */
  remove(aliases: readonly DeviceAddress[]): Promise<void>;
  /** A port that is gone with its container is no failure. */
  setHairpin(ports: readonly string[], mode: "on" | "off"): Promise<void>;
  close(): void;
}

/** By netlink where it loads: to start a program takes a process of this size longer than the change itself. Else by `ip`. */
export function openLinkChanges(netlink: Loaded<Netlink> = openNetlink(NETLINK_ROUTE)): LinkChanges {
  return "reason" in netlink ? byProgram : byNetlink(netlink.calls);
}

/** `ip` for a host without netlink calls: one process for all changes of a kind. */
const byProgram: LinkChanges = {
  add: (aliases) =>
    batch(aliases.map((a) => `addr replace ${a.address}/32 dev ${a.device} label ${a.label}`)),
  remove: (aliases) =>
    batch(
      aliases.map((a) => `addr del ${a.address}/32 dev ${a.device}`),
      /Cannot assign requested address|Address not found|Cannot find device/,
    ),
  setHairpin: (ports, mode) =>
    batch(
      ports.map((port) => `link set dev ${port} type bridge_slave hairpin ${mode}`),
      /Cannot find device|does not exist|No such device|Invalid argument|Operation not supported/,
    ),
  close: () => undefined,
};

/** `tolerated`: messages of lines that may fail without stopping the others. */
async function batch(lines: readonly string[], tolerated?: RegExp): Promise<void> {
  if (lines.length === 0) return;
  const input = `${lines.join("\n")}\n`;
  if (tolerated === undefined) {
    await run(["ip", "-batch", "-"], { input });
    return;
  }
  const result = await run(["ip", "-force", "-batch", "-"], { input, ok: [0, 1] });
  if (result.code === 0) return;
  const bad = result.stderr
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("Command failed") && !tolerated.test(line));
  if (bad.length > 0)
    throw new HostError("command", `ip failed: ${bad[0]}`, { cause: { lines, stderr: result.stderr } });
}

const ENODEV = 19;
const EINVAL = 22;
const EOPNOTSUPP = 95;
const EADDRNOTAVAIL = 99;

/** Changes after which other work of this process has its turn. */
const AT_ONCE = 64;

/** One change, in the words of `ip`. The message is made when its turn has come: it needs the device's number. */
interface Change {
  readonly words: string;
  readonly message: () => Message;
}

function byNetlink(route: Netlink): LinkChanges {
  const indexOf = (device: string): number => {
    const question = linkQuestion(0, attribute(IFLA_IFNAME, text(device)));
    return route.ask([question]).messages[0]?.body.readInt32LE(4) ?? 0;
  };
  /** Makes each change. Throws the first refusal that is not `tolerated` once all have been tried. */
  const make = async (changes: readonly Change[], tolerated: readonly number[] = []): Promise<void> => {
    let failure: HostError | undefined;
    for (const [i, { words, message }] of changes.entries()) {
      if (i % AT_ONCE === AT_ONCE - 1) await new Promise(setImmediate);
      const errno = attempt(() => route.ask([message()]));
      trace(`netlink: ${words}${errno === 0 ? "" : ` (${getSystemErrorName(-errno)})`}`);
      if (errno !== 0 && !tolerated.includes(errno)) failure ??= refusal(words, errno);
    }
    if (failure !== undefined) throw failure;
  };
  return {
    add: (aliases) =>
      make(
        aliases.map((a) => ({
          words: `addr replace ${a.address}/32 dev ${a.device} label ${a.label}`,
          message: () => addressMessage(RTM_NEWADDR, REQUEST | ACK | CREATE | REPLACE, indexOf(a.device), a),
        })),
      ),
    remove: (aliases) =>
      make(
        aliases.map((a) => ({
          words: `addr del ${a.address}/32 dev ${a.device}`,
          message: () => addressMessage(RTM_DELADDR, REQUEST | ACK, indexOf(a.device), a),
        })),
        [ENODEV, EADDRNOTAVAIL],
      ),
    setHairpin: (ports, mode) =>
      make(
        ports.map((port) => ({
          words: `link set dev ${port} type bridge_slave hairpin ${mode}`,
          message: () => hairpinMessage(indexOf(port), mode),
        })),
        [ENODEV, EINVAL, EOPNOTSUPP],
      ),
    close: () => route.close(),
  };
}

/** The kernel's errno; 0 when it did what was asked. */
function attempt(ask: () => unknown): number {
  try {
    ask();
    return 0;
  } catch (error) {
    if (error instanceof NetlinkError) return error.errno;
    throw error;
  }
}

function refusal(words: string, errno: number): HostError {
  const name = getSystemErrorName(-errno);
  const denied = name === "EPERM" || name === "EACCES";
  return new HostError(denied ? "privilege" : "command", `the kernel refused "${words}": ${name}`, {
    cause: { words, errno },
    ...(denied ? { remedy: NEEDS_PRIVILEGE } : {}),
  });
}

/** struct ifaddrmsg, and its attributes. A removal names no label: an alias of the same address is the same one. */
function addressMessage(type: number, flags: number, index: number, alias: DeviceAddress): Message {
  const header = Buffer.alloc(ADDRESS_HEADER);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt8(32, 1);
  header.writeInt32LE(index, 4);
  const address = Buffer.alloc(4);
  address.writeUInt32BE(toNumber(alias.address));
  const label = type === RTM_NEWADDR ? [attribute(IFA_LABEL, text(alias.label))] : [];
  const body = [header, attribute(IFA_LOCAL, address), attribute(IFA_ADDRESS, address), ...label];
  return { type, flags, body: Buffer.concat(body) };
}

/** struct ifinfomsg of the bridge family, and the port's mode. */
function hairpinMessage(index: number, mode: "on" | "off"): Message {
  const header = Buffer.alloc(LINK_HEADER);
  header.writeUInt8(AF_BRIDGE, 0);
  header.writeInt32LE(index, 4);
  const value = attribute(IFLA_BRPORT_MODE, Buffer.from([mode === "on" ? 1 : 0]));
  const body = Buffer.concat([header, attribute(IFLA_PROTINFO | NESTED, value)]);
  return { type: RTM_SETLINK, flags: REQUEST | ACK, body };
}
