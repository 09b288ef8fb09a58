import t from "tap";
import type { Container, Network } from "../../../src/core/model.ts";
import { networkIndex, reachOf, wishOf } from "../../../src/core/services/candidate.ts";
import { identityOf } from "../../../src/core/services/identity.ts";
import { readLabels } from "../../../src/core/services/labels.ts";
import { attachment, BRIDGE, composeLabels, container, id, ip, network } from "../make.ts";

t.test("the requested name: by label, compose service, swarm service, container name", async (t) => {
  const wish = (name: string, labels: Map<string, string> = new Map()): string => {
    const c = container({ name, labels });
    return wishOf(c, readLabels(labels), identityOf(c, new Map()));
  };
  t.equal(wish("x", new Map([...composeLabels("p", "My_Svc"), ["ocdd.name", "Shop.Front"]])), "shop-front");
  t.equal(wish("p_My_Svc_1", composeLabels("p", "My_Svc")), "my-svc");
  t.equal(wish("web"), "web");
  t.equal(wish("x", new Map([["ocdd.name", "..."]])), "x", "a label that leaves nothing is no wish");
  t.match(wish("___"), /^container-[0-9a-f]{8}$/);
  const copied = new Map([
    ...composeLabels("shop", "web"),
    ["com.docker.compose.oneoff", "True"],
    ["ocdd.name", "www"],
  ]);
  t.equal(wish("shop_web_run_1a2b", copied), "shop-web-run-1a2b", "a one-off's own, with any copied labels");
});

t.test("a container's name: taken whole, except in the bash script's form", async (t) => {
  const wish = (name: string): string =>
    wishOf(container({ name }), readLabels(new Map()), identityOf(container({ name }), new Map()));
  t.equal(wish("example_jenkins_1"), "jenkins");
  for (const name of [
    "web-server-1",
    "node-exporter-1",
    "redis-cache-2",
    "gitlab-runner-01",
    "ubuntu-22-04",
    "es_node_12",
    "es_node2_3",
    "Ex_web_1",
    "a_b_c_1",
  ])
    t.equal(wish(name), name.toLowerCase().replaceAll("_", "-"), name);
});

const around = (networks: readonly Network[], own: readonly string[] = []) => ({
  networkOf: networkIndex(networks),
  hostAddresses: new Set(own.map(ip)),
});
const reach = (c: Container, networks: readonly Network[], own: readonly string[] = []) =>
  reachOf(c, readLabels(c.labels), around(networks, own));

t.test("networks of one name, in any order of Docker's list: distinguished by id", async (t) => {
  const first = network({ name: "dup", cidr: "172.30.0.0/16", id: id("first") });
  const second = network({ name: "dup", cidr: "172.31.0.0/16", id: id("second"), internal: true });
  const on = (networkId: string, at: string) => ({ ...attachment("dup", at), networkId });
  const open = container({ name: "a", attachments: [on(first.id, "172.30.0.2")] });
  const closed = container({ name: "b", attachments: [on(second.id, "172.31.0.2")] });
  for (const networks of [
    [first, second],
    [second, first],
  ]) {
    t.match(reach(open, networks), { kind: "alias", target: "172.30.0.2", network: first });
    t.match(reach(closed, networks), { kind: "none", code: "internal-network" });
    const unsaid = container({ name: "c", attachments: [on("", "172.30.0.3")] });
    t.match(
      reach(unsaid, networks),
      { kind: "alias", network: first },
      "the lowest id where Docker gives none",
    );
  }
  const third = { ...second, id: id("third"), internal: false };
  const labels = new Map([["ocdd.network", "dup"]]);
  for (const attachments of [
    [on(first.id, "172.30.0.2"), on(third.id, "172.31.0.2")],
    [on(third.id, "172.31.0.2"), on(first.id, "172.30.0.2")],
  ]) {
    const got = reach(container({ name: "d", labels, attachments }), [third, first]);
    t.match(got, { kind: "alias", network: first, note: /"dup", as 2 of its networks are called/ });
  }
});

t.test("a container without an address: on no network, or on one without IPv4", async (t) => {
  const none = container({ name: "a", attachments: [] });
  t.match(reach(none, [BRIDGE]), { code: "no-address", reason: "it is on no network yet (running)" });
  const sixOnly = container({ name: "b", attachments: [attachment("bridge", undefined)] });
  t.match(reach(sixOnly, [BRIDGE]), { reason: "it has no IPv4 address yet (running)" });
});

t.test("an address of an ipvlan network in l3 mode: served, with a note about the route", async (t) => {
  const lan = network({ name: "lan", cidr: "192.168.7.0/24", driver: "ipvlan" });
  const card = container({ name: "card", attachments: [attachment("lan", "192.168.7.7")] });
  t.match(reach(card, [lan]), { kind: "direct", note: null });
  t.match(reach(card, [{ ...lan, routed: true }]), { kind: "direct", note: /route to 192\.168\.7\.0\/24/ });
});

t.test("a restriction that no alias can enforce: the container is skipped", async (t) => {
  const lan = network({ name: "lan", cidr: "192.168.122.0/24", driver: "macvlan" });
  const ways: Readonly<Record<string, Partial<Container>>> = {
    host: { networkMode: "host", attachments: [] },
    shared: { networkMode: `container:${id("x")}`, attachments: [] },
    direct: { networkMode: "lan", attachments: [attachment("lan", "192.168.122.77")] },
    alias: {},
  };
  for (const [kind, fields] of Object.entries(ways)) {
    for (const [label, value] of [
      ["ocdd.allow", "192.168.122.2"],
      ["ocdd.ports", "8123"],
    ] as const) {
      const got = reach(container({ name: "c", ...fields, labels: new Map([[label, value]]) }), [
        BRIDGE,
        lan,
      ]);
      if (kind === "alias") t.equal(got.kind, "alias");
      else
        t.match(got, { kind: "none", code: "label", reason: `label ${label} cannot be enforced: it` }, kind);
    }
    const everybody = new Map([["ocdd.allow", "0.0.0.0/0"]]);
    t.equal(reach(container({ name: "c", ...fields, labels: everybody }), [BRIDGE, lan]).kind, kind);
  }
});

t.test("a container whose address is one of the host's own is not served", async (t) => {
  const c = container({ name: "mask", at: "172.17.0.5" });
  t.match(reach(c, [BRIDGE], ["172.17.0.5"]), {
    kind: "none",
    code: "host-address",
    reason: "its address 172.17.0.5 is one of this host's own",
  });
  t.equal(reach(c, [BRIDGE], ["172.17.0.1"]).kind, "alias");
});
