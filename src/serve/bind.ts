/** Keeps an endpoint bound: an address that cannot be bound is reported once and tried again. */
import type { Opened } from "../daemon/listener.ts";
import type { Say } from "../daemon/log.ts";
import { systemdRuns } from "../platform/systemd.ts";
import { type PortOwner, portOwner } from "./port-owner.ts";

/** Milliseconds between tries at an address that cannot be bound. */
const RETRY_MS = 3000;

/** Milliseconds before a socket that broke is opened again; one that breaks again within RETRY_MS waits that long. */
const REOPEN_MS = 20;

/** An endpoint that is bound, or tried again. */
export interface Binding {
  readonly address: string;
  readonly protocol: "udp" | "tcp";
  bound(): boolean;
  /** The process that has the address, where it could not be bound for that. */
  holder(): PortOwner | undefined;
  close(): Promise<void>;
}

/** A binding at a moment. */
export interface BindingState extends Pick<Binding, "address" | "protocol"> {
  readonly bound: boolean;
  readonly holder?: PortOwner | undefined;
}

/** What it is now. */
export const stateOf = ({ address, protocol, bound, holder }: Binding): BindingState => ({
  address,
  protocol,
  bound: bound(),
  holder: holder(),
});

/** Why an address cannot be bound. `systemd`: whether it runs here, and can hand over the ports. */
export function reason(
  error: NodeJS.ErrnoException,
  holder: PortOwner | undefined,
  systemd: boolean = systemdRuns(),
): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `is in use by ${holder?.text ?? "a process that cannot be seen from here"}`;
    case "EADDRNOTAVAIL":
      return "is not an address of this host yet";
    case "EACCES":
      return `permission denied: ports below 1024 need ${systemd ? "systemd (`ocdd initialize`, `systemctl restart ocdd-serve`)" : "root"} or CAP_NET_BIND_SERVICE`;
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
  let holder: PortOwner | undefined;
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
      holder = undefined;
      if (logged !== "") log("info", `${name} is bound now`);
      logged = "";
      void opened.failed.then((error) => reopen(opened, error));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      holder = code === "EADDRINUSE" ? await portOwner(protocol, address, port) : undefined;
      const why = reason(error as NodeJS.ErrnoException, holder);
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
    holder: () => holder,
    async close() {
      closed = true;
      clearTimeout(timer);
      await current?.close();
    },
  };
}
