/** Director and server with the capabilities and restrictions of the systemd units, in the lab. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { ROOT } from "../../packaging/surface.ts";
import { addresses, aliasOf, labFor, succeed } from "../lab/director.ts";
import { HOST_ADDRESS, ZONE } from "../lab/network.ts";
import { storage, writeConf } from "../lab/ocdd.ts";
import { type Outcome, run, until } from "../lab/process.ts";

t.setTimeout(1_200_000);

t.test("confined", async (t) => {
  const lab = await labFor(t, { name: "confined" });
  await lab.startContainers("web", "app");
  const before = await lab.snapshotHost();
  const argv = (who: "director" | "server", args: readonly string[]): string[] => [
    ...[
      ...lab.enterFully("host"),
      "env",
      `OCDD_HOST=${HOST_ADDRESS}`,
      "sh",
      join(ROOT, "test/package/confine.sh"),
      who,
      lab.dir,
      ROOT,
    ],
    ...[process.execPath, "--config", writeConf(lab), ...args],
  ];
  const director = (...args: string[]): Promise<Outcome> => run(argv("director", args), { check: false });
  /** Lines of /proc/PID/status: what the kernel says a process may do. */
  const status = (pid: number, field: string): string =>
    new RegExp(`^${field}:\\s*(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";

  await t.test("the director: initialize and a run succeed", async (t) => {
    succeed(await director("initialize"), "initialize");
    const { stderr } = succeed(await director(), "apply");
    t.equal(stderr, "");
    const table = await addresses(lab);
    for (const name of ["web", "app"]) t.equal(await lab.who(aliasOf(table, name)), `${name}`, name);
    t.equal((await director("plan", "--detailed-exitcode")).code, 0, "and there is nothing left to do");
  });

  await t.test("watch with three capabilities: follows Docker", async (t) => {
    const watch = lab.spawn("host", argv("director", ["watch"]), { label: "watch" });
    // setpriv and the programs before it are this same process
    await until("watch runs", () => status(watch.pid, "NoNewPrivs") === "1");
    t.same(
      ["Uid", "CapEff", "CapBnd", "NoNewPrivs"].map((field) => status(watch.pid, field).split("\t")[0]),
      [
        "0",
        "0000000000003020", // KILL, NET_ADMIN and NET_RAW
        "0000000000003020",
        "1",
      ],
    );
    await lab.startContainer({ name: "late" });
    const alias = await until("the new one has its alias", async () => (await addresses(lab)).late);
    await until("it answers", async () => (await lab.who(alias)) === "late");
    await lab.removeContainers("late");
    await until("the alias has gone", async () => {
      const { stdout } = await lab.run("host", ["ip", "-o", "addr"]);
      return !stdout.includes(` ${alias}/`);
    });
    await t.test("a service falls asleep, a visit starts it, and a browser is shown the page", async (t) => {
      const labels = { "ocdd.wake": "true", "ocdd.idle": "2s" };
      await lab.startContainer({ name: "sleeper", labels });
      const address = await until("it has its alias", async () => (await addresses(lab)).sleeper);
      const state = async (): Promise<string> =>
        (await lab.docker("inspect", "--format", "{{.State.Status}}", "sleeper")).trim();
      await until("it is stopped", async () => (await state()) === "exited");
      const visit = async (at: string): Promise<string> => {
        const argv = ["curl", "-sS", "--max-time", "20", "-H", "Accept: text/html", `http://${at}/`];
        return (await lab.run("client", argv, { check: false })).stdout.trim();
      };
      t.equal(await visit(address), "sleeper");
      await lab.removeContainers("sleeper");
      // nothing listens on its port, so that it does not become ready
      await lab.startContainer({
        name: "slow",
        labels: { "ocdd.wake": "true" },
        command: ["sleep", "600"],
      });
      const other = await until("it has its alias", async () => (await addresses(lab)).slow);
      await lab.docker("stop", "-t", "0", "slow");
      await until("the page is shown", async () => /<h1>slow /.test(await visit(other)));
      const log = readFileSync(`${storage(lab)}/events.jsonl`, "utf8");
      t.match(log, /"service":"sleeper".*"event":"stop","reason":"not used for 2 s"/);
      t.match(log, /"service":"sleeper".*"event":"start","reason":"visited by /);
      await lab.removeContainers("slow");
    });
    await t.test("a command in a container that runs as another user: ended after its timeout", async (t) => {
      const labels = {
        "ocdd.validate": "sleep 86399",
        "ocdd.validate.interval": "3s",
        "ocdd.validate.timeout": "1s",
      };
      await lab.startContainer({ name: "other", labels, args: ["--user", "65534"] });
      const results = (): string => {
        const file = `${storage(lab)}/methods.json`;
        return existsSync(file) ? readFileSync(file, "utf8") : "";
      };
      await until("its time is over", async () => results().includes("it was ended after 1 second"));
      t.notMatch(results(), "could not be ended");
      await lab.removeContainers("other");
    });
    await watch.stop();
    t.notMatch(watch.output(), /error|denied|permitted/i);
  });

  await t.test(
    "the server as an unprivileged user: answers on ports that it could not have opened",
    async (t) => {
      const server = lab.spawn("host", argv("server", ["serve"]), { label: "serve" });
      const soa = async (): Promise<boolean> =>
        (await lab.dig(ZONE, `@${HOST_ADDRESS}`, "SOA")).includes(ZONE);
      await until("it answers", soa);
      t.same(
        ["Uid", "CapEff", "CapBnd", "NoNewPrivs"].map((field) => status(server.pid, field).split("\t")[0]),
        ["65534", "0000000000000000", "0000000000000000", "1"],
      );
      const table = await addresses(lab);
      t.equal(await lab.dig(`web.${ZONE}`), aliasOf(table, "web"), "through IT's resolver");
      t.equal(await lab.dig(`web.${ZONE}`, `@${HOST_ADDRESS}`, "+tcp"), aliasOf(table, "web"), "TCP");
      t.match(await lab.curl(`http://${HOST_ADDRESS}/`), `web.${ZONE}`, "the page");
      const self = ["exec", "web", "wget", "-qO-", `http://${HOST_ADDRESS}/self`];
      t.equal(JSON.parse(await lab.docker(...self)).name, "web", "a container is told of itself");
      const file = join(storage(lab), "private/serve/self.json");
      const other = await run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", file], {
        check: false,
      });
      t.match(other, { code: 1, stdout: "" }, "the same user outside of the unit cannot read it");
      succeed(await director("teardown", "--yes"), "teardown");
      succeed(await director(), "apply");
      t.equal(
        await lab.dig(`web.${ZONE}`, `@${HOST_ADDRESS}`),
        aliasOf(table, "web"),
        "it follows the files",
      );
      await server.stop();
      t.notMatch(server.output(), /denied|permitted|EACCES|EROFS/i);
    },
  );

  await t.test("teardown: everything is removed", async (t) => {
    succeed(await director("teardown", "--yes"), "teardown");
    t.equal(await lab.snapshotHost(), before);
    t.ok(readFileSync(`${storage(lab)}/leases.json`, "utf8"), "leases stay");
  });
});
