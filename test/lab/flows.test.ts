/** A change does not affect other services; clients follow a service that moves. On both engines. */

import t from "tap";
import { addresses, aliasOf, apply, ENGINES, hasAll, initializedLab, list, succeed } from "./director.ts";
import { until } from "./process.ts";
import { differing, echoService, replier, tcpStream, udpFlow } from "./traffic.ts";

t.setTimeout(1_200_000);

for (const engine of ENGINES) {
  const RUNS = hasAll(engine) ? 50 : 12;
  t.test(`flows on ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `flows-${engine}`, engine });

    t.test(
      `an unchanged service during ${RUNS} runs with other changes: no connection is lost`,
      async (t) => {
        const [steady] = await lab.startContainers("steady", "one", "two", "three");
        if (!steady) throw new Error("no container");
        await Promise.all([echoService(lab, steady, "tcp", 7000), echoService(lab, steady, "udp", 7000)]);
        await apply(lab);
        const address = aliasOf(await addresses(lab), "steady");
        const [stream, flow, page] = await Promise.all([
          tcpStream(lab, address, 7000),
          udpFlow(lab, address, 7000),
          replier(lab, address),
        ]);
        const up = new Map([
          ["one", true],
          ["two", true],
          ["three", true],
        ]);
        for (let run = 0; run < RUNS; run += 1) {
          const name = ["one", "two", "three"][run % 3] ?? "one";
          const running = up.get(name) === true;
          await lab.docker(running ? "stop" : "start", name);
          up.set(name, !running);
          await apply(lab);
        }
        succeed(await lab.ocdd(["initialize"]), "initialize, on a host in use");
        const report = { stream: await stream.stop(), flow: await flow.stop(), page: await page.stop() };
        t.equal(report.flow.lost, 0, `UDP: ${JSON.stringify(report.flow)}`);
        t.equal(report.flow.error, undefined);
        t.equal(report.stream.lost, 0, `TCP: ${JSON.stringify(report.stream)}`);
        t.equal(report.stream.error, undefined);
        t.comment(`longest gap of the stream: ${report.stream.longestGap} ms`);
        t.ok(report.page.answers.length > RUNS * 10, `${report.page.answers.length} new connections`);
        t.same(differing(report.page), ["steady"], "each new connection too");
        await lab.removeContainers();
        await apply(lab);
      },
    );

    t.test(
      "a service with a new container address: followed, and its old flows are flushed (O-27)",
      async (t) => {
        await lab.startContainer({ name: "mover", env: { UDP: "1" } });
        await apply(lab);
        const address = aliasOf(await addresses(lab), "mover");
        const before = await lab.container("mover");
        // one flow from one port: to conntrack it is the same flow all the time
        const ask = async (): Promise<string> => {
          const target = `UDP:${address}:9999,sourceport=5555`;
          return (await lab.run("client", ["socat", "-T1", "-", target], { input: "x\n", check: false }))
            .stdout;
        };
        t.equal(await ask(), "mover");
        await lab.docker("stop", "mover");
        await lab.startContainer({ name: "squatter", env: { UDP: "1" } });
        t.equal(
          (await lab.container("squatter")).address,
          before.address,
          "Docker assigns the address to the next container",
        );
        await lab.docker("start", "mover");
        t.not((await lab.container("mover")).address, before.address);
        await apply(lab);
        t.equal(aliasOf(await addresses(lab), "mover"), address);
        t.equal(await ask(), "mover", "the old UDP flow");
        t.equal(await lab.who(address), "mover", "a new connection");
        await lab.removeContainers();
        await apply(lab);
      },
    );

    if (!hasAll(engine)) return;
    t.test("containers recreated: no answer of another container", async (t) => {
      await lab.startContainers("alpha", "beta", "gamma");
      await apply(lab);
      const table = await addresses(lab);
      const polls = await Promise.all(["beta", "gamma"].map((name) => replier(lab, aliasOf(table, name))));
      for (let round = 0; round < 3; round += 1) {
        await lab.removeContainers("alpha");
        await apply(lab);
        await lab.startContainer({ name: "alpha" });
        await apply(lab);
      }
      t.same(await addresses(lab), table);
      const [beta, gamma] = await Promise.all(polls.map((poll) => poll.stop()));
      if (beta === undefined || gamma === undefined) throw new Error("two polls");
      t.same(differing(beta), ["beta"]);
      t.same(differing(gamma), ["gamma"]);
    });

    t.test("an alias that moves: the LAN's ARP caches learn it at once", async (t) => {
      const alias = "192.168.122.29";
      // such an entry is believed for half an hour at least: only an announcement puts it right before
      await lab.run("client", ["sysctl", "-qw", "net.ipv4.neigh.eth0.base_reachable_time_ms=3600000"]);
      await lab.run("client", [
        "ip",
        "neigh",
        "replace",
        alias,
        "lladdr",
        "02:00:00:00:00:01",
        "nud",
        "reachable",
        "dev",
        "eth0",
      ]);
      const conf = { IP_RANGE_START: "29", IP_RANGE_END: "29" };
      await lab.removeContainers();
      await apply(lab);
      await lab.startContainer({ name: "late" });
      await apply(lab, { conf }, ["apply", "--yes"]);
      t.same(
        (await list(lab, { conf })).services.map((one) => one.address),
        [alias],
      );
      await until("the announcement is received", async () => (await lab.who(alias)) === "late");
    });
  });
}
