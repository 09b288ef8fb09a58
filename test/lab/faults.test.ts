/** Faults around the director, on both engines: the next run repairs them, and other services are not affected. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import {
  addresses,
  aliases,
  aliasOf,
  apply,
  ENGINES,
  fresh,
  hasAll,
  initializedLab,
  list,
} from "./director.ts";
import { freeze } from "./engine.ts";
import { storage } from "./ocdd.ts";
import { sleep, until } from "./process.ts";
import { replier } from "./traffic.ts";

t.setTimeout(1_200_000);

for (const engine of ENGINES) {
  t.test(`faults on ${engine}`, async (t) => {
    const daemon = { "live-restore": true };
    const lab = await initializedLab(t, { name: `faults-${engine}`, engine, daemon });
    const names = ["one", "two", "three", "four", "five"];
    await lab.startContainers(...names);
    await apply(lab);
    const table = await addresses(lab);
    /** What a run would change, a line each. */
    const pending = async (): Promise<string> => (await lab.ocdd(["plan"])).stdout;
    const reachable = async (t: { equal(a: unknown, b: unknown): unknown }): Promise<void> => {
      for (const name of names) t.equal(await lab.who(aliasOf(table, name)), name);
    };

    t.test(
      "dockerd restarts and crashes while containers run: no wrong answer, and soon the right one",
      async (t) => {
        const watch = lab.startOcdd(["watch"]);
        const poll = await replier(lab, aliasOf(table, "one"));
        for (const signal of ["SIGTERM", "SIGKILL"] as const) {
          await lab.restartDockerd({ signal });
          await until("the alias answers", async () => (await lab.who(aliasOf(table, "one"))) === "one");
        }
        await watch.stop();
        await apply(lab);
        const { answers } = await poll.stop();
        const others = answers.filter(({ who }) => who !== "one");
        t.ok(
          others.every(({ who }) => who === undefined),
          "no other container answers",
        );
        // Docker puts its own jumps before OCDD's while it starts: a connection of that moment repeats its first packet
        t.comment(`${others.length} of ${answers.length} connections failed`);
        t.same(await addresses(lab), table);
      },
    );

    t.test("Docker's daemon stopped, then hanging: nothing is removed", async (t) => {
      const host = await lab.snapshotHost();
      await lab.stopDockerd();
      const gone = await lab.ocdd();
      t.equal(gone.code, 69, gone.stderr);
      t.match(gone.stderr, "docker.sock");
      await lab.startDockerd();
      const pid = Number(readFileSync(join(lab.dir, "dockerd.pid"), "utf8"));
      freeze(pid, true);
      const hung = await lab.ocdd([], { timeout: 600_000 });
      freeze(pid, false);
      t.equal(hung.code, 69, hung.stderr);
      // Docker puts its own jumps at the top of FORWARD when it starts, and so before ours, which the next run moves
      const unordered = (snapshot: string): string => snapshot.replace(/^-A FORWARD .*\n/gm, "");
      t.equal(unordered(await lab.snapshotHost()), unordered(host));
      await apply(lab);
      await reachable(t);
    });

    if (!hasAll(engine)) return;
    t.test("rules and addresses removed by another program: restored by the next run", async (t) => {
      for (const argv of [
        ["iptables", "-D", "FORWARD", "-j", "OCDD-FORWARD"],
        ["iptables", "-t", "nat", "-F", "PREROUTING"],
        ["iptables", "-F", "INPUT"],
        ["iptables", "-t", "nat", "-F", "OCDD"],
        ["ip", "addr", "del", `${aliasOf(table, "two")}/32`, "dev", "ens3"],
      ]) {
        await lab.run("host", argv);
        t.not(await pending(), "", `${argv.join(" ")} is seen`);
        await apply(lab);
        t.equal(await pending(), "");
      }
      await reachable(t);
      await lab.restartDockerd(); // its own rules were removed too
      await apply(lab);
    });

    t.test("most services gone at once: observed again before they are removed", async (t) => {
      await lab.docker("stop", "two", "three", "four", "five");
      const { ms } = await apply(lab);
      t.ok(ms >= 2900, `it took ${ms} ms`);
      t.same(await aliases(lab), [aliasOf(table, "one")]);
      await lab.docker("start", "two", "three", "four", "five");
      await apply(lab);
      await reachable(t);
    });

    t.test("an address that another machine uses: not handed out", async (t) => {
      await fresh(lab);
      await lab.addLanHost("192.168.122.11");
      const owner = await lab.arpOwner("192.168.122.11");
      t.ok(owner);
      await lab.startContainers("one", "two");
      const { stderr } = await apply(lab);
      t.match(stderr, "192.168.122.11", "the run says so");
      t.same(Object.values(await addresses(lab)).sort(), ["192.168.122.12", "192.168.122.13"]);
      t.equal(await lab.arpOwner("192.168.122.11"), owner);
      const listed = await lab.ocdd(["list"]);
      t.match(`${listed.stdout}${listed.stderr}`, "192.168.122.11", "list names it");
    });

    t.test("a run killed at any moment: the next run converges", async (t) => {
      await fresh(lab);
      const three = ["one", "two", "three"];
      await lab.startContainers(...three);
      await apply(lab); // with a lease there is no probe to wait for: every moment is one of the work
      const before = await addresses(lab);
      for (let wait = 40; wait < 600; wait += 40) {
        const there = (await lab.docker("ps", "--format", "{{.Names}}")).includes("three");
        if (there) await lab.removeContainers("three");
        else await lab.startContainer({ name: "three" });
        const victim = lab.startOcdd();
        await sleep(wait);
        await victim.stop("SIGKILL");
        t.equal(await lab.who(aliasOf(before, "one")), "one", `killed after ${wait} ms`);
      }
      await lab.startContainer({ name: "three" }).catch(() => undefined); // it may be there
      await apply(lab);
      t.same(await addresses(lab), before);
      for (const name of three) t.equal(await lab.who(aliasOf(before, name)), name);
      t.same(await aliases(lab), Object.values(before).sort());
      t.equal(await pending(), "");
    });

    t.test("a run killed after its rules: the next run flushes the old connections", async (t) => {
      const alias = aliasOf(await addresses(lab), "one");
      const tracked = async (): Promise<string> =>
        (await lab.run("host", ["conntrack", "-L", "-p", "tcp", "-d", alias], { check: false })).stdout;
      await lab.who(alias);
      t.match(await tracked(), alias, "a connection is tracked");
      await apply(lab);
      t.match(await tracked(), alias, "a run without pending clean-up flushes none");
      const owed = join(storage(lab), "owed");
      writeFileSync(owed, `flush ${alias}\n`); // as the killed run has left it
      await apply(lab);
      t.equal(await tracked(), "");
      t.notOk(existsSync(owed));
      t.equal(await lab.who(alias), "one");
    });

    t.test("a second run at the same time: status 75, naming the process", async (t) => {
      await lab.startContainer({ name: "probe" });
      const first = lab.startOcdd();
      // the holder writes its number into the file as soon as the lock is its own
      const lock = join(storage(lab), "ocdd.lock");
      await until(
        "the first run has the lock",
        () => readFileSync(lock, "utf8").trim() === String(first.pid),
        { pause: 2 },
      );
      freeze(first.pid, true); // however slow this machine is, the first is at work when the second comes
      const refused = await lab.ocdd();
      freeze(first.pid, false);
      t.equal(refused.code, 75, refused.stderr);
      t.match(refused.stderr, String(first.pid));
      await until("end of the first", () => !first.running());
      const { services } = await list(lab);
      t.ok(
        services.some(({ name }) => name === "probe"),
        "the first has done its work",
      );
    });
  });
}
