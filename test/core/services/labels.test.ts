import fc from "fast-check";
import t from "tap";
import { clip } from "../../../src/core/clip.ts";
import { isShown, readLabels } from "../../../src/core/services/labels.ts";

const wishes = (labels: Record<string, string>) => readLabels(new Map(Object.entries(labels)));

const KEYS = ["name", "aliases", "network", "map", "ports", "allow", "srv", "enable"].map(
  (key) => `ocdd.${key}`,
);
/** Labels as strangers write them: near misses of the grammar, and anything at all. */
const hostile = fc.dictionary(
  fc.constantFrom(...KEYS),
  fc.oneof(
    fc.string({ unit: "binary", maxLength: 3000 }),
    fc.stringMatching(/^[0-9,:/a-z. -]{0,60}$/),
    fc
      .array(
        fc.constantFrom(
          "80",
          "80:8080",
          "53/udp",
          "443:8443/tcp",
          "10.0.0.0/8",
          "http:80",
          "0/tcp",
          "65536",
          "a/b",
        ),
        { maxLength: 40 },
      )
      .map((items) => items.join(",")),
  ),
);

t.test("labels never throw, and every field of the answer is bounded", async () => {
  fc.assert(
    fc.property(hostile, (labels) => {
      const got = wishes(labels);
      const numbers = [...got.map.flatMap((m) => [m.port, m.to]), ...(got.ports ?? []).map((p) => p.port)];
      return (
        numbers.every((n) => Number.isInteger(n) && n >= 1 && n <= 65_535) &&
        got.map.length <= 32 &&
        (got.ports ?? []).length <= 32 &&
        got.srv.length <= 32 &&
        got.srv.every(
          ({ service, port }) => /^[a-z0-9-]{1,15}$/.test(service) && port >= 1 && port <= 65_535,
        ) &&
        got.aliases.length <= 32 &&
        got.aliases.every((alias) => /^[a-z0-9-]{1,63}$/.test(alias)) &&
        (got.allow ?? []).every((cidr) => /^[0-9.]+\/[0-9]+$/.test(cidr)) &&
        // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the point
        got.notes.every((note) => note.length < 200 && !/[\u0000-\u001f\u007f]/.test(note))
      );
    }),
  );
});

t.test("each label in its spellings", async (t) => {
  t.strictSame(wishes({ "ocdd.map": "80:8080, 443:8443/tcp,53:5353/udp" }).map, [
    { protocol: "tcp", port: 80, to: 8080 },
    { protocol: "tcp", port: 443, to: 8443 },
    { protocol: "udp", port: 53, to: 5353 },
  ]);
  t.strictSame(wishes({ "ocdd.ports": "80,53/UDP,9/sctp" }).ports, [
    { protocol: "tcp", port: 80 },
    { protocol: "udp", port: 53 },
    { protocol: "sctp", port: 9 },
  ]);
  t.strictSame(wishes({ "ocdd.srv": "HTTP:80, sip:5060/udp,x-1a:9/sctp" }).srv, [
    { protocol: "tcp", port: 80, service: "http" },
    { protocol: "udp", port: 5060, service: "sip" },
    { protocol: "sctp", port: 9, service: "x-1a" },
  ]);
  for (const bad of [
    "80",
    "http",
    "http:0",
    "http:80:81",
    "80:80",
    "-a:1",
    "a--b:1",
    "a-:1",
    "a.b:1",
    "abcdefghijklmnop:1",
    "http:80,",
  ]) {
    const { srv, notes } = wishes({ "ocdd.srv": bad });
    t.strictSame(srv, [], bad);
    t.match(notes, [/ocdd\.srv cannot be read and is ignored/]);
  }
  t.strictSame(wishes({ "ocdd.allow": "10.1.2.3, 10.0.0.0/8,192.168.0.0/17,192.168.128.0/17" }).allow, [
    "10.0.0.0/8",
    "192.168.0.0/16",
  ]);
  t.equal(wishes({ "ocdd.allow": "10.0.0.0/8,0.0.0.0/0" }).allow, null, "from everywhere is no restriction");
  t.strictSame(wishes({ "ocdd.aliases": "Git, code ,,git,x_y" }).aliases, ["git", "code", "x-y"]);
  t.match(wishes({}), {
    name: null,
    aliases: [],
    network: null,
    map: [],
    ports: null,
    allow: null,
    refused: null,
    notes: [],
  });
});

t.test("a restriction that cannot be read is never taken for none", async (t) => {
  const bad: [string, string][] = [
    ["ocdd.ports", "80,http"],
    ["ocdd.ports", ""],
    ["ocdd.ports", "0"],
    ["ocdd.ports", "65536"],
    ["ocdd.ports", "80/icmp"],
    ["ocdd.ports", "80/tcp/x"],
    ["ocdd.ports", "80-90"],
    ["ocdd.allow", "everyone"],
    ["ocdd.allow", ""],
    ["ocdd.allow", "10.0.0.0/8;-j ACCEPT"],
    ["ocdd.allow", "fd00::/8"],
    ["ocdd.allow", Array.from({ length: 33 }, (_, i) => `10.0.0.${i}`).join(",")],
    ["ocdd.allow", "10.0.0.1,".repeat(2000)],
  ];
  for (const [key, value] of bad) {
    const { refused } = wishes({ [key]: value });
    t.ok(refused?.startsWith(`label ${key} cannot be read`), `${key}=${value.slice(0, 30)}`);
  }
});

t.test("a map that cannot be read is told and forwards every port as it is", async (t) => {
  for (const value of ["80", "80:", ":80", "80:8080:1", "a:b", "80:8080/xyz"]) {
    const got = wishes({ "ocdd.map": value });
    t.strictSame(got.map, []);
    t.match(got.notes, [/ocdd\.map cannot be read/]);
    t.equal(got.refused, null);
  }
});

t.test("who is shown", async (t) => {
  const table: [string | undefined, boolean, boolean][] = [
    [undefined, true, false],
    ["true", true, true],
    [" TRUE ", true, true],
    ["false", false, false],
    ["False", false, false],
    ["0", true, false],
    ["", true, false],
  ];
  for (const [value, all, labelled] of table) {
    const labels = new Map(value === undefined ? [] : [["ocdd.enable", value]]);
    t.equal(isShown(labels, "all"), all, `all: ${value}`);
    t.equal(isShown(labels, "labelled"), labelled, `labelled: ${value}`);
  }
});

t.test("a stranger's text on one line of a terminal", async (t) => {
  t.equal(clip("a\u001b[31mb\nc\u2028d\u202ee"), "a\ufffd[31mb\ufffdc\ufffdd\ufffde");
  t.equal(clip("x".repeat(100)), `${"x".repeat(60)}…`);
  t.equal(clip(undefined), "");
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.nat(80),
      (s, most) => clip(s, most).length <= most + 1 && !/\p{Cc}/u.test(clip(s, most)),
    ),
  );
});
