/** A transfer to a client that reads slowly, of a zone that changes meanwhile. */
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { TYPE } from "../../../src/dns/wire/types.ts";
import { serveDns } from "../../../src/serve/dns/server.ts";
import { makeQuery, readMessage } from "../../dns/message.ts";
import { askUdp } from "../peers.ts";

t.setTimeout(1_200_000);

/** More octets than two sockets of the kernel hold, so that most is made while the zone changes. */
const NAMES = 50_000;
const PADDING = "x".repeat(220);

function zoneText(serial: number, names: number): string {
  const lines = Array.from(
    { length: names },
    (_, i) => `n${i} TXT "${i % 1000 === 0 ? serial : 0} ${PADDING}"\n`,
  );
  return `$TTL 60\n@ SOA ns hm ${serial} 60 60 60 60\n@ NS ns\nns A 192.0.2.1\n${lines.join("")}`;
}

const serialOf = (soa: Uint8Array | undefined) => soa && Buffer.from(soa).readUInt32BE(soa.length - 20);

t.test("what a slow reader gets is one version of the zone", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-dns-"));
  const file = join(dir, "zone");
  const replace = (text: string) => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  replace(zoneText(1, NAMES));
  const server = await serveDns({
    zone: "example.org",
    zoneFile: file,
    listen: ["127.0.0.1"],
    port: 0,
    allowTransfer: ["127.0.0.1"],
    idleSeconds: 100,
    log: () => {},
  });
  t.teardown(async () => {
    await server.close();
    rmSync(dir, { recursive: true });
  });
  /** Until the server answers with this serial. */
  const shows = async (serial: number) => {
    const end = performance.now() + 30_000;
    for (;;) {
      const answer = await askUdp(server.port, makeQuery("example.org.", "SOA"));
      if (serialOf(answer?.records[0]?.rdata) === serial) return;
      if (performance.now() > end) throw new Error(`serial ${serial} is not served`);
      await sleep(20);
    }
  };
  const transfer = async (meanwhile: () => Promise<void>) => {
    const socket = connect({ host: "127.0.0.1", port: server.port });
    const chunks: Buffer[] = [];
    const query = makeQuery("example.org.", "AXFR");
    socket.end(Buffer.concat([Buffer.from([0, query.length]), query]));
    socket.on("data", (chunk) => chunks.push(chunk));
    await once(socket, "data");
    socket.pause();
    const early = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    await meanwhile();
    socket.resume();
    await once(socket, "end");
    const octets = Buffer.concat(chunks);
    t.ok(early < octets.length / 10, `${early} of ${octets.length} octets read before`);
    const records = [];
    for (let at = 0; at < octets.length; at += 2 + octets.readUInt16BE(at))
      records.push(...readMessage(octets.subarray(at + 2, at + 2 + octets.readUInt16BE(at))).records);
    return records;
  };
  for (const [what, versions] of [
    ["a little, again and again", [2, 3, 4].map((serial) => [serial, NAMES] as const)],
    ["and all at once", [[5, 3]]],
  ] as const) {
    const [before] = (await askUdp(server.port, makeQuery("example.org.", "SOA")))?.records ?? [];
    const serial = serialOf(before?.rdata);
    const records = await transfer(async () => {
      for (const [next, names] of versions) {
        replace(zoneText(next, names));
        await shows(next);
      }
    });
    t.equal(records.length, NAMES + 4, what);
    for (const soa of [records.at(0), records.at(-1)])
      t.strictSame([soa?.type, serialOf(soa?.rdata)], [TYPE.SOA, serial]);
    const marks = records.filter(({ owner }) => /^n[0-9]*000\.example/.test(owner));
    t.equal(marks.length, NAMES / 1000 - 1);
    for (const { rdata } of marks) t.match(Buffer.from(rdata).toString(), new RegExp(`^.${serial} x`));
  }
});
