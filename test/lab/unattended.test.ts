/**
 * `watch` unattended: health decides which containers have a shared name, a changed configuration becomes active, lost rules
 * are restored within the interval, and a clock that jumps changes no address.
 */

import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { addresses, aliases, aliasOf, initializedLab, waiter } from "./director.ts";
import { HOST_ADDRESS, ZONE } from "./network.ts";
import { writeConf } from "./ocdd.ts";

t.setTimeout(1_200_000);

/** So long that whatever happens within this test has been woken by an event. */
const NEVER = "86400";
const YEAR = 31_536_000_000;
const SHARED = "web.shop";

t.test("unattended", async (t) => {
  const lab = await initializedLab(t, { name: "unattended" });
  const shift = join(lab.dir, "clock-shift");
  const clock = `import{readFileSync}from"node:fs";const now=Date.now;
    Date.now=()=>{try{return now()+Number(readFileSync("${shift}","utf8"))}catch{return now()}}`;
  const conf = { SYNC_INTERVAL: NEVER };
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(clock)}` };
  const file = writeConf(lab, { conf });
  const server = await lab.serve({ conf });
  const watch = lab.startOcdd(["watch"], { conf, env });
  t.teardown(async () => {
    await watch.stop();
    await server.stop();
  });
  const comes = waiter(watch);
  /** What the name server answers for a name, sorted: addresses, or the whole records. */
  const asked = async (name: string, ...how: string[]): Promise<string> => {
    const text = await lab.dig(`${name}.${ZONE}`, `@${HOST_ADDRESS}`, ...how);
    return text.split("\n").sort().join();
  };

  const shop = (number: number, args: string[] = []) => ({
    name: `shop-web-${number}`,
    compose: { project: "shop", service: "web", number },
    args,
  });
  const check = ["--health-cmd", "test -e /tmp/fit", "--health-interval", "300ms", "--health-retries", "1"];
  await lab.startContainers(shop(1), shop(2, check), "other");
  await comes("all are served", async () => (await aliases(lab)).length === 3);
  const table = await addresses(lab, { conf });
  const plain = aliasOf(table, "shop-web-1");
  const checked = aliasOf(table, "shop-web-2");
  const other = aliasOf(table, "other");

  await t.test("an unhealthy container: leaves the shared name, keeps its own", async (t) => {
    const state = (): Promise<string> =>
      lab.docker("inspect", "--format", "{{.State.Health.Status}}", "shop-web-2");
    const keeps = async (t: Test, when: string): Promise<void> => {
      t.equal(await asked("web-2"), checked, `${when}: its own name`);
      t.ok((await aliases(lab)).includes(checked), `${when}: its alias`);
      t.equal(await lab.who(checked), "shop-web-2", `${when}: its rule`);
    };
    await comes("the check has failed", async () => (await state()) === "unhealthy");
    await comes("one has the name", async () => (await asked(SHARED)) === plain);
    await keeps(t, "unhealthy");

    await lab.docker("exec", "shop-web-2", "touch", "/tmp/fit");
    await comes("both have the name", async () => (await asked(SHARED)) === [plain, checked].sort().join());
    t.equal(await state(), "healthy");
    await keeps(t, "healthy");

    await lab.docker("exec", "shop-web-2", "rm", "/tmp/fit");
    await comes("one has the name again", async () => (await asked(SHARED)) === plain);
    await keeps(t, "unhealthy again");
  });

  await t.test("the clock jumps a year: addresses stay, also of a container that returns", async (t) => {
    for (const by of [YEAR, -YEAR, 0]) {
      writeFileSync(shift, String(by));
      await lab.docker("stop", "other");
      await comes("it is removed", async () => !(await aliases(lab)).includes(other));
      t.equal(await asked("other"), "", `${by}: its name as well`);
      await lab.docker("start", "other");
      await comes("it is served", async () => (await lab.who(other)) === "other");
      await comes("its name as well", async () => (await asked("other")) === other);
      t.same(await addresses(lab, { conf }), table, `${by}: as before`);
      t.equal(await lab.who(plain), "shop-web-1");
    }
  });

  await t.test("SIGHUP after a change: the new configuration is active", async (t) => {
    appendFileSync(file, "SYNC_INTERVAL=2\nDNS_TTL=7\nEXPOSE=labelled\n");
    process.kill(watch.pid, "SIGHUP");
    await comes("no container without a label is served", async () => (await aliases(lab)).length === 0);
    t.match(watch.output(), "configuration reloaded");
    await lab.startContainer({ name: "labelled", labels: { "ocdd.enable": "true" } });
    const answer = (): Promise<string> => asked("labelled", "+noshort", "+noall", "+answer");
    await comes("the new time to live", async () => /\s7\s+IN\s+A\s/.test(await answer()));
    t.ok(watch.running());
  });

  await t.test("rules removed by another program: restored within the interval (N-2)", async (t) => {
    const [alias = ""] = await aliases(lab);
    const serves = async (): Promise<boolean> => (await lab.who(alias)) === "labelled";
    const rules = async (): Promise<string> =>
      (await lab.run("host", ["iptables-save"])).stdout.replace(/^#.*|\[\d+:\d+\]/gm, "");
    await comes("it answers", serves);
    const whole = await rules();
    /** The arguments of iptables that take each of our jumps and accepts out of Docker's and the system's chains. */
    const jumps = whole.split("\n*").flatMap((part) => {
      const table = /^\*?(\w+)/.exec(part)?.[1] ?? "";
      return [...part.matchAll(/^-A (?!OCDD)(\S+ .*-j OCDD\S*)$/gm)].map(([, rule = ""]) => [
        "-t",
        table,
        "-D",
        ...rule.split(" "),
      ]);
    });
    t.ok(jumps.length >= 3, `${jumps.length} jumps`);
    for (const lost of [[["-t", "nat", "-F", "OCDD"]], jumps]) {
      for (const argv of lost) await lab.run("host", ["iptables", ...argv]);
      await comes("all rules are back", async () => (await rules()) === whole);
      await comes("it answers", serves);
    }
  });
});
