import fc from "fast-check";
import t from "tap";
import { clip } from "../../../src/core/clip.ts";
import { readBoolean } from "../../../src/core/services/boolean.ts";
import { isShown, readLabels } from "../../../src/core/services/labels.ts";

const wishes = (labels: Record<string, string>) => readLabels(new Map(Object.entries(labels)));

const KEYS = ["name", "aliases", "network", "address", "map", "ports", "allow", "srv", "enable"].map(
  (key) => `ocdd.${key}`,
);
/** Untrusted labels: near misses of the grammar, and any text. */
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

t.test("a restriction that cannot be read: the container is refused", async (t) => {
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
    t.match(
      refused,
      new RegExp(`^label ${key} cannot be read: ".*" is not a list of .* such as `),
      value.slice(0, 30),
    );
  }
});

t.test("ocdd.map that cannot be read: a warning, and ports are forwarded unmapped", async (t) => {
  for (const value of ["80", "80:", ":80", "80:8080:1", "a:b", "80:8080/xyz"]) {
    const got = wishes({ "ocdd.map": value });
    t.strictSame(got.map, []);
    t.match(got.notes, [/ocdd\.map cannot be read/]);
    t.equal(got.refused, null);
  }
});

t.test("a boolean label: each spelling is read, any other word is refused", async (t) => {
  const yes = ["true", "True", " TRUE ", "1", "yes", "on", "ON"];
  const no = ["false", "False", "0", "no", "off", " Off"];
  const unreadable = ["", "y", "n", "t", "f", "disabled", "disable", "2", "falsch", "true,false", "fa lse"];
  for (const [words, value] of [
    [yes, true],
    [no, false],
    [unreadable, undefined],
  ] as const) {
    for (const word of words) t.equal(readBoolean(word), value, word);
  }
  for (const key of ["ocdd.enable", "ocdd.hide"]) {
    for (const word of [...yes, ...no]) t.equal(wishes({ [key]: word }).refused, null, `${key}=${word}`);
    for (const word of unreadable) {
      t.equal(wishes({ [key]: word }).refused, `label ${key} cannot be read: "${word}" is not true or false`);
    }
  }
});

/** Every label with one letter left out, doubled or changed. */
const oneEdit = (word: string): string[] =>
  [...word].flatMap((letter, i) => {
    const [before, after] = [word.slice(0, i), word.slice(i + 1)];
    return [`${before}${after}`, `${before}${letter}${letter}${after}`, `${before}q${after}`];
  });

t.test("an unknown label close to a restriction: refused", async (t) => {
  for (const restriction of ["allow", "ports", "enable", "hide"]) {
    const keys = [
      ...oneEdit(restriction).map((word) => `ocdd.${word}`),
      `ocdd.${restriction} `,
      ` ocdd.${restriction}`,
      `OCDD.${restriction}`,
      `ocdd.${restriction.toUpperCase()}`,
      `ocdd.${restriction}s`,
      `ocdd.${restriction}d`,
      `ocdd_${restriction}`,
      `ocdd-${restriction}`,
      `ocdd.${restriction}-from`,
    ].filter((key) => key !== `ocdd.${restriction}`);
    for (const key of keys) {
      const { refused } = wishes({ [key]: "10.0.0.0/8" });
      t.match(refused, /^label ".*" is not known; if it is to restrict, write ocdd\./, JSON.stringify(key));
    }
  }
  for (const key of ["ocdd.allowed", "ocdd.enabled", "ocdd.port", "ocdd.Ports", "ocdd.hidden"])
    t.ok(wishes({ [key]: "x" }).refused, key);
  t.ok(
    isShown(new Map([["ocdd.enabled", "true"]]), "labelled"),
    "shown with the reason under EXPOSE=labelled as well",
  );
});

/** Characters that replace others or come between them by mistake, seen and unseen. */
const STRAY = [
  ..."abcdefghijklmnopqrstuvwxyz0.-_ ,:;/=\"'`OCD\t\n\u00a0\u200b\u2060\ufeff\u00ad\u0430\u0441\u043e\uff41\uff0e\u{1d41a}",
];

/** Every key with one letter left out, added, changed, or exchanged with the next; lower case is the same as upper. */
function misspelt(key: string): Set<string> {
  const all = new Set<string>();
  for (let i = 0; i <= key.length; i++) {
    const [before, after] = [key.slice(0, i), key.slice(i)];
    all.add(before + after.slice(1));
    all.add(before + after.slice(1, 2) + after.slice(0, 1) + after.slice(2));
    for (const letter of STRAY) all.add(before + letter + after).add(before + letter + after.slice(1));
  }
  all.delete(key);
  return all;
}

t.test("a restriction with one letter wrong anywhere in its key: refused, never silent", async (t) => {
  for (const restriction of ["allow", "ports", "enable", "hide"])
    for (const key of misspelt(`ocdd.${restriction}`)) {
      const { refused } = wishes({ [key]: "10.0.0.0/8" });
      if (!refused?.includes(`write ocdd.${restriction}`)) t.fail(`${JSON.stringify(key)}: ${refused}`);
    }
  for (const limit of ["wake", "wake.ports", "wake.from"])
    for (const key of misspelt(`ocdd.${limit}`)) {
      const { refused, notes } = wishes({ [key]: "10.0.0.0/8" });
      if (refused === null && !/limit what wakes the container/.test(notes.join()))
        t.fail(`${JSON.stringify(key)}: ${notes}`);
    }
});

t.test(
  "a restriction whose prefix is misspelt, quoted, in a namespace, or not separated: refused",
  async (t) => {
    const shapes = [
      (rest: string) => `odcc.${rest}`,
      (rest: string) => `com.ocdd.${rest}`,
      (rest: string) => `com.example.ocdd.${rest}`,
      (rest: string) => `x-ocdd.${rest}`,
      (rest: string) => `labels.ocdd.${rest}`,
      (rest: string) => `"ocdd.${rest}"`,
      (rest: string) => `- ocdd.${rest}`,
      (rest: string) => `\u200b\u200bocdd.${rest}`,
      (rest: string) => `ocdd.${rest}: 10.0.0.0/8`,
      (rest: string) => `ocdd.${rest}=10.0.0.0/8`,
      (rest: string) => `\uff4f\uff43\uff44\uff44.${rest}`,
      (rest: string) => `occd.${rest}s`,
      (rest: string) => ` OCD_${rest}`,
    ];
    for (const restriction of ["allow", "ports", "enable", "hide"])
      for (const shape of shapes) {
        const key = shape(restriction);
        const { refused } = wishes({ [key]: "x" });
        t.match(refused, `write ocdd.${restriction}`, JSON.stringify(key));
        t.notOk((refused ?? "").includes("\u200b"), "no format character in the message");
      }
    t.ok(
      isShown(new Map([["occd.enable", "false"]]), "labelled"),
      "with the reason under EXPOSE=labelled too",
    );
  },
);

t.test(
  "a restriction that may be another program's: the reason says so, and OCDD's own label decides",
  async (t) => {
    for (const [key, own, value] of [
      ["ocd.enable", "ocdd.enable", "true"],
      ["odd.ports", "ocdd.ports", "80"],
      ["com.ocdd.allow", "ocdd.allow", "0.0.0.0/0"],
    ] as const) {
      t.match(wishes({ [key]: "x" }).refused, `write ${own}; if it is another program's, set ${own} as well`);
      const { refused, notes } = wishes({ [key]: "x", [own]: value });
      t.equal(refused, null, key);
      t.strictSame(notes, [`label "${key}" is not known and is ignored; the nearest is ${own}`]);
    }
    t.notMatch(wishes({ "ocdd.allows": "x" }).refused, "another program");
    t.ok(
      wishes({ "ocdd.allows": "x", "ocdd.allow": "10.0.0.0/8" }).refused,
      "OCDD's own prefix: refused all the same",
    );
  },
);

t.test("a key of OCDD's prefix with a restriction, or another word for one, anywhere: refused", async (t) => {
  const meanings: [string, readonly string[]][] = [
    [
      "allow",
      ["deny", "block", "acl", "from", "whitelist", "blacklist", "restricted", "private", "internal"],
    ],
    ["enable", ["disable", "disabled", "disabel", "ignore", "ignored", "exclude", "expose", "skip"]],
    ["hide", ["unlisted"]],
  ];
  for (const [own, words] of meanings)
    for (const word of words)
      for (const key of [`ocdd.${word}`, `OCDD_${word}`, `ocdd.${word}.x`, `ocdd.http.${word}`])
        t.match(wishes({ [key]: "x" }).refused, `write ocdd.${own}`, key);
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("http", "network", "map", "x", "lan", "srv", "url"), {
        minLength: 1,
        maxLength: 3,
      }),
      fc.constantFrom(
        ...["allow", "alow", "allowed", "ports", "port", "enable", "enabled", "hide", "hidden"],
      ),
      fc.array(fc.constantFrom("x", "v4", "cidr"), { maxLength: 2 }),
      fc.constantFrom(".", "-", "_", "/"),
      (before, word, after, separator) =>
        wishes({ [`ocdd.${[...before, word, ...after].join(separator)}`]: "x" }).refused !== null,
    ),
  );
});

t.test("a key of a known family: it is about that, and only a limit of waking counts", async (t) => {
  for (const key of [
    "health.port",
    "health.enable",
    "metrics.port",
    "monitor.enabled",
    "idle.from",
    "update.ignore",
  ]) {
    const { refused, notes } = wishes({ [`ocdd.${key}`]: "x" });
    t.equal(refused, null, key);
    t.match(notes, [/is not known and is ignored/], key);
  }
  for (const [key, limit] of [
    ["ocdd.wake.allow", "wake.from"],
    ["ocdd.wake.source", "wake.from"],
    ["ocdd.wake.sources", "wake.from"],
    ["ocdd.wake.http.from", "wake.from"],
    ["ocdd.wkae.deny", "wake.from"],
    ["ocdd.wake.tcp.ports", "wake.ports"],
    ["ocdd.wake.enable", "wake"],
    ["ocdd.wake.disabled", "wake"],
  ] as const) {
    const { refused, notes } = wishes({ [key]: "x" });
    t.equal(refused, null, key);
    t.match(notes, [`limit what wakes the container, write ocdd.${limit}`], key);
  }
});

t.test(
  "a prefix of OCDD's letters doubled, turned round or mirrored, and the bash script's name: refused",
  async (t) => {
    for (const prefix of [
      "coodd",
      "ooccdd",
      "occdd",
      "ocddd",
      "ccodd",
      "ocbb",
      "octocopdd",
      "OctoCopDD",
      "octocopd",
    ])
      for (const restriction of ["allow", "ports", "enable", "hide"])
        for (const key of [`${prefix}.${restriction}`, `${prefix}-${restriction}`, `${prefix}${restriction}`])
          t.match(wishes({ [key]: "x" }).refused, `write ocdd.${restriction}`, key);
  },
);

t.test("labels of other programs: not a word", async (t) => {
  const others = `
    traefik.enable traefik.port traefik.http.routers.ocdd.rule traefik.http.routers.ocdd.entrypoints
    traefik.http.services.ocdd.loadbalancer.server.port traefik.http.middlewares.ocdd.ipallowlist.sourcerange traefik.docker.network
    com.docker.compose.project com.docker.compose.service com.docker.compose.oneoff com.docker.compose.depends_on
    com.docker.swarm.service.name com.docker.stack.namespace desktop.docker.io/ports desktop.docker.io/binds/0/Source
    org.opencontainers.image.title org.opencontainers.image.source org.label-schema.name maintainer description version name ports
    allow enable hide hidden port enabled ocd odd cdd ocdd octo octopus octoprint.port octodns.enable
    com.centurylinklabs.watchtower.enable com.centurylinklabs.watchtower.scope com.centurylinklabs.watchtower.monitor-only
    diun.enable diun.watch_repo wud.watch wud.tag.include homepage.name homepage.href homepage.widget.type glance.name glance.hide
    homarr.hide flame.type dashy.label sablier.enable sablier.group health-check ofelia.enabled ofelia.job-exec.x.schedule
    chadburn.enabled deck-chores.dump.command autoheal autoheal.stop.timeout docker-volume-backup.stop-during-backup
    docker-volume-backup.archive-pre caddy caddy.reverse_proxy caddy_0 caddy_0.import prometheus prometheus.io/port prometheus.io/scrape
    prometheus-scrape.enabled prometheus-scrape.port promtail logging logging.promtail com.datadoghq.ad.logs co.elastic.logs/enabled
    cadvisor.enable nginx-proxy.port VIRTUAL_HOST com.github.nginx-proxy.nginx com.github.dockergen.x coolify.managed coolify.port
    dokku.port io.portainer.hide io.balena.features.dbus io.rancher.container.ports io.kubernetes.pod.name io.podman.annotations.label
    tsdproxy.enable tsdproxy.container_port dockflare.enable swag swag_port swag_enable proxy.ports kuma.x.http.name docky.allow
    oidc.enable oidc.allow odoo.ports occupancy.enable order.hide code.allow code.ports cod.hosts dodd.hive todo.enable codename.hide
    traefik.allow traefik.deny homepage.allow homepage.ports homepage.hide homepage.internal org.example.ports org.example.disable
    ocpp.ports ocpp.enable ocpp.allow cobb.ports coco.enable dodo.hide octopus.allow octoprint.ports octodns.allow codd.deny
    com.ocdd.source odd.deny ocd.disable acdd.titel ocd.name ocd.title ocd.hosts odd.pods ocid.pool odd.wait cdd.url ocd.loops`
    .trim()
    .split(/\s+/);
  for (const key of others) {
    const { refused, notes } = wishes({ [key]: "x" });
    t.strictSame({ refused, notes }, { refused: null, notes: [] }, key);
  }
});

t.test(
  "labels without bound in number or length: each is looked at as far as a key can matter",
  async (t) => {
    const long = "o".repeat(100_000);
    const keys = [
      long,
      `ocdd.${long}`,
      `com.${".ocdd".repeat(20_000)}`,
      "\ufdfa".repeat(50_000),
      `"${" ".repeat(100_000)}`,
    ];
    const { refused, notes } = wishes(Object.fromEntries(keys.map((key) => [key, ""])));
    t.equal(refused, null);
    t.ok(notes.every((note) => note.length < 200));
    t.ok(wishes({ [`occd.allow${"x".repeat(100_000)}`]: "" }).refused);
  },
);

t.test("an unknown label close to what limits waking: a warning, and the container is served", async (t) => {
  for (const key of ["ocdd.wake.form", "ocdd.wake.port", "ocdd.Wake", "ocdd.wakes", "ocdd_wake_from"]) {
    const { refused, notes } = wishes({ [key]: "x" });
    t.equal(refused, null, key);
    t.match(notes, [/is not known; if it is to limit what wakes the container, write ocdd\.wake/], key);
  }
});

t.test("an unknown label far from a restriction: a warning only", async (t) => {
  for (const [key, near] of [
    ["ocdd.nmae", "ocdd.name"],
    ["ocdd.titel", "ocdd.title"],
    ["OCDD.url", "ocdd.url"],
    ["ocdd.healthcheck", null],
  ] as const) {
    const { refused, notes } = wishes({ [key]: "x" });
    t.equal(refused, null, key);
    const hint = near === null ? "" : `; the nearest is ${near}`;
    t.strictSame(notes, [`label "${key}" is not known and is ignored${hint}`]);
  }
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`ocdd.zz${i}`, ""]));
  t.strictSame(wishes(many).notes.length, 5);
  t.match(wishes(many).notes.at(-1), "496 more");
  t.ok(wishes({ ...many, "ocdd.allows": "" }).refused, "among any number of others");
  t.strictSame(wishes({ "com.example.ocdd": "x", octopus: "y", ocddish: "z" }).notes, [], "others' labels");
});

t.test("labels over their bounds: restrictions are refused, others give a warning", async (t) => {
  const ports = Array.from({ length: 32 }, (_, i) => `${i + 1}`).join(",");
  const allow = (n: number): string => Array.from({ length: n }, (_, i) => `10.0.${2 * i}.0/24`).join(",");
  t.equal(wishes({ "ocdd.ports": ports, "ocdd.allow": allow(4) }).refused, null);
  t.match(wishes({ "ocdd.ports": ports, "ocdd.allow": allow(5) }).refused, /make 160 rules, at most 128/);
  t.match(wishes({ "ocdd.ports": `${ports},99` }).refused, /ocdd\.ports cannot be read/);
  t.match(wishes({ "ocdd.aliases": "a,".repeat(2_000) }), { aliases: [], notes: [/longer than 2000/] });
});

t.test("an alias that is no DNS label: a warning, and no other name in its place", async (t) => {
  for (const alias of ["*.web", "a b", "api.shop", "*", "日本", "-web", "x".repeat(64)]) {
    const { aliases, notes } = wishes({ "ocdd.aliases": `${alias},ok` });
    t.strictSame(aliases, ["ok"], alias);
    t.match(notes, [/^label ocdd\.aliases: ".*" is no name of letters, digits and hyphens$/], alias);
  }
});

t.test("EXPOSE and ocdd.enable: which containers are shown", async (t) => {
  const table: [string | undefined, boolean, boolean][] = [
    [undefined, true, false],
    ["true", true, true],
    [" TRUE ", true, true],
    ["false", false, false],
    ["False", false, false],
    ["0", false, false],
    // shown, with the reason why they are not served
    ["", true, true],
    ["disabled", true, true],
  ];
  for (const [value, all, labelled] of table) {
    const labels = new Map(value === undefined ? [] : [["ocdd.enable", value]]);
    t.equal(isShown(labels, "all"), all, `all: ${value}`);
    t.equal(isShown(labels, "labelled"), labelled, `labelled: ${value}`);
  }
});

t.test("untrusted text: one line of a terminal, no control characters", async (t) => {
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
