/** `ocdd watch`, on both engines: it follows events, and goes on when Docker restarts. */

import { appendFileSync, existsSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { addresses, aliases, aliasOf, ENGINES, hasAll, initializedLab } from "./director.ts";
import { storage, writeConf } from "./ocdd.ts";
import { until } from "./process.ts";
import { differing, replier } from "./traffic.ts";

t.setTimeout(1_200_000);

for (const engine of ENGINES) {
  t.test(`watch on ${engine}`, async (t) => {
    const daemon = { "live-restore": true };
    const lab = await initializedLab(t, { name: `watch-${engine}`, engine, daemon });
    await lab.startContainers("one", "two");
    const watch = lab.startOcdd(["watch"]);
    /** Milliseconds until a condition holds. */
    const wait = async (what: string, ask: () => Promise<boolean>): Promise<number> => {
      const start = performance.now();
      await until(what, ask, { pause: 10 }).catch((error: Error) => {
        throw new Error(`${error.message}\n${watch.output()}`);
      });
      return Math.round(performance.now() - start);
    };
    const served = (name: string, address: string) => async () => (await lab.who(address)) === name;
    await wait("what runs already is served", served("one", "192.168.122.12"));
    const said = () => watch.output().match(/^watching .*$/gm);
    await wait("it says so", async () => said() !== null);
    const table = await addresses(lab);
    const one = aliasOf(table, "one");
    const two = aliasOf(table, "two");

    t.test("a start, a stop, a new container: followed", async (t) => {
      await lab.docker("stop", "two");
      await wait("two is gone", async () => !(await aliases(lab)).includes(two));
      await lab.docker("start", "two");
      t.comment(`${await wait("two is back", served("two", two))} ms after docker start`);
      await lab.startContainer({ name: "three" });
      t.comment(`${await wait("three", async () => (await aliases(lab)).length === 3)} ms for a newcomer`);
      t.equal(await lab.who(aliasOf(await addresses(lab), "three")), "three");
    });

    t.test("a burst of starts: other services are unaffected", async (t) => {
      const poll = await replier(lab, one);
      for (const _ of [1, 2, 3]) {
        await lab.docker("stop", "two", "three");
        await lab.docker("start", "two", "three");
      }
      await wait("all are back", async () => (await aliases(lab)).length === 3);
      t.same(differing(await poll.stop()), ["one"]);
    });

    t.test("Docker restarts and crashes: events are followed again (O-21)", async (t) => {
      await lab.restartDockerd({ signal: "SIGKILL" });
      await lab.restartDockerd();
      await lab.startContainer({ name: "four" });
      await wait("four is served", async () => (await aliases(lab)).length === 4);
      t.equal(await lab.who(aliasOf(await addresses(lab), "four")), "four");
      t.ok(watch.running());
    });

    if (!hasAll(engine)) return;
    t.test("an alias removed by another program: restored", async (t) => {
      await lab.run("host", ["ip", "addr", "del", `${one}/32`, "dev", "ens3"]);
      t.comment(`${await wait("the alias is back", served("one", one))} ms`);
    });

    t.test("a file that another program writes between two events: left alone, and said", async (t) => {
      const services = join(storage(lab), "www/services.json");
      writeFileSync(services, "of another program\n");
      await lab.docker("restart", "-t", "0", "three");
      for (const words of ["has been changed by another program", "holds something that OCDD did not write"])
        await wait("it is said", async () => watch.output().includes(`${services} ${words}`));
      t.equal(readFileSync(services, "utf8"), "of another program\n");
      unlinkSync(services);
      await wait("it is written again", async () => existsSync(services));
      t.match(readFileSync(services, "utf8"), "three");
    });

    t.test("a run that failed is tried again, though nothing happens meanwhile", async (t) => {
      const zones = join(storage(lab), "dns");
      renameSync(zones, `${zones}.away`);
      writeFileSync(zones, "not a directory");
      await lab.docker("restart", "-t", "0", "three");
      await wait("the failure is told", async () => /error: cannot \w+ \S*dns/.test(watch.output()));
      const again = (): number => watch.output().split("reconciliation succeeds again").length;
      const before = again();
      unlinkSync(zones);
      renameSync(`${zones}.away`, zones);
      await wait("it succeeds", async () => again() > before);
      t.ok(watch.running());
    });

    t.test("SIGHUP with an invalid configuration: the old one stays", async (t) => {
      appendFileSync(writeConf(lab), "NONSENSE=1\n");
      process.kill(watch.pid, "SIGHUP");
      await wait("the mistake is logged", async () => watch.output().includes("NONSENSE"));
      t.ok(watch.running());
      t.equal(await lab.who(one), "one");
      writeConf(lab);
    });

    t.test(
      "SIGHUP with a configuration that the host contradicts: runs go on with the old one",
      async (t) => {
        for (const [line, told] of [
          ["NETWORK_DEVICE='ens33'", '"ens33" is no network device of this host'],
          ["IP_RANGE_START=20", "4 active leases would end"],
        ] as const) {
          appendFileSync(writeConf(lab), `${line}\n`);
          process.kill(watch.pid, "SIGHUP");
          await wait("the contradiction is logged", async () => watch.output().includes(told));
          await lab.docker("stop", "four");
          await wait("ended containers are removed", async () => (await aliases(lab)).length === 3);
          await lab.docker("start", "four");
          await wait("a new container is served", async () => (await aliases(lab)).length === 4);
        }
        t.notMatch(watch.output(), "configuration reloaded");
        writeConf(lab);
        process.kill(watch.pid, "SIGHUP");
        await wait("a valid one is adopted", async () => watch.output().includes("configuration reloaded"));
        t.equal(await lab.who(one), "one");
      },
    );

    t.test("a run by hand beside watch: nothing to do", async (t) => {
      // the page tells of the last start when Docker has told of it, up to a full run later: one answer is asked for both
      const reloads = (): number => watch.output().split("configuration reloaded").length;
      const before = reloads();
      appendFileSync(writeConf(lab), "SYNC_INTERVAL=1\n");
      process.kill(watch.pid, "SIGHUP");
      await wait("it is adopted", async () => reloads() > before);
      // the commands read a file of their own, which says the same: the page tells how often it is written
      const conf = { SYNC_INTERVAL: "1" };
      let pending = "";
      const idle = async (): Promise<boolean> => {
        const plan = await lab.ocdd(["plan", "--detailed-exitcode"], { conf });
        pending = `${plan.code} ${plan.stdout}`;
        return pending === "0 ";
      };
      await until("nothing is left to do", idle).catch((error: Error) =>
        t.fail(`${error.message}: ${pending}`),
      );
      // 75: watch is in a run of its own just then
      const byHand = await until("a run by hand has the lock", async () => {
        const run = await lab.ocdd([], { conf });
        return run.code === 75 ? undefined : { run };
      });
      t.equal(byHand.run.code, 0, byHand.run.stderr);
    });

    t.test("teardown beside watch: refused, and nothing is changed", async (t) => {
      const { code, stdout, stderr } = await lab.ocdd(["teardown", "--yes"]);
      t.match([code, stdout], [75, ""]);
      t.match(stderr, /^ocdd: `ocdd watch` runs \(process \d+\), and would .*\nremedy: stop it first: /);
      t.equal((await aliases(lab)).length, 4);
      t.equal(await lab.who(one), "one");
    });

    t.test("SIGTERM: it ends by itself, and rules and aliases stay", async (t) => {
      t.equal(await watch.stop(), 0);
      t.same(said(), ["watching 2 services"], "of all its runs only the first one tells how many");
      t.equal((await aliases(lab)).length, 4);
      t.equal(await lab.who(one), "one");
    });
  });
}
