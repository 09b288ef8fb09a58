/** What `ocdd initialize` says of a host whose services are in use. */

import { existsSync } from "node:fs";
import t from "tap";
import { keptSteps, setUp } from "../../src/cli/initialize.ts";
import { isSetUp, isUntouched } from "../../src/cli/set-up.ts";
import type { Config } from "../../src/core/config/config.ts";
import { pathsOf } from "../../src/core/paths.ts";
import { reconcile } from "../../src/director/reconcile.ts";
import { alias, BARE, config, container, forward, NOW, observation } from "../core/make.ts";
import { StillHost } from "../director/still-host.ts";

t.test("keptSteps: what is kept, and what of the bash script is removed", async (t) => {
  const actual = {
    ...BARE,
    aliases: [alias("192.168.122.11"), alias("192.168.122.12")],
    dataPath: { ...BARE.dataPath, forwards: [forward(11, 2)] },
  };
  const kept =
    "- Keeping 2 addresses, the rules of 1 service and the index page: they are in use, and no connection is interrupted";
  t.same(keptSteps(config(), observation({ actual }), 0, 0), [kept]);
  t.same(keptSteps(config(), observation({ actual }), 1, 0), [
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

t.test("setUp: a range that leaves out addresses in use is refused before anything changes", async (t) => {
  const range = (first: number): Config =>
    config({ STORAGE_DIR: storage, IP_RANGE: `192.168.122.${first}-192.168.122.30` });
  const storage = `${t.testdir()}/ocdd`;
  const host = new StillHost();
  host.containers = [
    container({ name: "one", at: "172.17.0.2" }),
    container({ name: "two", at: "172.17.0.3" }),
  ];
  await reconcile(range(11), host, { now: () => NOW, apply: true, yes: false, confirmationMs: 0 });
  const said: string[] = [];
  const how = { now: NOW, say: (line: string) => void said.push(line), accept: async () => false };
  const setUpWith = async (first: number, yes: boolean) =>
    setUp(range(first), host, await host.observe(), { ...how, yes });
  const inForce = () => host.actual.dataPath.forwards.map((one) => `${one.name} ${one.alias}`);

  await t.rejects(setUpWith(12, false), {
    fault: "refused",
    message: /^1 active lease would end, .*: 192\.168\.122\.11 one$/,
    remedy: /`ocdd --yes`/,
  });
  t.equal(host.plans.length, 1);
  t.notOk(existsSync(pathsOf(range(12)).lock));
  t.strictSame(said, []);

  await setUpWith(11, false);
  t.match(said.join("\n"), /^- Keeping 2 addresses, /m);
  t.strictSame(inForce(), ["one 192.168.122.11", "two 192.168.122.12"]);

  said.length = 0;
  await setUpWith(12, true);
  t.match(said.join("\n"), /^- Moving 1 service to other addresses, /m);
  t.strictSame(inForce(), ["two 192.168.122.12", "one 192.168.122.13"]);
});

t.test("setUp: a range in no network of the device is told", async (t) => {
  const host = new StillHost();
  const set = (range: string) => {
    const conf = config({ STORAGE_DIR: t.testdir({}), IP_RANGE: range });
    return host
      .observe()
      .then((seen) =>
        setUp(conf, host, seen, { now: NOW, say: () => undefined, accept: async () => false, yes: false }),
      );
  };
  t.strictSame((await set("192.168.122.11-192.168.122.30")).notes, []);
  t.match((await set("198.51.100.1-198.51.100.9")).notes, [
    /^198\.51\.100\.1-198\.51\.100\.9 is in no network of ens3/,
  ]);
});

t.test("isSetUp: a run has been here, or something of OCDD is in force", async (t) => {
  const conf = config({ STORAGE_DIR: t.testdir({}) });
  const bare = observation();
  t.notOk(await isSetUp(conf, bare));
  t.ok(
    await isSetUp(conf, { actual: { ...BARE, aliases: [alias("192.168.122.11")] } }),
    "its storage is elsewhere",
  );
  t.ok(await isSetUp(config({ STORAGE_DIR: t.testdir({ "ocdd.lock": "" }) }), bare));
});
