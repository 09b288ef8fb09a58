/** Addresses and names of containers after stops, recreation, reboots and new containers. */

import t from "tap";
import { addresses, aliases, aliasOf, apply, fresh, initializedLab, list } from "./director.ts";
import { HOST_ADDRESS, ZONE } from "./network.ts";

t.setTimeout(1_200_000);

t.test("leases", async (t) => {
  const lab = await initializedLab(t, { name: "leases" });

  t.test("stopped, started, recreated, host rebooted: the same address", async (t) => {
    await lab.startContainers("one", "two", "three");
    await apply(lab);
    const table = await addresses(lab);
    t.same(table, { three: "192.168.122.11", two: "192.168.122.12", one: "192.168.122.13" }, "newest first");

    await lab.docker("stop", "two");
    await apply(lab);
    t.same(await aliases(lab), ["192.168.122.11", "192.168.122.13"]);
    t.equal(await lab.who("192.168.122.12"), undefined, "no container answers for a stopped one");
    await lab.docker("start", "two");
    await apply(lab);
    t.same(await addresses(lab), table);

    await lab.removeContainers("one", "three");
    await lab.startContainers("one", "three");
    await apply(lab);
    t.same(await addresses(lab), table, "other ids, other container addresses");
    for (const [name, address] of Object.entries(table)) t.equal(await lab.who(address), name);

    await lab.docker("stop", "one", "two", "three");
    for (const address of Object.values(table)) {
      await lab.run("host", ["ip", "addr", "del", `${address}/32`, "dev", "ens3"]);
    }
    await lab.stopDockerd();
    const empty = ["filter", "nat", "raw", "mangle"].map((table) => `*${table}\nCOMMIT\n`).join("");
    await lab.run("host", ["iptables-restore"], { input: empty });
    await lab.startDockerd();
    for (const name of ["three", "one", "two"]) await lab.docker("start", name);
    await apply(lab);
    t.same(await addresses(lab), table, "after a reboot, in another order of start");
    for (const [name, address] of Object.entries(table)) t.equal(await lab.who(address), name);
  });

  t.test("a released address: on hold, then reused", async (t) => {
    await fresh(lab);
    await lab.startContainers("old", "stays");
    await apply(lab);
    const table = await addresses(lab);
    // a full range spares it only while it exists
    await lab.docker("stop", "-t", "0", "old");
    await apply(lab);
    await lab.startContainer({ name: "new" });
    await apply(lab);
    const now = await addresses(lab);
    t.not(now.new, table.old, "not for the next new container");
    t.equal(now.stays, table.stays);
    const full = { conf: { IP_RANGE_END: "13" } };
    await lab.startContainer({ name: "newer" });
    t.equal((await lab.ocdd([], full)).code, 3, "not even when nothing else is free");
    t.notOk(Object.values(await addresses(lab, full)).includes(table.old ?? ""));
  });

  t.test("a full range: the newest containers are served, status 3", async (t) => {
    await fresh(lab);
    const conf = { IP_RANGE_END: "12" };
    await lab.startContainers("one", "two", "three");
    const { code, stderr } = await lab.ocdd([], { conf });
    t.equal(code, 3);
    t.match(stderr, /one/, "the one without an address is named");
    t.same(await addresses(lab, { conf }), { three: "192.168.122.11", two: "192.168.122.12" });
    t.match((await list(lab, { conf })).skipped, [{ container: "one", reason: /full|range/ }]);
    t.equal(await lab.who("192.168.122.12"), "two");

    await apply(lab, { conf: { IP_RANGE_END: "13" } });
    t.match(await addresses(lab), { three: "192.168.122.11", two: "192.168.122.12", one: "192.168.122.13" });
  });

  t.test("a range that would move active leases: refused until --yes", async (t) => {
    const conf = { IP_RANGE_START: "12", IP_RANGE_END: "20" };
    const host = await lab.snapshotHost();
    const { code, stderr } = await lab.ocdd([], { conf });
    t.equal(code, 1);
    t.match(stderr, "192.168.122.11", "what would move is listed");
    t.equal(await lab.snapshotHost(), host);
    t.equal(await lab.who("192.168.122.11"), "three");
    await apply(lab, { conf }, ["apply", "--yes"]);
    const table = await addresses(lab, { conf });
    t.match(table, { two: "192.168.122.12", one: "192.168.122.13" });
    t.notOk((await aliases(lab)).includes("192.168.122.11"));
    t.equal(await lab.who(aliasOf(table, "three")), "three");
  });

  t.test("two projects with the same service: the second is renamed", async (t) => {
    await fresh(lab);
    const web = (project: string) => ({ name: `${project}_web_1`, compose: { project, service: "web" } });
    const served = async (): Promise<Record<string, readonly string[]>> =>
      Object.fromEntries((await list(lab)).services.map((one) => [one.container.name, one.names]));
    await lab.startContainer(web("red"));
    await apply(lab);
    await lab.startContainer(web("blue"));
    const { stderr } = await apply(lab);
    t.match(stderr, /web-blue/, "the renaming is reported");
    const names = await served();
    t.ok(names.red_web_1?.includes("web"), "the container with the name keeps it");
    t.ok(names.blue_web_1?.includes("web-blue"));
    t.notOk(names.blue_web_1?.includes("web"));
    t.ok(
      names.red_web_1?.includes("web.red") && names.blue_web_1?.includes("web.blue"),
      JSON.stringify(names),
    );
    await lab.removeContainers("red_web_1", "blue_web_1");
    await lab.startContainers(web("blue"), web("red"));
    await apply(lab);
    t.same(await served(), names, "in every order of start");
    const table = await addresses(lab);
    t.equal(await lab.who(aliasOf(table, "red_web_1")), "red_web_1");
    t.equal(await lab.who(aliasOf(table, "blue_web_1")), "blue_web_1");
  });

  t.test("a service of three containers: all addresses under its name", async (t) => {
    await fresh(lab);
    for (const number of [1, 2, 3]) {
      await lab.startContainer({
        name: `shop_web_${number}`,
        compose: { project: "shop", service: "web", number },
      });
    }
    await apply(lab);
    const table = await addresses(lab);
    const server = await lab.serve();
    t.teardown(() => server.stop());
    const ask = async (name: string): Promise<string[]> =>
      (await lab.dig(`${name}.${ZONE}`, `@${HOST_ADDRESS}`)).split("\n").sort();
    t.same(await ask("web"), Object.values(table).sort(), "web is all of them");
    t.same(await ask("web.shop"), Object.values(table).sort());
    for (const number of [1, 2, 3]) t.same(await ask(`web-${number}`), [table[`shop_web_${number}`]]);
    await lab.docker("stop", "shop_web_2");
    await apply(lab);
    t.equal((await ask("web")).length, 2);
  });
});
