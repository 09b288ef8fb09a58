/** /self on both engines: what each container is told, and that no other one is told it, whatever its address. */

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { aliases, ENGINES, hasAll, initializedLab, list, succeed, waiter } from "./director.ts";
import type { Where } from "./handle.ts";
import { HOST_ADDRESS, ZONE } from "./network.ts";
import { storage } from "./ocdd.ts";
import { signal, until } from "./process.ts";

t.setTimeout(1_200_000);

/** Containers that have the same address one after the other. */
const ROUNDS = 8;
const FIXED = "172.30.0.10";

for (const engine of ENGINES) {
  t.test(`/self on ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `self-${engine}`, engine });
    await lab.docker("network", "create", "--subnet", "172.30.0.0/24", "--gateway", "172.30.0.1", "fixed");
    const file = join(storage(lab), "private/serve/self.json");
    const fixed = (name: string, ...args: string[]) =>
      lab.startContainer({ name, network: "fixed", args: ["--ip", FIXED, ...args] });
    const labels = { "ocdd.meta.openssl": "3", "org.opencontainers.image.version": "2.4", private: "secret" };
    const one = await fixed(
      "one",
      ...Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    );
    const two = await lab.startContainer({ name: "two", env: { TOKEN: "hidden" } });
    await lab.docker("network", "connect", "fixed", "two");
    const server = await lab.serve();
    const watch = lab.startOcdd(["watch"]);
    const wait = waiter(watch);

    /** Status and body of an answer; undefined without one. */
    const ask = async (
      from: Where,
      ...args: string[]
    ): Promise<{ status: number; body: string } | undefined> => {
      const curl = [
        "curl",
        "-s",
        "--max-time",
        "3",
        "-w",
        "%{http_code}",
        ...args,
        `http://${HOST_ADDRESS}/self`,
      ];
      const { code, stdout } = await lab.run(from, curl, { check: false });
      return code === 0 ? { status: Number(stdout.slice(-3)), body: stdout.slice(0, -3) } : undefined;
    };
    const nameOf = (body: string): string => JSON.parse(body).name;
    /** Asks until it is told, and gives every name that it was told meanwhile. */
    const namesTold = async (from: Where, ...args: string[]): Promise<string[]> => {
      const names: string[] = [];
      await wait("it is told", async () => {
        const answer = await ask(from, ...args);
        if (answer?.status === 200) names.push(nameOf(answer.body));
        return names.length > 0;
      });
      return names;
    };
    const status = async (from: Where, ...args: string[]) => (await ask(from, ...args))?.status;

    await t.test("from inside: its own name, address and metadata", async (t) => {
      t.same(await namesTold(one), ["one"]);
      const { services } = await list(lab);
      const told = JSON.parse(await lab.docker("exec", "one", "wget", "-qO-", `http://${HOST_ADDRESS}/self`));
      t.match(told, {
        name: "one",
        fqdn: `one.${ZONE}`,
        address: services.find(({ name }) => name === "one")?.address,
        container: "one",
        containerId: one.id.slice(0, 12),
        labels: { "org.opencontainers.image.version": "2.4" },
        meta: { openssl: 3 },
        runtime: { image: "lab/web:1", host: HOST_ADDRESS, host_name: `dockerhost.${ZONE}` },
      });
      t.match(told.runtime.deployed_at, /^\d{4}-\d\d-\d\dT/);
      t.match(told.runtime.started_at, /^\d{4}-\d\d-\d\dT/);
      const named = ["--resolve", `dockerhost.${ZONE}:80:${HOST_ADDRESS}`, `http://dockerhost.${ZONE}/self`];
      const { stdout } = await lab.run(one, ["curl", "-s", "--max-time", "3", ...named]);
      t.equal(nameOf(stdout), "one", "by the host's name");
      t.notMatch(stdout, "secret");
      t.same(await namesTold(two), ["two"]);
      t.notMatch((await ask(two))?.body, "hidden", "no environment");
    });

    await t.test("on each of its networks; a header that names another client changes nothing", async (t) => {
      const { stdout } = await lab.run(two, ["ip", "-o", "-4", "addr", "show", "scope", "global"]);
      const own = [...stdout.matchAll(/inet ([\d.]+)\//g)].map((one) => one[1] ?? "");
      t.equal(own.length, 2);
      for (const address of own) t.same(await namesTold(two, "--interface", address), ["two"], address);
      const forged = await ask(two, "-H", `X-Forwarded-For: ${FIXED}`, "-H", `Forwarded: for=${FIXED}`);
      t.equal(nameOf(forged?.body ?? ""), "two");
      t.equal(await status("client", "-H", `X-Forwarded-For: ${FIXED}`), 404);
    });

    await t.test(
      "the LAN, the host by any of its addresses, a container on the host's network: 404",
      async (t) => {
        t.equal(await status("client"), 404, "LAN");
        t.equal(await status("host"), 404, "host");
        const [alias = ""] = await aliases(lab);
        for (const address of ["172.30.0.1", "172.17.0.1", alias])
          t.equal(await status("host", "--interface", address), 404, `host by ${address}`);
        await lab.startContainer({ name: "onhost", network: "host", env: { PORT: "8888" } });
        await wait("it is served", async () =>
          (await list(lab)).services.some(({ name }) => name === "onhost"),
        );
        const get = ["exec", "onhost", "sh", "-c", `wget -qO- http://${HOST_ADDRESS}/self 2>&1 || true`];
        t.match(await lab.docker(...get), /404/, "on the host's network");
        await lab.removeContainers("onhost");
      },
    );

    await t.test(
      "a shared network: neither is told; the first one is again without the second",
      async (t) => {
        await lab.startContainer({ name: "side", network: "container:one", env: { PORT: "8080" } });
        await wait("neither is told", async () => (await status(one)) === 404);
        t.match(
          await lab.docker("exec", "side", "sh", "-c", `wget -qO- http://${HOST_ADDRESS}/self 2>&1 || true`),
          /404/,
        );
        await lab.docker("stop", "-t", "0", "side");
        t.equal(await status(one), 404, "it may start at any time");
        await lab.removeContainers("side");
        t.same(await namesTold(one), ["one"]);
      },
    );

    if (!hasAll(engine)) return;
    await t.test("an idle run: the file is not written", async (t) => {
      await wait("nothing is left to do", async () => (await lab.ocdd(["plan"])).stdout === "");
      const before = statSync(file);
      signal(watch.pid, "SIGHUP");
      await wait("all is read again", async () => watch.output().includes("configuration reloaded"));
      const lastRun = (): number => statSync(join(storage(lab), "www/last-run")).mtimeMs;
      const reloaded = lastRun();
      await lab.startContainer({ name: "short", network: "none" });
      await wait("a run has followed", async () => lastRun() > reloaded);
      t.same([statSync(file).ino, statSync(file).mtimeMs], [before.ino, before.mtimeMs]);
      await lab.removeContainers("short");
    });

    await t.test(
      "a container that takes another one's address on their bridge: is not told its data",
      async (t) => {
        const thief = await lab.startContainer({ name: "thief", network: "fixed" });
        t.same(await namesTold(thief), ["thief"]);
        await lab.run(thief, ["ip", "addr", "add", `${FIXED}/32`, "dev", "eth0"]);
        const answers: unknown[] = [];
        await until("the host answers it at that address", async () => {
          await lab.run(thief, ["arping", "-c", "2", "-U", "-I", "eth0", FIXED], { check: false });
          const answer = await ask(thief, "--interface", FIXED);
          if (answer !== undefined) answers.push(answer.status);
          return answer !== undefined;
        });
        t.same(answers, [404]);
        await lab.removeContainers("thief");
        await wait("its owner is told again", async () => {
          await lab.run(one, ["arping", "-c", "1", "-U", "-I", "eth0", FIXED], { check: false });
          return (await status(one)) === 200;
        });
      },
    );

    await t.test(
      "replaced by one with the same address while watch is stopped: nothing until it goes on",
      async (t) => {
        signal(watch.pid, "SIGSTOP");
        try {
          await lab.removeContainers("one");
          const next = await fixed("next");
          t.equal(next.address, FIXED);
          for (let i = 0; i < 20; i++) t.equal((await ask(next))?.status, 404);
          t.equal(JSON.stringify(await ask(next)).includes("one."), false);
        } finally {
          signal(watch.pid, "SIGCONT");
        }
        t.same(await namesTold(await lab.container("next")), ["next"]);
        await lab.removeContainers("next");
      },
    );

    await t.test(
      `${ROUNDS} containers with one address, each asking from its start: only its own data`,
      async (t) => {
        for (let i = 0; i < ROUNDS; i++) {
          const name = `round${i}`;
          t.same(await namesTold(await fixed(name)), [name]);
          await lab.removeContainers(name);
        }
      },
    );

    await t.test("teardown: the file is removed, nothing is told", async (t) => {
      t.same(await namesTold(two), ["two"]);
      await watch.stop();
      succeed(await lab.ocdd(["teardown", "--yes"]), "teardown");
      t.notOk(existsSync(file));
      await until("it is told nothing", async () => (await status(two)) === 404);
      t.notMatch(server.output(), /no container is told|denied/);
    });
  });
}
