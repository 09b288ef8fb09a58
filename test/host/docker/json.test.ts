/** Docker's JSON → nouns, where an engine and one that says less differ. */
import t from "tap";
import { readContainer, readNetwork } from "../../../src/host/docker/json.ts";
import { id } from "../../core/make.ts";

t.test(
  "a network and its attachments, with and without the engine's ids, are told apart by id",
  async (t) => {
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
  },
);
