/** A port for DNS_PORT=0: free for TCP and UDP. */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Ports tried: other programs hold some for UDP alone. */
const MOST_TRIES = 100;

/** Rejects when the address cannot be bound. */
export async function freePort(address: string): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = await freeTcpPort(address);
    try {
      await bindUdp(address, port);
      return port;
    } catch (error) {
      const isUsed = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (!isUsed || tries === MOST_TRIES) throw error;
    }
  }
}

function freeTcpPort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen({ host: address, port: 0 }, () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

function bindUdp(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createSocket(address.includes(":") ? "udp6" : "udp4");
    probe.once("error", reject);
    probe.bind({ address, port }, () => probe.close(() => resolve()));
  });
}
