/** Bridge port of a container: the host's end of its veth pair. Read from the kernel, where no container can write it. */
import { readFileSync } from "node:fs";
import { NETLINK_ROUTE, type Netlink, openNetlink } from "./netlink.ts";
import { attribute, attributes, DUMP, int32, type Message, REQUEST } from "./netlink-message.ts";
import { run } from "./run.ts";

const RTM_GETLINK = 18;
const RTM_GETNSID = 90;
const NETNSA_NSID = 1;
const NETNSA_PID = 2;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINK_NETNSID = 37;

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

/** Opens the search: by netlink where it loads, else with the programs ip and lsns, some 20 ms a container. */
export function openBridgePorts(): BridgePorts {
  const netlink = openNetlink(NETLINK_ROUTE);
  if ("reason" in netlink) return { find: findWithPrograms, close: () => undefined };
  const route = netlink.calls;
  return { find: async (wanted) => find(route, wanted), close: () => route.close() };
}

/**
 * The devices are read first: a port that is listed with the number of an earlier namespace has ended with it, and a rule
 * for it lets nothing through. In the opposite order the number could be another container's by the time of the list.
 */
function find(route: Netlink, wanted: readonly Wanted[]): Map<string, string> {
  const links = wanted.length === 0 ? [] : readLinks(route);
  return matched(wanted, links, (pid) => namespaceOf(route, pid));
}

function matched(
  wanted: readonly Wanted[],
  links: readonly Link[],
  namespaceOf: (pid: number) => number | undefined,
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
    if (namespace === undefined || !isOfContainer(pid, id)) continue;
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
  const body = Buffer.concat([Buffer.alloc(4), attribute(NETNSA_PID, int32(pid))]);
  try {
    const reply = route.ask([{ type: RTM_GETNSID, flags: REQUEST, body }]).messages[0];
    const number =
      reply === undefined ? undefined : attributes(reply.body.subarray(4)).get(NETNSA_NSID)?.readInt32LE(0);
    return number === undefined || number < 0 ? undefined : number;
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

/** Tries of a dump that other changes interrupt; the last counts: a port that it lacks is found by the next search. */
const TRIES = 5;

function readLinks(route: Netlink): Link[] {
  const question: Message = { type: RTM_GETLINK, flags: REQUEST | DUMP, body: Buffer.alloc(16) };
  let replies = route.ask([question]);
  for (let tries = 1; replies.interrupted && tries < TRIES; tries++) replies = route.ask([question]);
  return replies.messages.map(({ body }) => {
    const found = attributes(body.subarray(16));
    return {
      name: (found.get(IFLA_IFNAME)?.toString("latin1") ?? "").replace(/\0.*$/s, ""),
      index: body.readInt32LE(4),
      master: found.get(IFLA_MASTER)?.readInt32LE(0),
      namespace: found.get(IFLA_LINK_NETNSID)?.readInt32LE(0),
    };
  });
}

/** The same result without netlink. */
export async function findWithPrograms(wanted: readonly Wanted[]): Promise<Map<string, string>> {
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
  return matched(wanted, links, (pid) => namespaces.get(pid));
}

async function namespaceByProgram(pid: number): Promise<number | undefined> {
  const { stdout } = await run(["lsns", "-t", "net", "-p", String(pid), "-J", "-o", "NS,PID,NETNSID"], {
    ok: [0, 1],
  });
  const number = /"netnsid"\s*:\s*"?(\d+)"?/.exec(stdout)?.[1];
  return number === undefined ? undefined : Number(number);
}
