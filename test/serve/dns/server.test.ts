import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import t, { type Test } from "tap";
import { type DnsOptions, type DnsServer, serveDns } from "../../../src/serve/dns/server.ts";
import { makeQuery, readMessage } from "../../dns/message.ts";
import { EXAMPLE } from "../../dns/zones.ts";
import { until } from "../../lab/process.ts";

const run = promisify(execFile);

interface Lab {
  server: DnsServer;
  logs: string[];
  file: string;
  dig(...args: string[]): Promise<string>;
  replace(text: string): void;
}

/** A server on a free port with its zone in a directory of its own. */
async function lab(t: Test, zone: string | undefined, options: Partial<DnsOptions> = {}): Promise<Lab> {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-dns-"));
  const file = join(dir, "example.org.zone");
  const logs: string[] = [];
  const replace = (text: string) => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  if (zone !== undefined) replace(zone);
  const server = await serveDns({
    zone: "example.org",
    zoneFile: file,
    listen: ["127.0.0.1"],
    port: 0,
    allowTransfer: ["127.0.0.0/8"],
    log: (level, message) => logs.push(`${level}: ${message}`),
    ...options,
  });
  t.teardown(async () => {
    await server.close();
    rmSync(dir, { recursive: true });
  });
  const dig = async (...args: string[]) =>
    (await run("dig", ["@127.0.0.1", "-p", String(server.port), "+time=5", "+tries=1", ...args])).stdout;
  return { server, logs, file, dig, replace };
}

/** Send octets over TCP and collect what comes until `want` messages or the end. */
async function talk(port: number, chunks: Uint8Array[], want: number, pause = 0): Promise<Buffer[]> {
  const socket: Socket = connect({ host: "127.0.0.1", port });
  const messages: Buffer[] = [];
  let pending = Buffer.alloc(0);
  const done = new Promise<void>((resolve) => {
    socket.on("data", (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        messages.push(pending.subarray(2, 2 + pending.readUInt16BE(0)));
        pending = pending.subarray(2 + pending.readUInt16BE(0));
      }
      if (messages.length >= want) resolve();
    });
    socket.on("close", () => resolve());
    socket.on("error", () => resolve());
  });
  for (const chunk of chunks) {
    socket.write(chunk);
    if (pause > 0) await sleep(pause);
  }
  await done;
  socket.destroy();
  return messages;
}

function framed(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message]);
}

t.test("dig is answered over UDP and TCP, and gets the whole zone", async (t) => {
  const { dig, server } = await lab(t, EXAMPLE);
  t.match(await dig("+short", "web.example.org"), "192.0.2.5\n192.0.2.6");
  t.match(await dig("+short", "+tcp", "web.example.org"), "192.0.2.5\n192.0.2.6");
  t.match(
    await dig("big.example.org", "TXT"),
    /flags: qr aa rd; /,
    "truncated over UDP, dig asks again over TCP",
  );
  const axfr = await dig("example.org", "AXFR");
  t.match(axfr, /XFR size: 33 records/);
  t.equal(axfr.match(/\tSOA\t/g)?.length, 2);
  t.match(await dig("example.org", "IXFR=7"), /XFR size: 1 records/);
  t.match(await dig("example.net"), /status: REFUSED/);
  const { counters } = server;
  t.ok(
    (counters.types.A ?? 0) >= 3 &&
      counters.rcodes.REFUSED === 1 &&
      counters.events.transfers === 1 &&
      counters.events.udp >= 3 &&
      counters.events.tcp >= 1 &&
      counters.events.incremental === 1,
    JSON.stringify(counters),
  );
  t.equal(server.engine, "fast");
  // the UDP thread counts an answer's time after it has sent it
  const timed = () => server.counters.answers.counts.reduce((sum, n) => sum + n);
  await until(
    "each answer but transfers is timed",
    () => timed() === counters.events.udp + counters.events.tcp,
  );
  t.ok(counters.answers.seconds > 0);
});

t.test("a transfer without permission is refused", async (t) => {
  const { dig, logs } = await lab(t, EXAMPLE, { allowTransfer: ["192.0.2.0/24", "10.0.0.300", "key:none"] });
  t.match(await dig("example.org", "AXFR"), "Transfer failed");
  t.match(logs.join("\n"), "10.0.0.300 in DNS_ALLOW_TRANSFER: not a network");
  t.match(logs.join("\n"), "key:none in DNS_ALLOW_TRANSFER: no such key");
});

t.test("a renamed zone file is followed, and an invalid line in it left out", async (t) => {
  const { dig, logs, replace } = await lab(t, EXAMPLE);
  replace(EXAMPLE.replace(" 7 3600", " 8 3600").replace("web A 192.0.2.6", "web A 192.0.2.66"));
  let seen = "";
  for (let n = 0; n < 500 && !seen.includes("192.0.2.66"); n++) seen = await dig("+short", "web.example.org");
  t.match(seen, "192.0.2.66");
  t.match(
    await dig("+noall", "+answer", "example.org", "IXFR=7"),
    /192\.0\.2\.6\n[\s\S]*192\.0\.2\.66\n/,
    "IXFR holds the change",
  );
  replace(`${EXAMPLE.replace(" 7 3600", " 9 3600")}broken A 1.2.3\nwww TXT x\n`);
  await until("the next version", async () =>
    (await dig("+short", "example.org", "SOA")).includes(" 9 3600"),
  );
  t.match(await dig("+short", "web.example.org"), "192.0.2.6");
  t.match(await dig("+short", "www.example.org", "TXT"), /^web.example.org.$/m, "the earlier of two counts");
  const said = logs.filter((line) => line.includes("1.2.3: not an IPv4 address"));
  t.match(said, [
    /^warning: .*example.org.zone:\d+: 1.2.3: not an IPv4 address; left out; .*: TXT beside CNAME/,
  ]);
  t.equal(said.length, 1);
});

t.test("an absent zone file is waited for", async (t) => {
  const { dig, logs, replace } = await lab(t, undefined);
  t.match(await dig("web.example.org"), /status: SERVFAIL/);
  t.match(await dig("example.net"), /status: REFUSED/);
  t.match(logs, [/^warning: zone example.org: .* does not exist; nothing is served/]);
  replace(EXAMPLE);
  await until("the zone is served", async () =>
    (await dig("+short", "web.example.org")).includes("192.0.2.5"),
  );
});

t.test("a port in use is logged with its owner, and the other addresses are served", async (t) => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen({ host: "127.0.0.2", port: 0 }, resolve));
  t.teardown(() => blocker.close());
  const { port } = blocker.address() as { port: number };
  const { dig, logs, server } = await lab(t, EXAMPLE, {
    listen: ["127.0.0.1", "127.0.0.2", "192.0.2.250"],
    port,
  });
  t.match(await dig("+short", "web.example.org"), "192.0.2.5");
  t.match(logs.join("\n"), new RegExp(`127.0.0.2:${port}/tcp is in use by`));
  t.match(logs.join("\n"), new RegExp(`192.0.2.250:${port}/udp is not an address of this host yet`));
  t.strictSame(
    server.endpoints.map(({ bound }) => bound),
    [true, true, true, false, false, false],
  );
  blocker.close();
  await until("it is bound", () => logs.join("\n").includes(`127.0.0.2:${port}/tcp is bound now`));
  t.match(
    (await run("dig", ["+tcp", "@127.0.0.2", "-p", String(port), "+short", "web.example.org"])).stdout,
    "192.0.2.5",
  );
});

t.test("TCP: pipelined, octet by octet, one and a half messages in a segment, garbage", async (t) => {
  const { server, dig } = await lab(t, EXAMPLE, { idleSeconds: 1 });
  const query = framed(makeQuery("web.example.org.", "A"));
  const many = await talk(server.port, [Buffer.concat(Array(3000).fill(query))], 3000);
  t.equal(many.length, 3000, "3000 in one go");
  t.equal(
    (
      await talk(
        server.port,
        Array.from(query, (octet) => Uint8Array.of(octet)),
        1,
        2,
      )
    ).length,
    1,
    "octet by octet",
  );
  const half = Math.floor(query.length / 2);
  const split = await talk(
    server.port,
    [Buffer.concat([query, query.subarray(0, half)]), query.subarray(half)],
    2,
    20,
  );
  t.strictSame(
    split.map((message) => readMessage(message).rcode),
    [0, 0],
  );
  const garbage = await talk(server.port, [Buffer.from([0, 0]), Buffer.from([0, 3, 1, 2, 3]), query], 1, 5);
  t.equal(garbage.length, 1, "zero-length and short messages are passed over");
  const dropped = await talk(server.port, [query.subarray(0, half)], 1);
  t.equal(dropped.length, 0, "half a message: the connection is closed after the idle limit");
  t.match(await dig("+short", "+tcp", "web.example.org"), "192.0.2.5");
});

t.test("a TSIG key file that others can read is not used", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-dns-"));
  const keys = join(dir, "keys");
  writeFileSync(
    keys,
    'key k { algorithm hmac-sha256; secret "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="; };',
    { mode: 0o644 },
  );
  t.teardown(() => rmSync(dir, { recursive: true }));
  const loose = await lab(t, EXAMPLE, { tsigKeyFile: keys, allowTransfer: ["key:k"] });
  t.match(loose.logs.join("\n"), /keys: mode 0644 lets others read the keys, chmod 600 it; no key is used/);
  const sign = ["-y", "hmac-sha256:k:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="];
  t.match(await loose.dig(...sign, "example.org", "AXFR"), /BADKEY|Transfer failed/);
  chmodSync(keys, 0o600);
  const tight = await lab(t, EXAMPLE, { tsigKeyFile: keys, allowTransfer: ["key:k"] });
  t.match(await tight.dig(...sign, "example.org", "AXFR"), /XFR size: 33 records/);
  t.match(await tight.dig("example.org", "AXFR"), /Transfer failed/);
  t.match(
    await tight.dig(...sign, "web.example.org"),
    /status: NOERROR[\s\S]*TSIG PSEUDOSECTION[\s\S]*NOERROR/,
  );
});

t.test("the reverse zone follows the forward one", async (t) => {
  for (const [zone, owner] of [
    [undefined, "5.2.0.192.in-addr.arpa"],
    ["0-7.2.0.192.in-addr.arpa", "5.0-7.2.0.192.in-addr.arpa"],
  ] as const) {
    const reverse = {
      ranges: [["192.0.2.4", "192.0.2.7"]] as const,
      ...(zone === undefined ? {} : { zone }),
    };
    const { dig, replace } = await lab(t, EXAMPLE, { reverse });
    t.match(await dig("+short", owner, "PTR"), /^web.example.org.\n$/i);
    t.match(await dig(owner.replace("5.", "9."), "PTR"), /status: NXDOMAIN/);
    t.match(await dig("+short", "web.example.org"), "192.0.2.5");
    replace(EXAMPLE.replace(" 7 3600", " 8 3600").replace("Web A 192.0.2.5", "New A 192.0.2.5"));
    await until("the next version", async () =>
      /^new.example.org.\n$/i.test(await dig("+short", owner, "PTR")),
    );
    t.match(await dig("5.9.0.192.in-addr.arpa", "PTR"), /status: REFUSED/);
    t.match(await dig(zone ?? "2.0.192.in-addr.arpa", "IXFR=7"), /PTR\tWeb[\s\S]*PTR\tNew/);
  }
});

t.test("without the library the portable engine serves, with one line that says so", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-dns-"));
  t.teardown(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "zone"), EXAMPLE);
  // A process of its own: here the library is loaded already.
  const program = `
    import { registerHooks } from "node:module";
    registerHooks({ resolve(specifier, context, next) {
      if (specifier === "koffi") throw new Error("Cannot find module 'koffi'");
      return next(specifier, context);
    } });
    const { serveDns } = await import(${JSON.stringify(new URL("../../../src/serve/dns/server.ts", import.meta.url).href)});
    const server = await serveDns({ zone: "example.org", zoneFile: ${JSON.stringify(join(dir, "zone"))}, listen: ["127.0.0.1"], port: 0,
      allowTransfer: [], log: (level, message) => console.log(level, message) });
    console.log(server.engine);
    setTimeout(() => process.exit(), 1000);
    const { createSocket } = await import("node:dgram");
    const socket = createSocket("udp4");
    socket.on("message", (message) => { console.log("rcode", message[3] & 15); process.exit(); });
    socket.send(Buffer.from(${JSON.stringify(Buffer.from(makeQuery("web.example.org.", "A")).toString("hex"))}, "hex"), server.port, "127.0.0.1");`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program]);
  t.match(
    stdout,
    /info UDP is served by the portable engine: Cannot find module 'koffi'\n[\s\S]*portable\nrcode 0/,
  );
  t.equal(stdout.match(/koffi/g)?.length, 1);
});
