/** Steps of a plan in words. */
import t from "tap";
import { plan } from "../../../src/core/plan.ts";
import { removedText } from "../../../src/core/report/steps.ts";
import { alias, BARE, forward } from "../make.ts";

t.test("removedText: what a teardown has removed, counted", async (t) => {
  const actual = {
    ...BARE,
    aliases: [alias("192.168.122.11"), alias("192.168.122.12")],
    dataPath: { ...BARE.dataPath, forwards: [forward(11, 2)] },
  };
  t.equal(removedText(plan(actual, BARE).steps), "removed: 2 addresses, 1 rule");
  t.equal(removedText([{ kind: "page" }]), "no address, no rule and no record was there");
});
