// The name server alone, to be bundled as the product is: that is what runs at the user.
import { serveDns } from "../src/serve/dns.ts";

const [zone, zoneFile, port, engine] = process.argv.slice(2) as [string, string, string, string];
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
