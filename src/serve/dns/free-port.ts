/** A port for DNS_PORT=0: free for TCP, and so probably for UDP. */
import { createServer } from "node:net";

/** Rejects when the address cannot be bound. */
export function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen({ host: address, port: 0 }, () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
