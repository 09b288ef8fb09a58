/** Bridge port of a container: the host's end of its veth pair. Read from the kernel, where no container can write it. */
import { existsSync, readFileSync } from "node:fs";
import type { Loaded } from "../../platform/libc.ts";
import {
  IFLA_IFNAME,
  IFLA_LINK,
  IFLA_LINK_NETNSID,
  IFLA_MASTER,
  IFLA_TARGET_NETNSID,
  LINK_HEADER,
  linkQuestion,
  listed,
} from "./link-message.ts";
import { NETLINK_ROUTE, type Netlink, NetlinkError, openNetlink } from "./netlink.ts";
import { attribute, DUMP, int32, type Message, REQUEST, seek, text } from "./netlink-message.ts";
import { type Argv, run } from "./run.ts";

const RTM_GETNSID = 90;
const NETNSA_NSID = 1;
const NETNSA_PID = 2;
/** Octets of struct rtgenmsg, in front of the attributes. */
const NSID_HEADER = 4;

/** A container as Docker reported it before the call. */
export interface Wanted {
  readonly id: string;
  /** Of its first process. */
  readonly pid: number;
  /** Name of the bridge device of its network. */
  readonly bridge: string;
}

/** Finds bridge ports; keeps one socket. */
export interface BridgePorts {
  /** Name of the port by container id; one that has ended, or has no port on that bridge, is left out. Throws NetlinkError or HostError. */
  find(wanted: readonly Wanted[]): Promise<ReadonlyMap<string, string>>;
  close(): void;
}

interface Link {
  readonly name: string;
  readonly index: number;
  /** Of the bridge it is a port of. */
  readonly master: number | string | undefined;
  /** The kernel's number for the network namespace of its other end; undefined while that end is in this one. */
  readonly namespace: number | undefined;
}

/** Whether a process is in the control group of a container. */
type IsOf = (pid: number, id: string) => boolean;

/** Opens the search: by netlink where it loads, else with the programs ip and lsns, some 20 ms a container. */
export function openBridgePorts(
  netlink: Loaded<Netlink> = openNetlink(NETLINK_ROUTE),
  isOf: IsOf = isOfContainer,
): BridgePorts {
  if ("reason" in netlink)
    return { find: (wanted) => findWithPrograms(wanted, isOf), close: () => undefined };
  const route = netlink.calls;
  return { find: (wanted) => find(route, wanted, isOf), close: () => route.close() };
}

/** For more containers than so many one list of all devices takes less time. */
const FEW = 8;

/**
 * The devices are read first: a port that is listed with the number of an earlier namespace has ended with it, and a rule
 * for it lets nothing through. In the opposite order the number could be another container's by the time of the list.
 */
async function find(route: Netlink, wanted: readonly Wanted[], isOf: IsOf): Promise<Map<string, string>> {
  if (wanted.length === 0) return new Map();
  const links = (wanted.length > FEW ? undefined : linksOf(route, wanted)) ?? (await readLinks(route));
  return matched(wanted, links, (pid) => namespaceOf(route, pid), isOf);
}

function matched(
  wanted: readonly Wanted[],
  links: readonly Link[],
  namespaceOf: (pid: number) => number | undefined,
  isOf: IsOf,
): Map<string, string> {
  const ports = new Map<string, Link[]>();
  for (const link of links) {
    if (link.master === undefined || link.namespace === undefined) continue;
    const key = `${link.master} ${link.namespace}`;
    ports.set(key, [...(ports.get(key) ?? []), link]);
  }
  const bridges = new Map(links.flatMap(({ name, index }) => [[name, index] as const]));
  const found = new Map<string, string>();
  for (const { id, pid, bridge } of wanted) {
    const namespace = namespaceOf(pid);
    // Docker reported the PID before, this confirms it after: in between it was no other process's
    if (namespace === undefined || !isOf(pid, id)) continue;
    const here =
      ports.get(`${bridges.get(bridge)} ${namespace}`) ?? ports.get(`${bridge} ${namespace}`) ?? [];
    const [port] = here;
    // two ports come from another program: which is the container's is not known
    if (port !== undefined && here.length === 1) found.set(id, port.name);
  }
  return found;
}

/** By PID and not by /proc/PID/ns/net, which needs the privilege to trace other users' processes. */
function namespaceOf(route: Netlink, pid: number): number | undefined {
  const body = Buffer.concat([Buffer.alloc(NSID_HEADER), attribute(NETNSA_PID, int32(pid))]);
  try {
    const reply = route.ask([{ type: RTM_GETNSID, flags: REQUEST, body }]).messages[0];
    const at = reply === undefined ? -1 : seek(reply.body, NSID_HEADER, [NETNSA_NSID], 4);
    const number = at < 0 ? -1 : (reply?.body.readInt32LE(at) ?? -1);
    return number < 0 ? undefined : number;
  } catch {
    // the process has ended
    return undefined;
  }
}

function isOfContainer(pid: number, id: string): boolean {
  try {
    return id.length >= 12 && readFileSync(`/proc/${pid}/cgroup`, "latin1").includes(id);
  } catch {
    return false;
  }
}

/** A port that an interrupted list lacks is found by the next search. */
const readLinks = async (route: Netlink): Promise<Link[]> =>
  (await listed(route, linkQuestion(DUMP))).map(linkOf);

/**
 * The bridges, and what is at the other end of the devices of each container: a few questions a container, however many
 * devices the host has. Undefined where the kernel does not list another namespace's devices: before Linux 4.15, or where the
 * namespace has gone.
 */
function linksOf(route: Netlink, wanted: readonly Wanted[]): Link[] | undefined {
  const links = [...new Set(wanted.map(({ bridge }) => bridge))].flatMap((bridge) =>
    asked(route, linkQuestion(0, attribute(IFLA_IFNAME, text(bridge)))),
  );
  for (const { pid } of wanted) {
    const namespace = namespaceOf(route, pid);
    if (namespace === undefined) continue;
    const inside = asked(route, linkQuestion(DUMP, attribute(IFLA_TARGET_NETNSID, int32(namespace))));
    // a kernel that does not know the attribute lists this namespace's devices
    if (inside.length === 0 || inside.some((body) => seek(body, LINK_HEADER, [IFLA_TARGET_NETNSID], 4) < 0))
      return undefined;
    for (const body of inside) {
      const at = seek(body, LINK_HEADER, [IFLA_LINK], 4);
      if (at >= 0) links.push(...asked(route, linkQuestion(0, Buffer.alloc(0), body.readInt32LE(at))));
    }
  }
  return links.map(linkOf);
}

/** The devices of an answer; none where the kernel refuses, as for a device or a namespace that has gone. */
function asked(route: Netlink, question: Message): Buffer[] {
  try {
    return route.ask([question]).messages.map(({ body }) => body);
  } catch (error) {
    if (error instanceof NetlinkError) return [];
    throw error;
  }
}

function linkOf(body: Buffer): Link {
  const number = (type: number): number | undefined => {
    const at = seek(body, LINK_HEADER, [type], 4);
    return at < 0 ? undefined : body.readInt32LE(at);
  };
  const name = seek(body, LINK_HEADER, [IFLA_IFNAME], 1);
  return {
    name: name < 0 ? "" : body.toString("latin1", name, body.indexOf(0, name)),
    index: body.readInt32LE(4),
    master: number(IFLA_MASTER),
    namespace: number(IFLA_LINK_NETNSID),
  };
}

/** The same result without netlink. */
async function findWithPrograms(wanted: readonly Wanted[], isOf: IsOf): Promise<Map<string, string>> {
  if (wanted.length === 0) return new Map();
  const { stdout } = await run(["ip", "-json", "-details", "link"]);
  const links = (JSON.parse(stdout) as Record<string, unknown>[]).map((link) => ({
    name: String(link.ifname),
    index: Number(link.ifindex),
    master: link.master === undefined ? undefined : String(link.master),
    namespace: typeof link.link_netnsid === "number" ? link.link_netnsid : undefined,
  }));
  const namespaces = new Map<number, number | undefined>();
  for (const { pid } of wanted) namespaces.set(pid, await namespaceByProgram(pid));
  return matched(wanted, links, (pid) => namespaces.get(pid), isOf);
}

/** lsns fails without a word when any process ends while it reads /proc: it is asked again. */
const LSNS_TRIES = 8;

async function namespaceByProgram(pid: number): Promise<number | undefined> {
  const argv: Argv = ["lsns", "-t", "net", "-p", String(pid), "-J", "-o", "NS,PID,NETNSID"];
  for (let tries = 0; tries < LSNS_TRIES && existsSync(`/proc/${pid}`); tries++) {
    const { stdout } = await run(argv, { ok: [0, 1] });
    if (stdout.trim() === "") continue;
    const number = /"netnsid"\s*:\s*"?(\d+)"?/.exec(stdout)?.[1];
    return number === undefined ? undefined : Number(number);
  }
  return undefined;
}
