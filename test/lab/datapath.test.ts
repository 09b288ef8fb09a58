/** Packets, on both engines: which container answers at an alias, for each client, and that no other does. */

import t from "tap";
import { addresses, aliasOf, apply, ENGINES, initializedLab } from "./director.ts";
import type { Where } from "./handle.ts";
import { CLIENT_ADDRESS, HOST_ADDRESS } from "./network.ts";
import { httpService, replier } from "./traffic.ts";

t.setTimeout(1_200_000);

for (const engine of ENGINES) {
  t.test(`packets on ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `datapath-${engine}`, engine });
    await lab.docker("network", "create", "second");
    const [, web, app, other, limited] = await lab.startContainers(
      { name: "taker", args: ["-p", "80:80", "-p", "8080:8080"] },
      { name: "web", env: { UDP: "1" } },
      { name: "app", env: { PORT: "8080" } },
      { name: "other", network: "second" },
      { name: "limited", env: { UDP: "1" }, labels: { "ocdd.ports": "80/tcp" } },
      { name: "mapped", env: { PORT: "8080" }, labels: { "ocdd.map": "80:8080,443:8080/tcp" } },
      { name: "guarded", labels: { "ocdd.allow": "192.168.122.99/32, 10.0.0.0/8" } },
      "early",
    );
    if (!web || !app || !other || !limited) throw new Error("no containers");
    // a daemon of the host on every address, such as sshd
    await httpService(lab, "host", 2222, "the host itself");
    // the newest container has the first address of a fresh pool
    const future = await replier(lab, "192.168.122.11");
    await apply(lab);
    const table = await addresses(lab);
    const at = (name: string, rest = ""): string => `${aliasOf(table, name)}${rest}`;
    const udp = async (address: string, from: Where = "client"): Promise<string> => {
      const argv = ["socat", "-T1", "-", `UDP:${address}:9999`];
      return (await lab.run(from, argv, { input: "x\n", check: false })).stdout;
    };
    const ping = async (address: string): Promise<string> => {
      const argv = ["ping", "-n", "-c", "1", "-W", "1", address];
      return (await lab.run("client", argv, { check: false })).stdout;
    };

    t.test(
      "an alias that is added or removed: no other container or host answers (N-6), the former one is refused at once (N-5)",
      async (t) => {
        t.equal(at("early"), "192.168.122.11");
        t.equal(await lab.who(at("early")), "early");
        await lab.docker("stop", "early");
        await apply(lab);
        const { answers } = await future.stop();
        const heard = new Set(answers.map(({ who }) => who));
        t.ok(heard.delete("early"), "it was heard");
        heard.delete(undefined);
        t.same([...heard], [], "not the container that publishes port 80, not the host's page");
        // the PC has asked until now: its neighbour entry still leads to the host
        const argv = ["curl", "-s", "--connect-timeout", "30", `http://${at("early")}/`];
        t.equal((await lab.run("client", argv, { check: false })).code, 7, "by a reset, not by a time-out");
      },
    );

    t.test("a published port: does not answer on another container's alias", async (t) => {
      t.equal(await lab.who(HOST_ADDRESS), "taker", "the publishing goes on as before");
      t.equal(await lab.who(at("web")), "web");
      t.equal(await lab.who(at("app", ":8080")), "app");
      t.equal(await lab.who(at("taker")), "taker");
      t.equal(
        await lab.who(at("web", ":8080")),
        undefined,
        "web does not listen there, and nothing else answers for it",
      );
    });

    t.test("any port and protocol, published or not: reached through the alias", async (t) => {
      t.equal(await udp(at("web")), "web");
      t.match(
        await ping(at("web")),
        /ttl=63/,
        "one hop behind the host: the container itself answers the ping",
      );
      t.match(await ping(HOST_ADDRESS), /ttl=64/);
    });

    t.test("from the LAN: the container sees the client's address", async (t) => {
      t.match(await lab.who(at("web"), "client", "/cgi-bin/ip"), CLIENT_ADDRESS);
    });

    t.test("from the host: aliases are reached", async (t) => {
      t.equal(await lab.who(at("web"), "host"), "web");
      t.equal(await lab.who(at("app", ":8080"), "host"), "app");
      t.equal(await udp(at("web"), "host"), "web");
    });

    t.test(
      "from containers: the alias of a neighbour, of another network, and its own are reached",
      async (t) => {
        t.equal(await lab.who(at("web"), app), "web", "same bridge");
        t.equal(await lab.who(at("app", ":8080"), other), "app", "from another bridge");
        t.equal(await lab.who(at("other"), app), "other", "to another bridge");
        t.equal(await lab.who(at("web"), web), "web", "its own");
        t.equal(await lab.who(at("other"), other), "other", "its own, on a network of its own");
        t.equal(await udp(at("web"), app), "web", "UDP on the same bridge");
      },
    );

    t.test("ports that are not forwarded: rejected, not answered by the host's own services", async (t) => {
      t.equal(await lab.who(`${HOST_ADDRESS}:2222`), "the host itself");
      for (const name of ["web", "limited", "mapped", "guarded"]) {
        t.equal(await lab.who(at(name, ":2222")), undefined, name);
      }
      const argv = ["curl", "-s", "--connect-timeout", "30", `http://${at("limited", ":2222")}/`];
      const { code } = await lab.run("client", argv, { check: false });
      t.equal(code, 7, "by a reset (curl's status 7), not by a time-out (28)");
    });

    t.test("ocdd.ports, ocdd.map, ocdd.allow: enforced", async (t) => {
      t.equal(await lab.who(at("limited")), "limited");
      t.equal(await udp(at("limited")), "", "9999/udp is not on its list");
      t.equal(await lab.who(at("mapped")), "mapped", "80 leads to 8080");
      t.equal(await lab.who(at("mapped", ":443")), "mapped");
      t.equal(await lab.who(at("guarded")), undefined, "the office PC is not on its list");
      const friend = await lab.addLanHost("192.168.122.99");
      t.equal(await lab.who(at("guarded"), friend), "guarded");
      t.equal(await lab.who(at("web"), friend), "web");
    });

    t.test("from the LAN: the containers' own addresses stay unreachable", async (t) => {
      await lab.run("client", ["ip", "route", "add", "172.16.0.0/12", "via", HOST_ADDRESS]);
      t.equal(await lab.who(web.address), undefined);
      t.equal(await lab.who(other.address), undefined);
    });

    t.test("the host's first address removed and added: aliases stay", async (t) => {
      await lab.run("host", ["ip", "addr", "del", `${HOST_ADDRESS}/24`, "dev", "ens3"]);
      await lab.run("host", ["ip", "route", "add", "192.168.122.0/24", "dev", "ens3"]);
      t.equal(await lab.who(at("web")), "web");
      await lab.run("host", ["ip", "route", "del", "192.168.122.0/24", "dev", "ens3"]);
      await lab.run("host", ["ip", "addr", "add", `${HOST_ADDRESS}/24`, "brd", "+", "dev", "ens3"]);
    });

    t.test(
      "iptables' rules removed by another program: the host's services answer on no alias",
      async (t) => {
        const { stdout: saved } = await lab.run("host", ["iptables-save"]);
        for (const table of ["filter", "nat"]) {
          await lab.run("host", ["iptables", "-t", table, "-F"]);
          for (const name of ["limited", "web"]) {
            t.equal(await lab.who(at(name, ":2222")), undefined, `${name}, after ${table}`);
            t.equal(await lab.who(at(name, ":2222"), "host"), undefined, `${name}, from the host`);
          }
          const argv = ["curl", "-s", "--connect-timeout", "30", `http://${at("limited", ":2222")}/`];
          t.equal((await lab.run("client", argv, { check: false })).code, 7, "by a reset, not by a time-out");
        }
        t.equal(await lab.who(`${HOST_ADDRESS}:2222`), "the host itself");
        await lab.run("host", ["iptables-restore"], { input: saved });
        t.equal(await lab.who(at("web")), "web");
        t.equal((await lab.ocdd(["plan"])).stdout, "");
      },
    );
  });
}
