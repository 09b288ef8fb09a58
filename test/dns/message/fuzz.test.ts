import t from "tap";
import { respond } from "../../../src/dns/message/respond.ts";
import { transfer } from "../../../src/dns/message/transfer.ts";
import { parseZoneFile, readZoneFile } from "../../../src/dns/text/zonefile.ts";
import { nameKey, parseName } from "../../../src/dns/wire/name.ts";
import { read16 } from "../../../src/dns/wire/octets.ts";
import { MAX_UDP_OCTETS } from "../../../src/dns/zone/authority.ts";
import { compileZone } from "../../../src/dns/zone/compile.ts";
import { answerInPlace } from "../../../src/dns/zone/fast.ts";
import type { Zone } from "../../../src/dns/zone/zone.ts";
import { readMessage } from "../message.ts";
import { honestQueries, mutated, numbers } from "../mutate.ts";
import { authorityOf, EXAMPLE, TCP, UDP } from "../zones.ts";

/** Cases of each test; FUZZ_CASES and FUZZ_SEED for a longer run. */
const CASES = Number(process.env.FUZZ_CASES ?? 200_000);
/** A slow machine may take a millisecond a case. */
const LONG = { timeout: 60_000 + CASES };
const SEED = Number(process.env.FUZZ_SEED ?? 20_260_101);

t.test(`${CASES} hostile messages: query parser, in-place and slow path agree`, LONG, async (t) => {
  const pick = numbers(SEED);
  const from = honestQueries();
  const key = { name: parseName("k."), algorithm: "hmac-sha256", secret: new Uint8Array(32) };
  const authority = authorityOf({
    cookieSecrets: [new Uint8Array(16)],
    keys: new Map([[nameKey(key.name), key]]),
    nsid: Uint8Array.of(1),
    version: "x",
  });
  const zones = authority.zones.map(({ zone }) => zone as Zone);
  const out = new Uint8Array(65535);
  const octets = new Uint8Array(65535);
  let answered = 0;
  let transfers = 0;
  let slowest = 0;
  for (let i = 0; i < CASES; i++) {
    const message = mutated(pick, from);
    const via = i & 1 ? UDP : { ...TCP, mayTransfer: true };
    const before = process.cpuUsage();
    const size = respond(authority, via, message, out);
    slowest = Math.max(slowest, process.cpuUsage(before).user / 1000);
    if (size === 0) {
      if (message.length >= 12 && !((message[2] as number) & 0x80))
        t.fail(`silence for ${Buffer.from(message).toString("hex")}`);
    } else {
      answered++;
      const slow = out.subarray(0, size);
      if (via === UDP && size > MAX_UDP_OCTETS) t.fail(`${size} octets over UDP`);
      try {
        const read = readMessage(slow);
        if (read.id !== read16(message, 0) || !(read.flags & 0x8000)) throw new Error("not the answer to it");
        if (read.flags & 0x00f0) throw new Error("RA, Z, AD or CD set");
      } catch (error) {
        t.fail(`${(error as Error).message}: ${Buffer.from(message).toString("hex")}`);
      }
    }
    octets.set(message);
    const fast = answerInPlace(zones, octets, 0, message.length, via === UDP ? MAX_UDP_OCTETS : 65535, {
      qtype: 0,
    });
    if (fast > 0) {
      try {
        t.strictSame(readMessage(octets.subarray(0, fast)), readMessage(out.subarray(0, size))) ||
          t.comment(Buffer.from(message).toString("hex"));
      } catch (error) {
        t.fail(`${(error as Error).message}: ${Buffer.from(message).toString("hex")}`);
      }
    }
    if (via !== UDP) {
      const found = transfer(authority, via, message, () => via.now);
      if (found !== undefined && transfers++ % 50 === 0) for (const each of found.messages) readMessage(each);
    }
  }
  t.ok(answered > CASES / 2 && transfers > 0, `${answered} answered, ${transfers} transfers`);
  t.ok(slowest < 1000, `slowest ${slowest} ms of processor time`);
});

t.test(`${CASES / 10} damaged zone files: read without an exception`, LONG, async (t) => {
  const pick = numbers(SEED + 1);
  const pieces = [
    ...EXAMPLE.split(/(?<=[ \n.])/),
    "(",
    ")",
    '"',
    ";",
    "\\",
    "\\#",
    "\\000",
    "@",
    "*",
    "$TTL",
    "$ORIGIN",
    "\t",
    "9999999999",
    "::",
    "CNAME",
    "\n",
    "\r\n",
    "\0",
    "\xff",
  ];
  let served = 0;
  for (let i = 0; i < CASES / 10; i++) {
    const lines = EXAMPLE.split("\n").slice(0, 4 + pick(20));
    const words = lines.join("\n").split(/(?<=[ \n])/);
    for (let times = pick(4); times > 0; times--)
      words.splice(pick(words.length), pick(3), pieces[pick(pieces.length)] as string);
    const text = words.join("");
    const { statements } = readZoneFile(text, "example.org");
    if (statements.map((s) => s.text).join("") !== text)
      t.fail(`statements do not join: ${JSON.stringify(text)}`);
    const { zone, errors } = compileZone(parseZoneFile(text, "example.org"), "example.org", i);
    if (zone === undefined && errors.length === 0) t.fail("no zone and no error");
    if (zone !== undefined) served++;
  }
  t.ok(served > CASES / 200 && served < CASES / 10, `${served} served`);
});
