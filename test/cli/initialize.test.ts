/** What `ocdd initialize` says of a host whose services are in use. */
import t from "tap";
import { isUntouched, keptSteps } from "../../src/cli/initialize.ts";
import { alias, BARE, config, forward, observation } from "../core/make.ts";

t.test("keptSteps: what is kept, and what of the bash script is removed", async (t) => {
  const actual = {
    ...BARE,
    aliases: [alias("192.168.122.11"), alias("192.168.122.12")],
    dataPath: { ...BARE.dataPath, forwards: [forward(11, 2)] },
  };
  const kept =
    "- Keeping 2 addresses, the rules of 1 service and the index page: they are in use, and no connection is interrupted";
  t.same(keptSteps(config(), observation({ actual }), 0), [kept]);
  t.same(keptSteps(config(), observation({ actual }), 1), [
    kept,
    "- Removing 1 address of OctoCopDD from the network interface - ens3 ...",
  ]);
});

t.test("isUntouched: no alias and no rule of OCDD's is on the host", async (t) => {
  t.ok(isUntouched({ actual: BARE }));
  t.notOk(isUntouched({ actual: { ...BARE, aliases: [alias("192.168.122.11")] } }));
  const { dataPath } = BARE;
  const frame = { pool: [], subnets: [] };
  for (const over of [{ forwards: [forward(11, 2)] }, { damaged: ["accept" as const] }, { frame }])
    t.notOk(
      isUntouched({ actual: { ...BARE, dataPath: { ...dataPath, ...over } } }),
      Object.keys(over).join(),
    );
});
