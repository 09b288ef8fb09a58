/** Socket activation: the service manager opens the sockets and keeps them over a restart, so that no query is lost. */
import { readlink } from "node:fs/promises";
import { socketTable } from "./dns/socket-table.ts";

/** First descriptor that is passed (sd_listen_fds(3)). */
const SD_LISTEN_FDS_START = 3;

/** Sockets that were passed, by endpoint. */
export interface ActivatedSockets {
  /** Descriptor of the socket bound there, which counts as used from then on; undefined when none was passed. */
  of(protocol: "tcp" | "udp", address: string, port: number): number | undefined;
  /** Endpoints not asked for so far: `192.0.2.1:53/udp`. */
  unused(): string[];
}

/** No socket was passed. */
export const NO_ACTIVATED_SOCKETS: ActivatedSockets = { of: () => undefined, unused: () => [] };

/**
 * The sockets that LISTEN_FDS and LISTEN_PID of the environment pass to the process `pid` (sd_listen_fds(3)). Where a socket is bound
 * is read from the kernel, not from its name: no order and no naming of the units has to be kept.
 */
export async function activatedSockets(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): Promise<ActivatedSockets> {
  const count = Number(environment.LISTEN_FDS ?? 0);
  // they may have been meant for the parent process
  if (environment.LISTEN_PID !== String(pid) || !Number.isInteger(count) || count < 1)
    return NO_ACTIVATED_SOCKETS;
  const descriptors = new Map<string, number>();
  for (let fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++)
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
    unused: () => [...endpoints.keys()].filter((endpoint) => !claimed.has(endpoint)),
  };
}
