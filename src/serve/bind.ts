/** Keeps an endpoint bound: an address that cannot be bound is reported once and tried again. */
import type { Opened } from "../daemon/listener.ts";
import type { Say } from "../daemon/log.ts";
import { portOwner } from "./port-owner.ts";

/** Milliseconds between tries at an address that cannot be bound. */
const RETRY_MS = 3000;

/** Milliseconds before a socket that broke is opened again; one that breaks again within RETRY_MS waits that long. */
const REOPEN_MS = 20;

/** An endpoint that is bound, or tried again. */
export interface Binding {
  readonly address: string;
  readonly protocol: "udp" | "tcp";
  bound(): boolean;
  close(): Promise<void>;
}

async function reason(error: NodeJS.ErrnoException, protocol: "udp" | "tcp", port: number): Promise<string> {
  switch (error.code) {
    case "EADDRINUSE":
      return `is in use by ${(await portOwner(protocol, port)) ?? "a process that cannot be seen from here"}`;
    case "EADDRNOTAVAIL":
      return "is not an address of this host yet";
    case "EACCES":
      return "permission denied: ports below 1024 need systemd (`ocdd initialize`, `systemctl restart ocdd-serve`) or CAP_NET_BIND_SERVICE";
    default:
      return `cannot be bound: ${error.message}`;
  }
}

/** `192.0.2.1:53/udp`, `[2001:db8::1]:53/tcp`. */
export function endpointName(address: string, port: number, protocol: "udp" | "tcp"): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}/${protocol}`;
}

/** Bind one endpoint and keep it bound; nothing else waits for it. Resolves after the first try. */
export async function bindWithRetry(
  protocol: "udp" | "tcp",
  address: string,
  port: number,
  open: () => Promise<Opened>,
  log: Say,
): Promise<Binding> {
  const name = endpointName(address, port, protocol);
  let closed = false;
  let current: Opened | undefined;
  let timer: NodeJS.Timeout | undefined;
  let logged = "";
  let broke = Number.NEGATIVE_INFINITY;
  const reopen = async (opened: Opened, error: Error): Promise<void> => {
    if (closed) return;
    current = undefined;
    log("error", `${name} failed: ${error.message}; binding it again`);
    const often = performance.now() - broke < RETRY_MS;
    broke = performance.now();
    // an open rest of it would keep the address
    await opened.close();
    if (!closed) timer = setTimeout(attempt, often ? RETRY_MS : REOPEN_MS);
  };
  const attempt = async (): Promise<void> => {
    try {
      const opened = await open();
      if (closed) return await opened.close();
      current = opened;
      if (logged !== "") log("info", `${name} is bound now`);
      logged = "";
      void opened.failed.then((error) => reopen(opened, error));
    } catch (error) {
      const why = await reason(error as NodeJS.ErrnoException, protocol, port);
      if (why !== logged) log("error", `${name} ${why}; trying again every ${RETRY_MS / 1000} s`);
      logged = why;
      if (!closed) timer = setTimeout(attempt, RETRY_MS);
    }
  };
  await attempt();
  return {
    address,
    protocol,
    bound: () => current !== undefined,
    async close() {
      closed = true;
      clearTimeout(timer);
      await current?.close();
    },
  };
}
