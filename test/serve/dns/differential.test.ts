import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { formatRdata } from "../../../src/dns/text/rdata-format.ts";
import { typeName } from "../../../src/dns/wire/types.ts";
import { serveDns } from "../../../src/serve/dns/server.ts";
import { makeQuery, type QueryOptions, type ReadMessage } from "../../dns/message.ts";
import { EXAMPLE, OWNERS, TYPES } from "../../dns/zones.ts";
import { askUdp, freePorts, type Peer, startBind, startKnot, startNsd } from "../peers.ts";

const run = promisify(execFile);

/** What no DNAME, no loop and no oddity keeps any of the three from loading. */
const ZONE = `${EXAMPLE}
*.alias CNAME web
*.away CNAME www.example.net.
*.down CNAME x.sub
here.alias A 192.0.2.20
deep.here.away A 192.0.2.21
x.*.ent A 192.0.2.22
into CNAME q.sub
out CNAME x.d
both CNAME web
both NSEC d CNAME NSEC
two MX 10 mail
two MX 20 nowhere
two MX 30 ns.sub
_sip._udp SRV 0 0 5060 ns1
`;

const NAMES = [
  ...OWNERS,
  "wEb.",
  "Q.wilD.",
  "q.r.sub.",
  "y.d.",
  "q.x.d.",
  "mail.",
  "\\000.",
  "\\255.",
  "q.alias.",
  "q.r.alias.",
  "alias.",
  "*.alias.",
  "here.alias.",
  "q.here.alias.",
  "q.away.",
  "here.away.",
  "q.here.away.",
  "q.down.",
  "ent.",
  "*.ent.",
  "q.ent.",
  "x.*.ent.",
  "x.q.ent.",
  "into.",
  "out.",
  "both.",
  "two.",
  "_sip._udp.",
  "*.",
  `${"l.".repeat(60)}`,
];
const ASKED = [...TYPES, "CAA", "HINFO", "NSEC", "DNSKEY", "TYPE4711", "NULL", "LOC"];
const VARIANTS: QueryOptions[] = [
  {},
  { flags: 0 },
  { edns: { size: 1232 } },
  { edns: { size: 512, flags: 0x8000 } },
  { edns: { size: 0 } },
  { edns: { version: 1 } },
  { edns: { options: [[65001, Uint8Array.of(1, 2, 3)]] } },
];
/** Questions about the header: where the three agree, OCDD's answer is the same. */
const ODD: [string, string | number, QueryOptions][] = [
  ["example.org.", "SOA", { qclass: 3 }],
  ["example.org.", "SOA", { flags: 0x2000 }],
  ["example.org.", "SOA", { flags: 0x0670 }],
  ["example.net.", "A", {}],
  ["org.", "NS", {}],
  [".", "NS", {}],
  ["evilexample.org.", "A", { edns: {} }],
];

/** What all three must agree on before OCDD's answer is compared. */
function essence(message: ReadMessage | undefined): string {
  if (message === undefined) return "silence";
  const lines = (section: string) =>
    message.records
      .filter((record) => record.section === section)
      .map(({ owner, ttl, type, rdata }) =>
        `${owner} ${ttl} ${typeName(type)} ${formatRdata(type, rdata)}`.toLowerCase(),
      )
      .sort();
  return JSON.stringify({
    rcode: message.rcode,
    aa: message.aa,
    tc: message.tc,
    rd: (message.flags & 0x0100) !== 0,
    opt: message.opt !== undefined,
    question: message.questions,
    answer: lines("answer"),
    authority: lines("authority"),
    additional: lines("additional"),
  });
}

/** The same without what an answer to a query with a cookie differs in. */
const withoutOpt = (text: string): string => text.replace(/"opt":(true|false)/, "");

/** Is an answer truncated, or the other one without additional records? */
function isLimited(ours: string, theirs: string): boolean {
  if (ours === "silence" || theirs === "silence") return false;
  const [a, b] = [JSON.parse(ours), JSON.parse(theirs)];
  return a.tc || JSON.stringify({ ...a, additional: [] }) === JSON.stringify({ ...b, additional: [] });
}

/** OCDD's answer to a client that has proved its address: no answer of it is limited by the size of its query. */
async function proved(
  port: number,
  name: string,
  type: string | number,
  options: QueryOptions,
): Promise<string> {
  const first = makeQuery("example.org.", "SOA", { edns: { options: [[10, new Uint8Array(8)]] } });
  const cookie = (await again(port, first))?.opt?.rdata.slice(4) ?? new Uint8Array(8);
  const { edns = { size: 512 } } = options;
  const query = makeQuery(name, type, {
    ...options,
    edns: { ...edns, options: [...(edns.options ?? []), [10, cookie]] },
  });
  return withoutOpt(essence(await again(port, query)));
}

/** As a client does: once more when no answer has come in time, as on a busy host. */
const again = async (port: number, query: Uint8Array): Promise<ReadMessage | undefined> =>
  (await askUdp(port, query)) ?? (await askUdp(port, query));

t.test("BIND, NSD and Knot: where the three agree, OCDD's answer is the same", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-dns-"));
  const file = join(dir, "zone");
  writeFileSync(file, ZONE);
  const [bind, nsd, knot] = (await freePorts(3)) as [number, number, number];
  const peers: Peer[] = [];
  t.teardown(async () => {
    await Promise.all(peers.map((peer) => peer.stop()));
    rmSync(dir, { recursive: true });
  });
  const of = (name: string, port: number) => ({ dir: join(dir, name), port, zone: "example.org", file });
  peers.push(
    await startBind(of("bind", bind)),
    await startNsd(of("nsd", nsd)),
    await startKnot(of("knot", knot)),
  );
  for (const engine of ["fast", "portable"] as const) {
    const server = await serveDns({
      zone: "example.org",
      zoneFile: file,
      listen: ["127.0.0.1"],
      port: 0,
      allowTransfer: [],
      log: () => {},
      ...(engine === "portable" ? { engine } : {}),
    });
    try {
      const all: [string, string | number, QueryOptions][] = [
        ...NAMES.flatMap((owner) =>
          ASKED.flatMap((type) =>
            VARIANTS.map(
              (options) => [`${owner}example.org.`, type, options] as [string, string, QueryOptions],
            ),
          ),
        ),
        ...ODD,
      ];
      let agreed = 0;
      const wrong: string[] = [];
      for (let at = 0; at < all.length; at += 40) {
        await Promise.all(
          all.slice(at, at + 40).map(async ([name, type, options]) => {
            const query = makeQuery(name, type, options);
            const [ours, ...theirs] = (
              await Promise.all([server.port, bind, nsd, knot].map((port) => again(port, query)))
            ).map(essence);
            if (theirs.some((each) => each !== theirs[0])) return;
            agreed++;
            if (ours === theirs[0]) return;
            // a large answer is left out, or what is optional in it, as long as the address is not proved
            const limited = isLimited(ours ?? "", theirs[0] ?? "");
            if (!limited || (await proved(server.port, name, type, options)) !== withoutOpt(theirs[0] ?? ""))
              wrong.push(`${name} ${type} ${JSON.stringify(options)}\n  they: ${theirs[0]}\n  we:   ${ours}`);
          }),
        );
      }
      t.equal(wrong.length, 0, `${engine}: ${all.length} questions, the three agree on ${agreed}`);
      for (const line of wrong.slice(0, 8)) t.comment(line);
      t.ok(agreed > all.length * 0.8, `${agreed} of ${all.length}`);
    } finally {
      await server.close();
    }
  }
});

t.test("the checkers of BIND, NSD and Knot accept the zone as OCDD prints it", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-dns-"));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const file = join(dir, "zone");
  writeFileSync(file, ZONE);
  const server = await serveDns({
    zone: "example.org",
    zoneFile: file,
    listen: ["127.0.0.1"],
    port: 0,
    allowTransfer: ["127.0.0.1"],
    log: () => {},
  });
  const { stdout } = await run("dig", [
    "@127.0.0.1",
    "-p",
    String(server.port),
    "example.org",
    "AXFR",
    "+onesoa",
  ]);
  await server.close();
  writeFileSync(join(dir, "transferred"), stdout);
  for (const [program, args] of [
    ["named-checkzone", ["-k", "ignore", "-i", "none", "example.org"]],
    ["nsd-checkzone", ["example.org"]],
    ["kzonecheck", ["-o", "example.org"]],
  ] as const) {
    await t.resolves(run(program, [...args, join(dir, "transferred")]), program);
  }
});
