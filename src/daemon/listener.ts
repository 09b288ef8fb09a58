/** A TCP listener for DNS and HTTP: bound here or by the service manager, drained before it closes. */
import { type AddressInfo, isIPv6, type Server } from "node:net";
import { drainPeriod } from "./drain.ts";

/** A socket that is open. `failed` settles when it breaks later on. */
export interface Opened {
  close(): Promise<void>;
  readonly failed: Promise<Error>;
}

/** A listener. */
export interface Listening extends Opened {
  /** Its port, also where the kernel has chosen it. */
  readonly port: number;
}

/** Where to listen. */
export interface ListenAt {
  readonly address: string;
  /** 0: the kernel chooses one that is free. */
  readonly port: number;
  /** Connections that the kernel completes before they are accepted. */
  readonly backlog: number;
  /** Descriptor of a socket that is bound there already; it becomes Node's. */
  readonly inherited: number | undefined;
}

/** How open connections end when the listener closes. */
export interface Draining {
  /** No more queries are expected. */
  end(): void;
  /** Close those that are still open. */
  drop(): void;
}

/** Starts `server`. Rejects with the kernel's code when the address cannot be bound. */
export function startListening(server: Server, at: ListenAt, connections: Draining): Promise<Listening> {
  const { address, port, backlog, inherited } = at;
  return new Promise((resolve, reject) => {
    let fail: (error: Error) => void = () => {};
    const failed = new Promise<Error>((settle) => {
      fail = settle;
    });
    server.once("error", reject);
    const own = { host: address, port, ipv6Only: isIPv6(address), exclusive: true };
    server.listen({ ...(inherited === undefined ? own : { fd: inherited }), backlog }, () => {
      server.off("error", reject);
      server.on("error", (error) => {
        // A connection that could not be accepted concerns its client alone: the socket keeps listening.
        if (!server.listening) fail(error);
      });
      resolve({
        port: (server.address() as AddressInfo).port,
        failed,
        async close() {
          connections.end();
          const closed = new Promise<void>((done) => server.close(() => done()));
          await Promise.race([closed, drainPeriod()]);
          connections.drop();
          await closed;
        },
      });
    });
  });
}
