// The name server alone, bundled as the product is. `echo` only sends each packet back on the sockets of the portable
// engine: the upper limit of that engine's speed.
import { createSocket } from "node:dgram";
import { serveDns } from "../src/serve/dns/server.ts";

const [zone, zoneFile, port, engine] = process.argv.slice(2) as [string, string, string, string];
if (engine === "echo") {
  const socket = createSocket({ type: "udp4", lookup: (host, _options, found) => found(null, host, 4) });
  socket.on("message", (message, from) => socket.send(message, from.port, from.address));
  socket.bind({ address: "127.0.0.1", port: Number(port) }, () => socket.setRecvBufferSize(4 << 20));
} else {
  await serveDns({
    zone,
    zoneFile,
    listen: ["127.0.0.1"],
    port: Number(port),
    allowTransfer: ["127.0.0.0/8"],
    idleSeconds: 60,
    log: (level, message) => {
      if (level !== "info") console.error(message);
    },
    ...(engine === "portable" ? { engine: "portable" as const } : {}),
  });
}
