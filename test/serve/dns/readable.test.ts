/** What the director writes of hand-written records, BIND reads: as a primary from the file, and in a transfer from OCDD. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { readZoneOnDisk, updateZone } from "../../../src/core/zone/records.ts";
import { addressRecords } from "../../../src/core/zone/service-records.ts";
import { serveDns } from "../../../src/serve/dns/server.ts";
import { HOST, NOW, ZONE } from "../../core/make.ts";
import { numbers } from "../../dns/mutate.ts";

const SETTINGS = { zone: ZONE, hostName: "dockerhost", soaEmail: `it@${ZONE}`, ttl: 60 };
const OURS = addressRecords([], "dockerhost", HOST);

const SEED = Number(process.env.FUZZ_SEED ?? 20_260_301);
/** Records in generic form of each type from 1 to 300, and lines of each form of text. */
const [OF_EACH_TYPE, OF_EACH_TEXT] = [12, 150];

/** Octets that are often lengths, numbers of algorithms, or digits. */
const LIKELY: readonly number[] = [0, 0, 1, 1, 2, 3, 4, 5, 20, 32, 48, 49, 50, 57, 97, 253, 254];
/** Names, strings and numbers, in hex. */
const FIELDS = ["00", "016100", "0161016200", "0131", "0431323334", "0001", "0008", "c0000201", "0161", "03"];
/** Pieces of words that have a syntax of their own. */
const PIECES = [
  "(",
  ")",
  "[",
  "]",
  "a",
  "b-c",
  "^",
  "$",
  "*",
  "+",
  "?",
  "{2}",
  "{3,1}",
  "|",
  "\\\\1",
  "\\\\.",
  "-",
  "[:alpha:]",
  "i",
  "!",
  "!",
];
const PATHS = ["/", "{?dns}", "{", "}", "dns", "%2f", "%", ",", ":3", "*", "x", "{&a,dns}", "\\255"];

/** Random lines, the same for the same seed. */
function randomLines(): string[] {
  const pick = numbers(SEED);
  const hex = (size: number): string =>
    Buffer.from(
      Array.from({ length: size }, () => (pick(3) > 0 ? (LIKELY[pick(LIKELY.length)] as number) : pick(256))),
    ).toString("hex");
  const some = (from: readonly string[]): string =>
    Array.from({ length: pick(6) }, () => from[pick(from.length)]).join("");
  const sizes = [0, 1, 2, 4, 6, 18, 22, 24, 34, 36, 40];
  const lines: string[] = [];
  for (let type = 1; type <= 300; type++)
    for (let n = 0; n < OF_EACH_TYPE; n++) {
      const size = pick(2) === 0 ? pick(12) : (sizes[pick(sizes.length)] as number);
      const octets = pick(2) === 0 ? hex(size) : some(FIELDS);
      lines.push(`TYPE${type} \\# ${octets.length / 2} ${octets}`);
    }
  const texts: (() => string)[] = [
    () => `SSHFP ${pick(6)} ${pick(4)} ${hex([1, 20, 32][pick(3)] as number)}`,
    () => `X25 ${some(["1", "23", "4567", "a", "-"]) || 0}`,
    () => `ISDN ${["1", "1 2", "1 2 3"][pick(3)]}`,
    () => `CAA 0 ${["issue", "a-b", '""', "a1"][pick(4)]} x`,
    () =>
      `NAPTR 1 1 "" "" "!${some(PIECES)}!${some(["\\\\1", "\\\\0", "\\\\2", "x", "$"])}!${some(["i", "i", "x"])}" .`,
    () => `NAPTR 1 1 "" "" "${some(PIECES)}${some(PIECES)}" .`,
    () => `SVCB 1 . dohpath="${some(PATHS)}"`,
    () => `SVCB 1 . dohpath="/${some(PATHS)}{?dns}"`,
    () => `IPSECKEY 10 ${pick(2)} 2 ${["192.0.2.1", "."][pick(2)]} ${["", "AQNR"][pick(2)]}`,
    () => `DNSKEY 256 3 ${[8, 253, 254][pick(3)]} ${Buffer.from(hex(pick(8)), "hex").toString("base64")}`,
    () => `KEY ${[256, 49152][pick(2)]} 3 5 AQ==`,
    () => `RRSIG A 8 ${pick(3)} 60 20380101000000 20200101000000 1 ${["a", "a.b", "."][pick(3)]} AAAA`,
    () => `LOC ${pick(91)} ${pick(60)} 0 N ${pick(181)} ${pick(60)} 0 E 0m ${[0, 1, 99][pick(3)]}m`,
    () => `NSEC a ${["", "A", "A NSEC"][pick(3)]}`,
  ];
  for (const text of texts) for (let n = 0; n < OF_EACH_TEXT; n++) lines.push(text());
  return lines.map((line, i) => `r${i} ${line}`);
}

t.test("hand-written records of any type: what is not commented out, BIND reads", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-readable-"));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const lines = randomLines();
  const { text } = updateZone(readZoneOnDisk(`${lines.join("\n")}\n`, SETTINGS, OURS), SETTINGS, OURS, NOW);
  const file = join(dir, "zone");
  writeFileSync(file, text, "latin1");
  const kept = text.split("\n").filter((line) => /^r\d+ /.test(line));
  t.ok(kept.length > lines.length / 3 && kept.length < lines.length, `${kept.length} of ${lines.length}`);
  const types = new Set(kept.map((line) => line.split(" ")[1]));
  t.ok(types.size > 120, `${types.size} types`);

  const { status, stdout } = spawnSync("named-checkzone", ["-k", "ignore", "-i", "none", ZONE, file], {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const at = [...stdout.matchAll(/zone:(\d+): (.*)/g)].filter(
    ([, , why]) => !/expired|DNSSEC/.test(why ?? ""),
  );
  const told = at.map(([, line, why]) => `${why}: ${text.split("\n")[Number(line) - 1]}`);
  t.strictSame(told, [], "as a primary");
  t.equal(status, 0, stdout.slice(-500));

  const server = await serveDns({
    zone: ZONE,
    zoneFile: file,
    listen: ["127.0.0.1"],
    port: 0,
    allowTransfer: ["127.0.0.1"],
    log: () => {},
  });
  t.teardown(() => server.close());
  const question = ["@127.0.0.1", "-p", String(server.port), ZONE, "AXFR", "+onesoa"];
  const transfer = await promisify(execFile)("dig", question, { maxBuffer: 2 ** 26 });
  t.notMatch(transfer.stdout, /^;; (?:Got bad|.*FORMERR|Transfer failed)/m);
  const owners = new Set(transfer.stdout.match(/^r\d+\./gm));
  t.equal(owners.size, kept.length, "all of them are in a transfer");
});
