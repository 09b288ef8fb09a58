/** Of which containers a bridge port is missing. */
import t from "tap";
import type { BridgePort } from "../../src/core/model.ts";
import { withoutPort } from "../../src/host/port-owners.ts";
import { container, id } from "../core/make.ts";

const network = (name: string, bridge: string) => ({
  id: id(name),
  name,
  driver: "bridge",
  internal: false,
  bridge,
  subnets: [],
  created: 0,
});
const on = (...names: string[]) =>
  names.map((name, i) => ({
    network: name,
    networkId: id(name),
    address: `172.17.${i}.2` as never,
    priority: 0,
  }));
const port = (name: string, bridge: string, container: string | null): BridgePort => ({
  name,
  bridge,
  hairpin: false,
  container,
});

t.test("withoutPort: those asked for that lack the port of one of their bridges", async (t) => {
  const both = { ...container({ name: "both" }), attachments: on("one", "two") };
  const first = { ...container({ name: "first" }), attachments: on("one") };
  const none = { ...container({ name: "none" }), attachments: [] };
  const view = {
    containers: [both, first, none],
    networks: [network("one", "br1"), network("two", "br2")],
    notices: [],
  };
  const all = new Set(view.containers.map((one) => one.id));
  const missing = (...bridgePorts: BridgePort[]): string[] =>
    withoutPort(all, view, { devices: [], bridges: [], addresses: [], bridgePorts });
  t.strictSame(missing(), [both.id, first.id]);
  t.strictSame(missing(port("v1", "br1", both.id), port("v2", "br1", first.id)), [both.id]);
  t.strictSame(missing(port("v1", "br1", both.id), port("v3", "br2", both.id), port("v2", "br1", null)), [
    first.id,
  ]);
  t.strictSame(
    withoutPort(new Set(), view, { devices: [], bridges: [], addresses: [], bridgePorts: [] }),
    [],
  );
});
