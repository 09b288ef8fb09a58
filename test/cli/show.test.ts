/** `ocdd show`: one service, why a container has none, and what a name means. */
import t from "tap";
import { runPlan } from "../../src/cli/commands.ts";
import { runLeases, runShow, shownOf } from "../../src/cli/show.ts";
import { decide } from "../../src/core/decide.ts";
import { NO_GATES } from "../../src/core/lifecycle/gates.ts";
import type { Container, Lease, Observation } from "../../src/core/model.ts";
import { PLAIN } from "../../src/core/report/paint.ts";
import { showDocument, showText } from "../../src/core/report/show.ts";
import {
  attachment,
  BARE,
  composeLabels,
  config,
  container,
  id,
  lease,
  NOW,
  observation,
} from "../core/make.ts";
import { StillHost } from "../director/still-host.ts";

const CONFIG = config({ ADDRESS_HOLD: "600" });

function show(
  name: string,
  containers: readonly Container[],
  over: Partial<Observation> = {},
  leases: Lease[] = [],
) {
  const actual = { ...BARE, table: { ...BARE.table, leases } };
  const seen = observation({ containers, actual, ...over });
  return shownOf(CONFIG, name, { seen, decision: decide(CONFIG, seen, NOW) }, NOW);
}
const text = (...args: Parameters<typeof show>): string =>
  show(...args)
    .map((one) => showText(one))
    .join("\n");

const WIKI = container({
  name: "shop-wiki-1",
  image: "wiki:2",
  labels: new Map([
    ...composeLabels("shop", "wiki"),
    ["ocdd.map", "80:3000"],
    ["ocdd.ports", "80,443"],
    ["ocdd.allow", "10.0.0.0/8"],
    ["ocdd.wake", "true"],
    ["ocdd.wake.from", "10.1.0.0/16"],
    ["ocdd.wake.with", "db"],
    ["ocdd.idle", "30m"],
    ["ocdd.meta.owner", "ops\u001b[2J"],
    ["ocdd.meta.rank", "3"],
    ["org.opencontainers.image.revision", "4e1243b"],
  ]),
  health: "healthy",
  started: { earliest: NOW - 9_000, latest: NOW - 7_200 },
  ports: [{ protocol: "tcp", port: 3000 }],
});
const LEASE = lease("192.168.122.13", "compose:shop/wiki/1", { names: ["wiki"], container: WIKI.id });

t.test("a service: all of it, one property a line", async (t) => {
  t.equal(
    text("wiki", [WIKI], {}, [LEASE]),
    `name           wiki.toolbox.example.com
further names  wiki.shop
address        192.168.122.13 (alias on the network device)
lease          192.168.122.13 of compose:shop/wiki/1, in use
container      shop-wiki-1 (73686f702d77)
image          wiki:2
network        bridge, 172.17.0.2
state          healthy, up 2 h
ports          80->3000/tcp 443/tcp
forward        192.168.122.13 tcp/80 from 10.0.0.0/8 -> 172.17.0.2:3000
               192.168.122.13 tcp/443 from 10.0.0.0/8 -> 172.17.0.2
sleep          is stopped after 30 min without use; a visit from 10.1.0.0/16 starts it, after db; it must be ready within 1 min
metadata       owner: ops\ufffd[2J
               rank: 3
               org.opencontainers.image.revision: 4e1243b
`,
  );
});

t.test("the same as a document", async (t) => {
  t.match(showDocument(show("wiki", [WIKI], {}, [LEASE])), {
    schemaVersion: 1,
    services: [
      {
        name: "wiki",
        fqdn: "wiki.toolbox.example.com",
        served: true,
        reason: null,
        address: "192.168.122.13",
        pending: false,
        lease: { owner: "compose:shop/wiki/1", state: "used", until: null },
        container: { name: "shop-wiki-1", networks: [{ network: "bridge", address: "172.17.0.2" }] },
        forward: { target: "172.17.0.2", waits: false, map: [{ port: 80, to: 3000 }], allow: ["10.0.0.0/8"] },
        sleep: { idle: 1800, action: "stop", with: ["db"], timeout: 60, from: ["10.1.0.0/16"] },
        metadata: { meta: { owner: "ops\u001b[2J", rank: 3 } },
      },
    ],
  });
});

t.test("no answer: the state, with the ports that were tried", async (t) => {
  const one = container({ name: "web", ports: [{ protocol: "tcp", port: 80 }] });
  const unanswered = new Set([one.id]);
  const held = [lease("192.168.122.13", "container:web", { names: ["web"], container: one.id })];
  t.match(
    text("web", [one], { unanswered }, held),
    /^state +no answer: no connection is accepted on TCP port 80$/m,
  );
  const document = showDocument(show("web", [one], { unanswered }, held));
  t.match(document, { services: [{ state: "running", unanswered: [80] }] });
});

t.test("it is found by any of its names, its container's, and its addresses", async (t) => {
  for (const name of [
    ...["wiki", "WIKI.shop", "wiki.toolbox.example.com.", "shop-wiki-1"],
    ...["192.168.122.13", "172.17.0.2"],
  ])
    t.same(
      show(name, [WIKI], {}, [LEASE]).map(({ service }) => service?.name),
      ["wiki"],
      name,
    );
});

t.test("it is found by its container's id, or its begin", async (t) => {
  const a = container({ name: "a", id: "cafe1".padEnd(64, "0") });
  const b = container({ name: "b", id: "cafe2".padEnd(64, "0"), at: "172.17.0.3", state: "exited" });
  const found = (text: string) => show(text, [a], { stopped: [b] }).map(({ name }) => name);
  for (const text of [a.id, a.id.slice(0, 12), "cafe1"]) t.same(found(text), ["a"], text);
  t.same(found("cafe2"), ["b"], "of a stopped one");
  t.throws(() => found("cafe"), {
    fault: "refused",
    message: "cafe begins the ids of several containers: a (cafe10000000), b (cafe20000000)",
    remedy: "give more digits of the id",
  });
  for (const text of ["caf", "cafe3", "CAFE1", `${a.id}0`])
    t.throws(() => found(text), {
      message: `there is no service and no container "${text.slice(0, 60)}${text.length > 60 ? "…" : ""}"`,
    });
  const named = container({ name: "cafe1", at: "172.17.0.4" });
  t.same(
    show("cafe1", [a, named]).map(({ name }) => name),
    ["cafe1"],
    "a name comes first",
  );
});

t.test("an unknown name or address: an error with the nearest name, and where to look", async (t) => {
  t.throws(() => show("wike", [WIKI]), {
    fault: "refused",
    message: 'there is no service and no container "wike": the nearest name is wiki',
    remedy: "ocdd list",
  });
  for (const far of ["grafana", "ab"])
    t.throws(() => show(far, [WIKI, container({ name: "xy" })]), {
      message: `there is no service and no container "${far}"`,
    });
  t.throws(() => show("wike", []), {
    message: 'there is no service and no container "wike": there is no container at all',
  });
  t.throws(() => show("192.168.122.29", [WIKI]), {
    fault: "refused",
    message: "no service and no container has the address 192.168.122.29",
    remedy: "ocdd leases",
  });
});

t.test("several containers of one service: each of them", async (t) => {
  const two = [1, 2].map((n) =>
    container({ name: `shop-web-${n}`, at: `172.17.0.${n + 1}`, labels: composeLabels("shop", "web", n) }),
  );
  t.same(
    show("web", two).map(({ name }) => name),
    ["web-1", "web-2"],
  );
});

t.test("an address that the next run gives", async (t) => {
  t.match(text("wiki", [WIKI]), /^lease +pending: the next run gives it its address$/m);
  t.match(text("wiki", [WIKI]), /^state +pending, up 2 h$/m);
});

t.test("a container that is not served: why", async (t) => {
  const reason = (one: Container, over: Partial<Observation> = {}, conf = CONFIG): string | null => {
    const seen = observation({ containers: [one], ...over });
    return shownOf(conf, one.name, { seen, decision: decide(conf, seen, NOW) }, NOW)[0]?.reason ?? null;
  };
  const labelled = (key: string, value: string) => container({ name: "x", labels: new Map([[key, value]]) });
  t.equal(
    reason(labelled("ocdd.ports", "y")),
    'label ocdd.ports cannot be read: "y" is not a list of ports such as 80,443/tcp,53/udp',
  );
  t.equal(reason(labelled("ocdd.enable", "off")), 'its label ocdd.enable is "off"');
  t.equal(
    reason(labelled("a", "b"), {}, config({ EXPOSE: "labelled" })),
    "EXPOSE is labelled, and it has no label ocdd.enable=true",
  );
  const stopped = (one: Container) => ({ containers: [], stopped: [{ ...one, state: "exited" }] });
  const plain = labelled("a", "b");
  t.equal(
    reason(plain, stopped(plain)),
    "it does not run (stopped), and no visit starts it: it has no label ocdd.wake=true",
  );
  const wake = labelled("ocdd.wake", "true");
  t.equal(reason(wake, stopped(wake)), null, "it is asleep");
  t.equal(
    reason(wake, stopped(wake), config({ WAKE: "off" })),
    "it does not run (stopped), and no visit starts it: WAKE is off",
  );
  const odd = labelled("ocdd.wake", "perhaps");
  t.match(reason(odd, stopped(odd)), /no visit starts it: label ocdd\.wake cannot be read: "perhaps"$/);
});

t.test("what a run warns of about this container, and no other", async (t) => {
  const one = container({
    name: "one",
    labels: new Map([
      ["ocdd.address", "10.0.0.1"],
      ["ocdd.map", "x"],
    ]),
  });
  const other = container({ name: "other", at: "172.17.0.3", labels: new Map([["ocdd.map", "y"]]) });
  t.match(
    text("one", [one, other]),
    /^warning +label ocdd\.map cannot be read and is ignored: "x"\n +has 192\.168\.122\.\d+, not the address that its label ocdd\.address asks for: 10\.0\.0\.1 is not in the range\naddress/m,
  );
  t.notMatch(text("one", [one, other]), '"y"');
  const odd = container({ name: "odd", labels: new Map([["ocdd.ports", "y"]]) });
  t.notMatch(text("odd", [odd]), /^warning/m, "why it is not served is said once");
});

t.test("a container that has stopped, or has been removed: its lease", async (t) => {
  const old = lease("192.168.122.14", "container:old", {
    names: ["old"],
    container: id("old"),
    releasedAt: NOW - 60,
  });
  const stopped = [container({ name: "old", state: "exited" })];
  t.match(text("old", [], { stopped }, [old]), /^state +stopped$/m, "the word of the list");
  for (const name of ["old", "192.168.122.14"]) {
    t.match(
      text(name, [], { stopped }, [old]),
      /^not served +it does not run \(stopped\)[\s\S]*^lease +192\.168\.122\.14 of container:old, on hold until 2027-01-15T08:09:00Z$/m,
    );
    t.equal(
      text(name, [], {}, [old]),
      `name           old
not served     its container has been removed
lease          192.168.122.14 of container:old, on hold until 2027-01-15T08:09:00Z
`,
    );
  }
});

t.test("a service asleep: its forward says until when it waits", async (t) => {
  const labels = new Map([["ocdd.wake", "true"]]);
  const asleep = container({
    name: "wiki",
    state: "exited",
    labels,
    attachments: [attachment("bridge", undefined)],
  });
  const shown = text("wiki", [], { stopped: [asleep], gates: { ...NO_GATES, queue: 1 } });
  t.match(shown, /^forward +192\.168\.122\.11 -> \(waits until its container is ready\)$/m);
});

t.test(
  "a host that is not set up: show, leases and plan say so, also where nothing has the name",
  async (t) => {
    const form = { json: false, paint: PLAIN };
    const host = new StillHost();
    host.containers = [WIKI];
    const FIRST = [/^OCDD has not been set up on this host: run `ocdd initialize`$/];
    const conf = config({ STORAGE_DIR: t.testdir({}) });
    t.match(await runShow(conf, "wiki", form, host), { warnings: FIRST });
    t.match(await runLeases(conf, form, host), { warnings: FIRST });
    t.match(await runPlan(conf, { json: false, yes: false }, false, host), { warnings: FIRST });
    host.containers = [];
    await t.rejects(runShow(conf, "wiki", form, host), {
      message: /there is no container at all; OCDD has not been set up/,
      remedy: "run `ocdd initialize`",
    });
    const ready = config({ STORAGE_DIR: t.testdir({ "ocdd.lock": "" }) });
    t.same((await runLeases(ready, form, host)).warnings, []);
    t.same((await runPlan(ready, { json: false, yes: false }, false, host)).warnings, []);
    await t.rejects(runShow(ready, "wiki", form, host), {
      message: /no container at all$/,
      remedy: "start a container; `ocdd list` shows it then",
    });
  },
);

t.test(
  "leases that cannot be read: an error as in list, and a warning where the previous ones are used",
  async (t) => {
    const ready = config({ STORAGE_DIR: t.testdir({ "ocdd.lock": "" }) });
    const host = new StillHost();
    for (const json of [false, true]) {
      const form = { json, paint: PLAIN };
      host.over = {
        leasesIntact: false,
        leasesStale: true,
        notices: ["leases.json cannot be read; rebuilt"],
      };
      await t.rejects(runLeases(ready, form, host), {
        fault: "storage",
        message: "leases.json cannot be read; rebuilt",
        remedy: "`ocdd` writes them anew",
      });
      host.over = { leasesStale: true, notices: ["the previous leases file is used"] };
      t.same((await runLeases(ready, form, host)).warnings, ["the previous leases file is used"]);
    }
  },
);

t.test("a service that gets no packets: its state, and a warning with the remedy", async (t) => {
  const web = container({ name: "web" });
  const shown = text("web", [web], { portless: new Set([web.id]) }, [
    lease("192.168.122.11", "container:web", { names: ["web"], container: web.id }),
  ]);
  t.match(shown, /^warning +gets no packets: .*--pid host/m);
  t.match(shown, /^state +no packets: the port of its bridge is not found$/m);
});
