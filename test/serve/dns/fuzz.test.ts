import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { serveDns } from "../../../src/serve/dns/server.ts";
import { makeQuery, readMessage } from "../../dns/message.ts";
import { honestQueries, mutated, numbers } from "../../dns/mutate.ts";
import { EXAMPLE } from "../../dns/zones.ts";

const CASES = Number(process.env.FUZZ_CASES ?? 200_000) / 4;
const SEED = Number(process.env.FUZZ_SEED ?? 7766);

for (const engine of ["fast", "portable"] as const) {
  t.test(
    `${CASES} hostile datagrams and connections at the ${engine} engine`,
    { timeout: 60_000 + CASES },
    async (t) => {
      const dir = mkdtempSync(join(tmpdir(), "ocdd-dns-"));
      writeFileSync(join(dir, "zone"), EXAMPLE);
      const logs: string[] = [];
      const server = await serveDns({
        zone: "example.org",
        zoneFile: join(dir, "zone"),
        listen: ["127.0.0.1"],
        port: 0,
        allowTransfer: ["127.0.0.1"],
        idleSeconds: 1,
        log: (level, message) => logs.push(`${level}: ${message}`),
        ...(engine === "portable" ? { engine } : {}),
      });
      t.teardown(async () => {
        await server.close();
        rmSync(dir, { recursive: true });
      });
      t.equal(server.engine, engine);
      const pick = numbers(SEED);
      const from = honestQueries();
      const socket = createSocket("udp4");
      socket.connect(server.port, "127.0.0.1");
      await once(socket, "connect");
      socket.setRecvBufferSize(4 << 20);
      let unreadable = 0;
      let answers = 0;
      socket.on("message", (message) => {
        answers++;
        try {
          readMessage(message);
        } catch {
          unreadable++;
        }
      });
      for (let i = 0; i < CASES; i++) {
        socket.send(mutated(pick, from), () => {});
        if (i % 100 === 0) await sleep(1);
      }
      for (let i = 0; i < 200; i++) {
        const tcp = connect({ host: "127.0.0.1", port: server.port });
        tcp.on("error", () => {});
        const message = mutated(pick, from);
        // A correct length, a wrong one, or no frame at all.
        const length = [message.length, pick(65536), 0][pick(3)] as number;
        tcp.write(Buffer.concat([Buffer.from([length >> 8, length]), message]));
        tcp.resume();
        if (pick(2)) setTimeout(() => (pick(2) ? tcp.destroy() : tcp.resetAndDestroy()), pick(30));
        else tcp.end();
      }
      await sleep(300);
      const before = answers;
      socket.send(makeQuery("web.example.org.", "A"));
      await sleep(100);
      t.ok(answers > before, "a valid query is still answered");
      t.ok(before > CASES / 10, `${before} answers`);
      t.equal(unreadable, 0);
      t.equal(
        logs.filter((line) => !line.startsWith("info")).length,
        0,
        `no log line for a packet: ${logs.slice(0, 3)}`,
      );
      socket.close();
    },
  );
}
