import { portHolder } from "./port-owner.ts";

/** Milliseconds between tries at an address that cannot be bound. */
const AGAIN = 3000;

/** Milliseconds before a socket that broke is opened again; one that keeps breaking waits as long as AGAIN. */
const SOON = 20;

/** An endpoint that is bound, or being tried again. */
export interface Binding {
  readonly address: string;
  readonly protocol: "udp" | "tcp";
  bound(): boolean;
  close(): Promise<void>;
}

/** A socket that is open. `failed` settles when it breaks later on. */
export interface Opened {
  close(): Promise<void>;
  readonly failed: Promise<Error>;
}

/** Where a binding's news go. */
export type BindLog = (level: "info" | "warn" | "error", message: string) => void;

async function reason(error: NodeJS.ErrnoException, protocol: "udp" | "tcp", port: number): Promise<string> {
  switch (error.code) {
    case "EADDRINUSE": {
      const holder = await portHolder(protocol, port);
      return `is taken by ${holder ?? "a process that cannot be seen from here"}`;
    }
    case "EADDRNOTAVAIL":
      return "is no address of this host yet";
    case "EACCES":
      return "may not be bound: ports below 1024 take CAP_NET_BIND_SERVICE, or systemd to open them (`ocdd initialize` sets that up, `systemctl restart ocdd-serve` has it tried anew)";
    default:
      return `cannot be bound: ${error.message}`;
  }
}

/**
 * Keep one endpoint open: what cannot be bound is reported once with its reason and tried again for ever, and nothing
 * else waits for it. Resolves after the first try. `subject` begins each line of the log.
 */
export async function keepBound(
  protocol: "udp" | "tcp",
  address: string,
  port: number,
  open: () => Promise<Opened>,
  log: BindLog,
  subject = "",
): Promise<Binding> {
  const name = `${address.includes(":") ? `[${address}]` : address}:${port}/${protocol}`;
  let closed = false;
  let current: Opened | undefined;
  let timer: NodeJS.Timeout | undefined;
  let said = "";
  let broke = Number.NEGATIVE_INFINITY;
  const attempt = async (): Promise<void> => {
    try {
      const opened = await open();
      if (closed) return await opened.close();
      current = opened;
      if (said !== "") log("info", `${subject}${name} is bound now`);
      said = "";
      void opened.failed.then(async (error) => {
        if (closed) return;
        current = undefined;
        log("error", `${subject}${name} failed: ${error.message}; bound again`);
        const often = performance.now() - broke < AGAIN;
        broke = performance.now();
        // what is left of it would hold the address
        await opened.close();
        if (closed) return;
        timer = setTimeout(attempt, often ? AGAIN : SOON);
      });
    } catch (error) {
      const why = await reason(error as NodeJS.ErrnoException, protocol, port);
      if (why !== said) log("error", `${subject}${name} ${why}; tried again every ${AGAIN / 1000} s`);
      said = why;
      if (!closed) timer = setTimeout(attempt, AGAIN);
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
