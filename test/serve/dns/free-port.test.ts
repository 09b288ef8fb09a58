import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
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
    socket.bind({ address: "127.0.0.77", port });
    // another program may have it
    const bound = await once(socket, "listening").then(
      () => true,
      () => false,
    );
    if (bound) held.push(socket);
  }
  const used = new Set(held.map((socket) => socket.address().port));
  t.ok(used.size > 400, `${used.size} are used`);
  // not bound again here: a query of another program may have taken it meanwhile
  const given = await Promise.all(Array.from({ length: 400 }, () => freePort("127.0.0.77")));
  t.same(
    given.filter((port) => used.has(port)),
    [],
  );
  await t.rejects(freePort("192.0.2.1"), { code: "EADDRNOTAVAIL" });
});
