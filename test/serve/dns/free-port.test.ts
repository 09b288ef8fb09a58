import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import t from "tap";
import { freePort } from "../../../src/serve/dns/free-port.ts";

t.test("a port for DNS_PORT=0 is free for TCP and UDP, also where most are used for UDP", async (t) => {
  const range = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8")
    .trim()
    .split(/\s+/)
    .map(Number);
  const [first = 0, last = 0] = range;
  const held: Socket[] = [];
  t.teardown(() => Promise.all(held.map((socket) => new Promise<void>((done) => void socket.close(done)))));
  for (let port = first; port <= last && held.length < 800; port += 29) {
    const socket = createSocket("udp4");
    socket.on("error", () => undefined);
    socket.bind({ address: "127.0.0.77", port });
    held.push(socket);
  }
  await Promise.all(held.map((socket) => Promise.race([once(socket, "listening"), once(socket, "error")])));
  for (let n = 0; n < 100; n++) {
    const port = await freePort("127.0.0.77");
    const server = createServer().listen({ host: "127.0.0.77", port });
    const socket = createSocket("udp4").bind({ address: "127.0.0.77", port });
    await Promise.all([once(server, "listening"), once(socket, "listening")]);
    await Promise.all([
      new Promise((done) => server.close(done)),
      new Promise<void>((done) => void socket.close(done)),
    ]);
  }
  t.pass("100 ports");
  await t.rejects(freePort("192.0.2.1"), { code: "EADDRNOTAVAIL" });
});
