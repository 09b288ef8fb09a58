/** Docker's JSON → OCDD's types, where engines differ in the fields that they send. */
import t from "tap";
import { readContainer, readNetwork } from "../../../src/host/docker/json.ts";
import { id } from "../../core/make.ts";

t.test("networks and attachments, with and without ids: matched by id", async (t) => {
  const networks = {
    dup: { NetworkID: id("second"), IPAddress: "172.30.0.2" },
    old: { IPAddress: "172.31.0.2" },
  };
  const container = readContainer({ Id: id("c"), NetworkSettings: { Networks: networks } }, 0);
  t.match(container?.attachments, [
    { network: "dup", networkId: id("second"), address: "172.30.0.2" },
    { network: "old", networkId: "", address: "172.31.0.2" },
  ]);
  t.equal(readNetwork({ Id: id("first"), Name: "dup", Driver: "bridge" }).id, id("first"));
  t.equal(readNetwork({ Name: "dup" }).id, "");
});

t.test("a network's age and ipvlan mode, also where Docker gives neither", async (t) => {
  const l3 = { Driver: "ipvlan", Options: { ipvlan_mode: "l3" }, Created: "2026-03-01T10:00:00.123456789Z" };
  t.match(readNetwork(l3), { routed: true, created: Date.UTC(2026, 2, 1, 10) / 1000 });
  t.match(readNetwork({ Driver: "ipvlan", Created: "0001-01-01T00:00:00Z" }), { routed: undefined });
  for (const Created of [undefined, "", "x", 7, "9".repeat(400)])
    t.equal(readNetwork({ Created }).created, 0, String(Created).slice(0, 9));
});
