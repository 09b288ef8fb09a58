/** Docker's JSON → OCDD's types, where engines differ in the fields that they send. */
import t from "tap";
import { readContainer, readNetwork } from "../../../src/host/docker/json.ts";
import { id } from "../../core/make.ts";

t.test("networks and attachments, with and without ids: matched by id", async (t) => {
  const networks = {
    dup: { NetworkID: id("second"), IPAddress: "172.30.0.2" },
    old: { IPAddress: "172.31.0.2" },
  };
  const container = readContainer({ Id: id("c"), NetworkSettings: { Networks: networks } });
  t.match(container?.attachments, [
    { network: "dup", networkId: id("second"), address: "172.30.0.2" },
    { network: "old", networkId: "", address: "172.31.0.2" },
  ]);
  t.equal(readNetwork({ Id: id("first"), Name: "dup", Driver: "bridge" }).id, id("first"));
  t.equal(readNetwork({ Name: "dup" }).id, "");
});
