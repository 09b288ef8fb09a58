import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import type { Observation, Service } from "../../../src/core/model.ts";
import { emptyState } from "../../../src/core/page/empty.ts";
import { barredByHand } from "../../../src/core/services/barred.ts";
import { MARK } from "../../../src/core/zone/mark.ts";
import {
  nextSerial,
  readZoneOnDisk,
  renderZone,
  updateZone,
  type ZoneSettings,
} from "../../../src/core/zone/records.ts";
import { addressRecords, srvRecords } from "../../../src/core/zone/service-records.ts";
import { parseZoneFile, readZoneFile } from "../../../src/dns/text/zonefile.ts";
import { parseName } from "../../../src/dns/wire/name.ts";
import { lookup } from "../../../src/dns/zone/answer.ts";
import { compileZone } from "../../../src/dns/zone/compile.ts";
import { BARE, config, container, HOST, ip, lease, NOW, observation, ZONE, zoneOnDisk } from "../make.ts";

const SETTINGS: ZoneSettings = { zone: ZONE, hostName: "dockerhost", soaEmail: `it.desk@${ZONE}`, ttl: 60 };
const OURS = addressRecords([], "dockerhost", HOST);
const look = (text: string) => readZoneOnDisk(text, SETTINGS, OURS);

/** The zone after one run over a file. */
const update = (text: string, now = NOW, records = OURS): string =>
  updateZone(look(text), SETTINGS, records, now).text;

const serialOf = (text: string): number => Number(/\tSOA\t\S+ \S+ (\d+) /.exec(text)?.[1]);

const service = (
  names: string[],
  address: string,
  health: Service["health"] = "none",
  shared: string[] = [],
): Service => ({ names, address: ip(address), health, sharedNames: shared }) as unknown as Service;

const lines = (list: readonly { owner: string; address: string }[]): string[] =>
  list.map((r) => `${r.owner} ${r.address}`);

t.test(
  "dns and www: the host's, until a service, a lease on hold or a hand-written record has the name",
  async (t) => {
    const found = (keys: Record<string, string>, over: Partial<Observation> = {}): string[] =>
      decide(config(keys), observation(over), NOW)
        .desired.zone.records.filter(({ owner }) => owner === "dns" || owner === "www")
        .map(({ owner, rdata }) => `${owner} ${rdata}`);
    t.strictSame(found({}), [`dns ${HOST}`, `www ${HOST}`]);
    t.strictSame(found({ WEB_ENABLED: "0" }), [`dns ${HOST}`]);
    t.strictSame(found({ HOST_NAME: "www" }), [`dns ${HOST}`, `www ${HOST}`], "each once");
    t.strictSame(found({ SERVICES: "none" }), [], "OCDD does not run them");
    const www = container({ name: "www" });
    t.strictSame(found({}, { containers: [www] }), [`dns ${HOST}`, "www 192.168.122.11"]);
    const leases = [lease("192.168.122.11", "container:www", { names: ["www"], releasedAt: NOW - 10 })];
    const held = { ...BARE, table: { ...BARE.table, leases } };
    t.strictSame(found({}, { actual: held }), [`dns ${HOST}`]);
    const ended = emptyState(config(), observation({ actual: held }), NOW).zone.records;
    t.notOk(ended.some(({ owner }) => owner === "www"));
    t.ok(ended.some(({ owner }) => owner === "dns"));
    const zone = zoneOnDisk("$TTL 60\nwww IN CNAME printer\nprinter IN A 192.0.2.1\n");
    t.strictSame(found({}, { zone }), [`dns ${HOST}`]);
  },
);

t.test("apex first, then by name, then by address", async (t) => {
  const records = addressRecords(
    [service(["web", "a", "web.shop"], "10.0.0.10"), service(["zed", "web"], "10.0.0.9")],
    "dockerhost",
    HOST,
  );
  t.strictSame(lines(records), [
    `@ ${HOST}`,
    "a 10.0.0.10",
    `dockerhost ${HOST}`,
    "web 10.0.0.9",
    "web 10.0.0.10",
    "web.shop 10.0.0.10",
    "zed 10.0.0.9",
  ]);
});

t.test("a shared name leaves out containers that are not healthy, as long as one is", async (t) => {
  const pair = (a: Service["health"], b: Service["health"]): string[] =>
    lines(
      addressRecords(
        [
          service(["web-1", "web"], "10.0.0.1", a, ["web"]),
          service(["web-2", "web"], "10.0.0.2", b, ["web"]),
        ],
        "h",
        HOST,
      ),
    ).filter((l) => l.startsWith("web"));
  t.strictSame(pair("healthy", "unhealthy"), ["web 10.0.0.1", "web-1 10.0.0.1", "web-2 10.0.0.2"]);
  t.strictSame(pair("starting", "none"), ["web 10.0.0.2", "web-1 10.0.0.1", "web-2 10.0.0.2"]);
  t.strictSame(pair("unhealthy", "starting"), [
    "web 10.0.0.1",
    "web 10.0.0.2",
    "web-1 10.0.0.1",
    "web-2 10.0.0.2",
  ]);
});

t.test("named ports are found by SRV at every name, and lead to each container's own", async (t) => {
  const http = { protocol: "tcp", port: 80, service: "http" } as const;
  const sip = { protocol: "udp", port: 5060, service: "sip" } as const;
  const offering = (
    name: string,
    names: string[],
    address: string,
    health: Service["health"],
    srv: Service["srv"],
  ) => ({ ...service(names, address, health, ["web"]), name, srv }) as unknown as Service;
  const services = [
    offering("web-1", ["web-1", "web"], "10.0.0.1", "healthy", [http, sip]),
    offering("web-2", ["web-2", "web"], "10.0.0.2", "healthy", [http, http]),
    offering("web-3", ["web-3", "web"], "10.0.0.3", "unhealthy", [http]),
    offering("quiet", ["quiet"], "10.0.0.4", "none", []),
  ];
  const addresses = addressRecords(services, "dockerhost", HOST);
  const told = (owners: ReadonlyMap<string, string> = new Map()): string[] =>
    srvRecords(services, addresses, ZONE, owners).map((r) => `${r.owner} ${r.port} ${r.target}`);
  t.strictSame(told(), [
    "_http._tcp.web 80 web-1",
    "_http._tcp.web 80 web-2",
    "_http._tcp.web-1 80 web-1",
    "_http._tcp.web-2 80 web-2",
    "_http._tcp.web-3 80 web-3",
    "_sip._udp.web 5060 web-1",
    "_sip._udp.web-1 5060 web-1",
  ]);
  const byHand = new Map([
    ["_http._tcp.web", "CNAME"],
    ["_udp.web-1", "NS"],
  ]);
  t.strictSame(
    told(byHand).filter((line) => /^_http\._tcp\.web |^_sip\._udp\.web-1 /.test(line)),
    [],
    "hand-written records there are not joined",
  );
  const long = "x".repeat(60);
  const zone = `${[long, long, long].join(".")}.example`;
  t.strictSame(
    srvRecords(
      [offering(long, [long], "10.0.0.1", "none", [http])],
      [{ owner: long, address: ip("10.0.0.1") }],
      zone,
      new Map(),
    ),
    [],
    "no owner beyond 255 octets",
  );
  const text = renderZone(SETTINGS, addresses, 7, "", srvRecords(services, addresses, ZONE, new Map()));
  t.match(text, `_sip._udp.web.${ZONE}.\t60\tIN\tSRV\t0 0 5060 web-1.${ZONE}.\t; ${MARK}\n`);
  t.strictSame(
    look(text).records.filter((r) => r.type === "SRV" && r.owner === "_http._tcp.web"),
    [
      { owner: "_http._tcp.web", type: "SRV", rdata: `0 0 80 web-1.${ZONE}.` },
      { owner: "_http._tcp.web", type: "SRV", rdata: `0 0 80 web-2.${ZONE}.` },
    ],
  );
  t.equal(readZoneOnDisk(text, SETTINGS, OURS).handwritten, "", "they are OCDD's when read again");
});

t.test("serials rise (RFC 1982), from a hand-written date too, and after a lost file (O-11)", async (t) => {
  t.equal(nextSerial(0, NOW), NOW);
  t.equal(nextSerial(NOW, NOW), NOW + 1);
  t.equal(nextSerial(2_026_112_001, NOW), 2_026_112_002);
  t.equal(nextSerial(0xffffffff, NOW), NOW, "past the end of the circle");
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), (serial, now) => {
      const ahead = (nextSerial(serial, now) - serial) >>> 0;
      return ahead > 0 && ahead < 2 ** 31;
    }),
    {
      examples: [
        [0xffffffff, 0],
        [0xffffffff, 0xffffffff],
        [0, 0],
        [0x7fffffff, 0xffffffff],
        [0xffffffff, 0x80000000],
      ],
    },
  );
});

/** What the bash script's users have: its template by hand, unmarked, and the lines it added. */
const TEMPLATE = `$TTL 14400
@ IN SOA dockerhost.${ZONE}. hostmaster.${ZONE}. (
\t2019010101 ; serial
\t3600 ; refresh
\t600
\t86400
\t3600 )
@\tIN\tNS\tdockerhost.${ZONE}.
@\tIN\tA\t${HOST}
dockerhost\tIN\tA\t${HOST}
printer IN A 10.9.9.9
mail\t300\tIN\tMX\t10 mx.example.org.
jenkins\tIN\tA\t192.168.122.11 ; ${MARK}
`;

t.test(
  "the bash script's zone: its own lines and the template's are removed, hand-written ones kept",
  async (t) => {
    const after = update(TEMPLATE);
    t.equal(serialOf(after), 2_019_010_102);
    t.match(after, /\nprinter IN A 10\.9\.9\.9\nmail\t300\tIN\tMX\t10 mx\.example\.org\.\n$/);
    t.notMatch(after, "jenkins");
    t.equal(after.split("\n").filter((l) => l.includes(`\tA\t${HOST}`)).length, 2);
    t.equal(after.match(/SOA/g)?.length, 1);
    t.match(after, "$TTL 14400\n", "the TTL of what follows is the writer's");
    t.equal(update(after), after, "nothing the second time");
  },
);

t.test(
  "a line that the zone cannot hold: a warning, and it becomes a comment; its neighbours are unchanged",
  async (t) => {
    const text = `$TTL 60
good IN A 10.1.1.1
bad IN A 10.1.1
 IN TXT "owned by bad"
$INCLUDE /etc/shadow
other.example.net. IN A 10.1.1.2
q IN TXT "never closed
@ IN CNAME elsewhere.example.org.
dockerhost IN CNAME elsewhere.example.org.
@ IN DNAME elsewhere.example.org.
dockerhost IN NS ns.example.org.
@ IN NS ns2.example.org.
last IN A 10.1.1.3`;
    const { warnings } = look(text);
    t.match(
      warnings.map((w) => /line (\d+)/.exec(w)?.[1]),
      ["3", "5", "6", "7", "8", "9", "10", "11"],
    );
    t.ok(warnings.every((w) => w.includes("is not served and now a comment: ")));
    const after = update(text);
    t.match(after, '; bad IN A 10.1.1\nbad.toolbox.example.com. IN TXT "owned by bad"\n');
    t.match(after, "; $INCLUDE /etc/shadow\n");
    t.match(after, /\nlast IN A 10\.1\.1\.3\n$/);
    t.match(after, "\n@ IN NS ns2.example.org.\n");
    t.match(after, "\n; @ IN CNAME elsewhere");
    t.equal(update(after), after);
    t.strictSame(look(after).warnings, [], "a comment is no problem");
  },
);

t.test(
  "names with hand-written records, and names below a hand-written delegation, are barred",
  async (t) => {
    const { owners } = look(
      "$TTL 60\na IN A 10.0.0.1\nb IN CNAME x.\nc IN NS ns.example.org.\nd IN TXT x\ne IN AAAA fd00::1\nF.g IN A 10.0.0.2\nh DNAME y.\n",
    );
    const bar = (name: string): string | null => barredByHand(name, owners);
    t.match(bar("a"), /"a" has a hand-written A record/);
    t.match(bar("b"), /CNAME/);
    t.match(bar("c"), /NS/);
    t.match(bar("x.c"), /"x.c" lies below a hand-written NS record/);
    t.match(bar("x.h"), /DNAME/);
    t.match(bar("f.g"), /A record/);
    t.match(bar("d"), /TXT/);
    t.match(bar("e"), /AAAA/);
    for (const name of ["g", "x.a", "cc"]) t.equal(bar(name), null, name);
  },
);

t.test(
  "a name server written by hand with another TTL: OCDD's own has that one, and the next run changes nothing",
  async (t) => {
    const once = update("$TTL 1h\n@ IN NS ns2.example.net.\nx 5 IN A 10.0.0.1\n");
    const text = look(once).text;
    t.match(text, new RegExp(`${ZONE}\\.\t3600\tIN\tNS\tdockerhost`));
    t.match(text, new RegExp(`${ZONE}\\.\t60\tIN\tSOA\t`));
    t.equal(update(once, NOW + 9), once);
    const { errors, warnings } = compileZone(parseZoneFile(once, ZONE), ZONE, 1);
    t.strictSame([...errors, ...warnings], []);
    t.match(update("@ IN NS dockerhost\n"), new RegExp(`${ZONE}\\.\t60\tIN\tNS`), "its own by hand");
  },
);

t.test(
  "addresses written by hand where OCDD has one: it takes their TTL, and the next run changes nothing",
  async (t) => {
    const once = update("dockerhost 3600 A 10.0.0.9\n@ 900 A 10.0.0.9\n@ 30 TXT x\n");
    t.match(once, new RegExp(`^dockerhost\\.${ZONE}\\.\t3600\tIN\tA\t${HOST}`, "m"));
    t.match(once, new RegExp(`^${ZONE}\\.\t900\tIN\tA\t${HOST}`, "m"));
    t.strictSame(look(once).warnings, []);
    t.equal(update(once, NOW + 9), once);
    t.strictSame(compileZone(parseZoneFile(once, ZONE), ZONE, 1).warnings, []);
  },
);

t.test(
  "hand-written records of one name and type with different TTLs: all get the first one's, once",
  async (t) => {
    const text = '$TTL 60\nm 300 A 10.0.0.1\n 600 A 10.0.0.2\n TXT "x ; y"\n 5 TXT ( a ; c\n b )\n';
    t.match(look(text).warnings, [
      /^zone file line 3 has now TTL 300, not 600: /,
      /^zone file line 5 has now TTL 60, not 5: /,
    ]);
    const after = update(text);
    t.match(after, `;  600 A 10.0.0.2\nm.${ZONE}.\t300\tIN\tA\t10.0.0.2\n TXT "x ; y"\n; `);
    t.match(after, `;  5 TXT ( a ; c\n;  b )\nm.${ZONE}.\tIN\tTXT\ta b\n`);
    t.strictSame(look(after).warnings, []);
    t.equal(update(after, NOW + 9), after);
    t.strictSame(compileZone(parseZoneFile(after, ZONE), ZONE, 1).warnings, []);
  },
);

t.test("a record that has the TTL of one without goes on to have it when DNS_TTL changes", async (t) => {
  const at = (text: string, ttl: number): string => {
    const settings = { ...SETTINGS, ttl };
    return updateZone(readZoneOnDisk(text, settings, OURS), settings, OURS, NOW).text;
  };
  const first = at("db A 10.0.0.1\ndb 90 A 10.0.0.2\n", 60);
  const second = at(first, 120);
  t.equal(second.split("\n\n")[1], first.split("\n\n")[1], "its lines stay as they are");
  t.match(compileZone(parseZoneFile(second, ZONE), ZONE, 1).warnings, []);
});

t.test("OCDD's records are recognized by their mark", async (t) => {
  const records = [...OURS, { owner: "web.shop", address: ip("10.0.0.1") }];
  t.strictSame(
    look(renderZone(SETTINGS, records, 1, "hand IN A 10.0.0.9\n")).records,
    records.map(({ owner, address }) => ({ owner, type: "A", rdata: address })),
  );
});

// Zone files as people write them, good and bad lines mixed.
const line = fc.oneof(
  fc.constantFrom(
    "a IN A 10.0.0.1",
    '\tIN TXT "x ; y"',
    " A 10.0.0.2",
    "b 5m IN CNAME a",
    "$TTL 1h",
    `$ORIGIN sub.${ZONE}.`,
    "$ORIGIN elsewhere.example.org.",
    "; a comment",
    "",
    "   ",
    "bad",
    "c IN A 1.2.3",
    'd IN TXT "open',
    '"',
    "e IN MX ( 10",
    "mx )",
    `jenkins\t60\tIN\tA\t10.0.0.3\t; ${MARK}`,
    `${ZONE}. IN SOA a b 7 1 1 1 1`,
    "@ IN SOA a b 4000000000 1 1 1 1",
    "$ORIGIN sub",
    `@ IN NS dockerhost.${ZONE}.`,
    `dockerhost IN A ${HOST}`,
    "dockerhost IN CNAME x.",
    "*.w IN A 10.0.0.4",
    "\\097\\.b IN A 10.0.0.5",
    "é IN A 10.0.0.6",
    "f IN A 10.0.0.7\r",
    `web IN A 10.0.0.8 ; said ${MARK} once`,
  ),
  fc.stringMatching(/^[ -~]{0,20}$/),
);
const zoneText = fc
  .tuple(fc.array(line, { maxLength: 14 }), fc.constantFrom("", "\n"))
  .map(([list, end]) => list.join("\n") + end)
  .chain((text) => fc.constantFrom(text, `\xef\xbb\xbf${text}`));

t.test(
  "any file: one run, and the next changes nothing; the serial rises with the content only",
  async () => {
    fc.assert(
      fc.property(zoneText, (text) => {
        const first = update(text, NOW);
        const told = look(first).warnings.filter((warning) => !/ is never answered: /.test(warning));
        return update(first, NOW + 60) === first && told.length === 0;
      }),
      { numRuns: Number(process.env.OCDD_RUNS ?? 1500) },
    );
  },
);

t.test("hand-written records served before a run are served after it", async () => {
  const facts = (text: string): string[] =>
    [...look(text).owners]
      .map(([o, ty]) => `${o} ${ty}`)
      .concat(lines(look(text).addresses))
      .sort();
  fc.assert(
    fc.property(zoneText, (text) => JSON.stringify(facts(update(text))) === JSON.stringify(facts(text))),
    { numRuns: Number(process.env.OCDD_RUNS ?? 1500) },
  );
});

/** OCDD's block with this serial. */
const block = (serial: number): string => renderZone(SETTINGS, OURS, serial, "");

t.test(
  "several SOAs: the serial is that of the zone's, and never goes backwards; all others become comments",
  async (t) => {
    const own = 2_026_112_801;
    const soa = (serial: number, owner = "@"): string => `${owner} IN SOA ns1 it ${serial} 1 1 1 1\n`;
    const generic = `@ TYPE6 \\# 24 00 00 ${own.toString(16)} ${"00000001".repeat(4)} \n`.replace("24", "22");
    const table: [what: string, text: string, serial: number, commented: number][] = [
      ["an older one pasted", block(own) + soa(1), own, 1],
      ["an older one pasted above", soa(1) + block(own), own, 1],
      ["a later one pasted", block(own) + soa(own + 9), own + 9, 1],
      ["later than half the circle allows", block(own) + soa((own + 2 ** 31) >>> 0), own, 1],
      ["past the end of the circle", block(0xffff_fff0) + soa(5), 5, 1],
      [
        "two that are a circle with the first",
        block(1) + soa(2 ** 31 - 1) + soa(2 ** 32 - 2),
        2 ** 31 - 1,
        2,
      ],
      ["below the apex", block(own) + soa(4_000_000_000, "sub"), own, 1],
      ["outside of the zone", block(own) + soa(4_000_000_000, "example.net."), own, 1],
      ["none at the apex", soa(7, "sub"), 0, 1],
      ["only by hand: replaced", soa(own), own, 0],
      ["two by hand: the first is replaced", soa(own) + soa(1), own, 1],
      ["the same again", soa(own) + soa(own), own, 1],
      ["as unknown type (RFC 3597)", generic, own, 0],
      ["of a type that OCDD's block has twice", block(own) + block(own - 1), own, 0],
    ];
    for (const [what, text, serial, commented] of table) {
      const read = look(`${text}mail A 192.168.122.6\n`);
      t.equal(read.serial, serial, what);
      t.equal(read.warnings.length, commented, what);
      t.ok(
        read.warnings.every((line) => /is not served and now a comment: .*(SOA|not in the zone)/.test(line)),
        `${what}: ${read.warnings}`,
      );
      const after = update(`${text}mail A 192.168.122.6\n`);
      const ahead = (serialOf(after) - serial) >>> 0;
      t.ok(serial === 0 || (ahead < 2 ** 31 && ahead >= 0), `${what}: ${serialOf(after)}`);
      t.equal(look(after).handwritten.match(/^; .*SOA .*1$/gm)?.length ?? 0, commented, what);
      t.strictSame(compileZone(parseZoneFile(after, ZONE), ZONE, 1).warnings, [], what);
      t.match(after, /\nmail A 192\.168\.122\.6\n$/);
      t.equal(update(after, NOW + 9), after, what);
    }
  },
);

/** The hand-written records that are served, in the order of the file, with the TTL of the first of their name and type. */
function byHand(text: string, commented: ReadonlySet<number>): string[] {
  const ttls = new Map<string, number>();
  return readZoneFile(text, ZONE, SETTINGS.ttl).statements.flatMap((s) => {
    if (s.kind !== "record" || s.type === "SOA" || s.comment === MARK || commented.has(s.line)) return [];
    const set = `${s.owner.toLowerCase()} ${s.type}`;
    ttls.set(set, ttls.get(set) ?? s.ttl);
    return [`${set} ${ttls.get(set)} ${s.rdata.join(" ")}`];
  });
}

t.test(
  "hand-written records above, inside and below OCDD's lines keep owner, TTL and data through a run",
  async () => {
    const piece = fc.constantFrom(
      "$ORIGIN lab",
      '$ORIGIN "a.b"',
      `$ORIGIN lab.${ZONE}.`,
      `$ORIGIN ${ZONE}.`,
      "$ORIGIN bad..name",
      "$ORIGIN example.net.",
      "$TTL 1d",
      "$TTL 60",
      "$TTL 0",
      "printer A 192.168.122.5",
      "printer 300 AAAA fd00::1",
      "printer 900 A 192.168.122.7",
      "@ 3600 A 192.168.122.8",
      "@ MX 20 mail.lab ; second",
      "@ 30 TXT ( 'a\"b' \\; ; c\n d )",
      "printer 7 IPSECKEY 10 3 2 gate.lab AQNR",
      "printer IPSECKEY 10 3 2 gate AQNR",
      "@ MX 10 mail",
      "@ TXT apex",
      '"x y" TXT quoted',
      " TXT above",
      "\t900 IN TXT below",
      " MX 5 mail.lab",
      "www CNAME printer",
      "@ NS ns.lab",
      "@ SOA a b 3 1 1 1 1",
      "bad A 1.2.3",
      "",
      "; a comment",
    );
    const pieces = fc.array(piece, { maxLength: 5 });
    const own = block(7).trimEnd().split("\n");
    fc.assert(
      fc.property(pieces, fc.nat(own.length), pieces, pieces, (above, at, inside, below) => {
        const all = [...above, ...own.slice(0, at), ...inside, ...own.slice(at), ...below];
        const text = `${all.join("\n")}\n`;
        const { warnings } = look(text);
        const commented = new Set(warnings.map((line) => Number(/line (\d+) is not served/.exec(line)?.[1])));
        const after = update(text);
        const [want, got] = [byHand(text, commented), byHand(after, new Set())];
        if (JSON.stringify(want) !== JSON.stringify(got)) throw new Error(`${after}\n${want}\n${got}`);
        return update(after, NOW + 9) === after;
      }),
      { numRuns: Number(process.env.OCDD_RUNS ?? 1500) },
    );
  },
);

t.test(
  "lines that a directive above OCDD's block would change get their own; a changed DNS_TTL is for them too",
  async (t) => {
    const lab = `$ORIGIN lab.${ZONE}.\nprinter A 192.168.122.5\n`;
    const mail = "mail A 192.168.122.6\n";
    t.ok(update(`${lab}${block(7)}${mail}`).endsWith(`\n\n${lab}$ORIGIN ${ZONE}.\n${mail}`), "the origin");
    t.ok(update(`$TTL 1d\n${block(7)}${mail}`).endsWith(`\n\n$TTL 1d\n$TTL 60\n${mail}`), "the TTL");
    t.ok(update(`${block(7)}${mail}`).endsWith(`\n\n${mail}`), "nothing where nothing changes");
    const settings = { ...SETTINGS, ttl: 300 };
    const slower = (text: string): string =>
      updateZone(readZoneOnDisk(text, settings, OURS), settings, OURS, NOW).text;
    const after = slower(`${block(7)}${mail}@ NS ns2.example.net.\n`);
    t.match(after, new RegExp(`^\\$ORIGIN [^$]+\\$TTL 300\t[^$]+\n\n${mail}`));
    t.match(after, `${ZONE}.\t300\tIN\tNS\tdockerhost`);
    t.equal(slower(after), after);
  },
);

t.test("a zone file that begins with a BOM is read without it, and written without", async (t) => {
  for (const text of ["mail A 192.168.122.6\nftp A 192.168.122.7\n", `${block(7)}ftp A 192.168.122.7\n`]) {
    const marked = look(`\xef\xbb\xbf${text}`);
    t.strictSame({ ...marked, text: "" }, { ...look(text), text: "" });
    t.notMatch(update(`\xef\xbb\xbf${text}`), "\xef");
  }
});

t.test(
  "hand-written lines without a TTL take DNS_TTL, also before the first run and behind a SOA",
  async (t) => {
    for (const [text, ttl] of [
      ["mail IN A 192.168.122.5\n", 60],
      ["@ 3600 IN SOA ns it 99999999999 1 1 1 1\nmail IN A 192.168.122.5\n", 60],
      [`@ 3600 IN SOA ns it 7 1 1 1 1\nmail IN A 192.168.122.5\n`, 60],
      ["$TTL 900\nmail IN A 192.168.122.5\n", 900],
    ] as const) {
      const { warnings, addresses } = look(text);
      t.strictSame(
        warnings.filter((line) => line.includes("TTL")),
        [],
        text,
      );
      t.strictSame(lines(addresses), ["mail 192.168.122.5"], text);
      const { zone } = compileZone(parseZoneFile(update(text), ZONE), ZONE, 1);
      const answer = zone && lookup(zone, parseName(`mail.${ZONE}.`), 1);
      t.equal(answer?.answer[0]?.set.ttl, ttl, text);
    }
  },
);

t.test("a zone file just rendered, read back, holds the records it was made from", async () => {
  const owner = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
  const record = fc.record({ owner, address: fc.constantFrom(ip("10.0.0.1"), ip("10.0.0.2")) });
  const unique = { selector: (r: { owner: string; address: string }) => `${r.owner} ${r.address}` };
  const srv = fc.record({
    owner: owner.map((one) => `_http._tcp.${one}`),
    port: fc.integer({ min: 1, max: 65_535 }),
    target: fc.oneof(owner, fc.constant("@")),
  });
  const srvUnique = { selector: (r: object) => JSON.stringify(r), maxLength: 4 };
  fc.assert(
    fc.property(
      fc.uniqueArray(record, unique),
      fc.uniqueArray(srv, srvUnique),
      zoneText,
      (records, services, before) => {
        const made = updateZone(look(before), SETTINGS, [...OURS, ...records], NOW, services);
        const { serial, records: read, text } = look(made.text);
        return JSON.stringify({ serial, records: read, text }) === JSON.stringify(made);
      },
    ),
    { numRuns: 500 },
  );
});

t.test("BIND accepts what a run writes", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-zone-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "zone");
  const hostile = `${TEMPLATE}bad line\n@ IN CNAME x.\ndockerhost IN CNAME y.\nq IN TXT "open\n`;
  for (const [what, text] of [
    ["template", TEMPLATE],
    ["hostile", hostile],
    ["nothing", ""],
  ] as const) {
    writeFileSync(path, update(text), "latin1");
    t.match(
      execFileSync("named-checkzone", ["-k", "fail", "-i", "local", ZONE, path], { encoding: "utf8" }),
      /OK\n$/,
      what,
    );
  }
});
