/** Sockets that the service manager opened for us: it keeps them while we restart, so that no query is lost meanwhile. */
import { readlink } from "node:fs/promises";
import { socketTable } from "./dns/socket-table.ts";

/** First descriptor handed over (SD_LISTEN_FDS_START, sd_listen_fds(3)). */
const FIRST = 3;

/** Sockets handed over, by endpoint. */
export interface Handed {
  /** The descriptor of the socket bound there, or undefined when we were given none. Whoever asks uses it from then on. */
  of(protocol: "tcp" | "udp", address: string, port: number): number | undefined;
  /** Endpoints that nobody has asked for so far: `192.0.2.1:53/udp`. */
  unclaimed(): string[];
}

/** Nothing was handed over. */
export const NONE_HANDED: Handed = { of: () => undefined, unclaimed: () => [] };

/**
 * What LISTEN_FDS and LISTEN_PID of the environment hand to the process `pid` (sd_listen_fds(3)). Where a socket is bound
 * is read from the kernel, not from its name: no order and no naming of the units has to be kept.
 */
export async function handedSockets(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): Promise<Handed> {
  const count = Number(environment.LISTEN_FDS ?? 0);
  // they may have been meant for whoever started us
  if (environment.LISTEN_PID !== String(pid) || !Number.isInteger(count) || count < 1) return NONE_HANDED;
  const descriptors = new Map<string, number>();
  for (let fd = FIRST; fd < FIRST + count; fd++)
    descriptors.set(await readlink(`/proc/self/fd/${fd}`).catch(() => ""), fd);
  const endpoints = new Map<string, number>();
  for (const protocol of ["udp", "tcp"] as const) {
    for (const { inode, address, port } of await socketTable(protocol)) {
      const fd = descriptors.get(`socket:[${inode}]`);
      if (fd !== undefined) endpoints.set(`${address}:${port}/${protocol}`, fd);
    }
  }
  const claimed = new Set<string>();
  return {
    of(protocol, address, port) {
      const endpoint = `${address}:${port}/${protocol}`;
      claimed.add(endpoint);
      return endpoints.get(endpoint);
    },
    unclaimed: () => [...endpoints.keys()].filter((endpoint) => !claimed.has(endpoint)),
  };
}
