/** A configuration that is read again while `watch` runs: refused, tried again, adopted. */
import t from "tap";
import type { Config } from "../../src/core/config/config.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { reconcile } from "../../src/director/reconcile.ts";
import { reloadable } from "../../src/director/reload.ts";
import type { Watched } from "../../src/director/streams.ts";
import { config, container, NOW } from "../core/make.ts";
import { StillHost } from "./still-host.ts";

const range = (first: number): Config => config({ IP_RANGE: `192.168.122.${first}-192.168.122.30` });
const run = (host: StillHost, conf: Config, yes = false) =>
  reconcile(conf, host, { now: () => NOW, apply: true, yes, confirmationMs: 0 });

/** A `watch` with one service at 192.168.122.11, and a file that it reads. */
async function watching() {
  const host = new StillHost();
  host.containers = [container({ name: "one", at: "172.17.0.2" })];
  await run(host, range(11));
  const file = { read: () => range(11) };
  const logged: string[] = [];
  const recorded: unknown[] = [];
  let reload = (): void => undefined;
  const { adopt } = reloadable(
    {
      read: () => file.read(),
      say: (level, line) => logged.push(`${level}: ${line}`),
      onReload: (call) => {
        reload = call;
      },
    },
    {
      open: (config) => ({ config, host }) as unknown as Watched,
      wake: () => undefined,
      record: (refusal) => recorded.push(refusal),
    },
  );
  const reloadWith = (read: () => Config): void => {
    file.read = read;
    reload();
  };
  return { host, file, logged, recorded, adopt, reloadWith };
}

t.test("a range without the leases: refused once, and adopted when they have moved", async (t) => {
  const { host, logged, recorded, adopt, reloadWith } = await watching();
  reloadWith(() => range(21));
  for (const whole of [true, true, false]) t.equal(await adopt(whole), undefined);
  t.match(logged, [/^error: 1 active lease would end.*; the old configuration stays \(.*`ocdd --yes`/]);
  t.match(recorded, [{ message: /^1 active lease would end/, remedy: /`ocdd --yes`/ }]);

  await run(host, range(21), true);
  const observed = host.scopes.length;
  t.equal(await adopt(false), undefined, "a run that observes a part of the host tries it not");
  t.equal(host.scopes.length, observed);
  t.equal((await adopt(true))?.config.pool[0]?.first, "192.168.122.21");
  t.strictSame(logged.slice(1), ["info: configuration reloaded: what it was refused for is over"]);
  t.strictSame(recorded.slice(1), [null]);
  t.equal(await adopt(true), undefined, "once");
});

t.test("a refused one that is no longer in the file: not adopted, and no longer reported", async (t) => {
  const { host, file, logged, recorded, adopt, reloadWith } = await watching();
  reloadWith(() => range(21));
  await adopt(true);
  host.containers = [];
  file.read = () => {
    throw new ConfigError([{ where: "ocdd.conf", message: "half written" }]);
  };
  t.equal(await adopt(true), undefined);
  t.equal(recorded.length, 1, "it may be written at this moment");
  file.read = () => range(11);
  t.equal(await adopt(true), undefined);
  t.match(logged.at(-1), /^info: the configuration that was refused has been changed/);
  t.equal(recorded.at(-1), null);
  t.equal(await adopt(true), undefined);
});

t.test("a file that cannot be read: reported with each mistake, until one that is adopted", async (t) => {
  const { logged, recorded, adopt, reloadWith } = await watching();
  reloadWith(() => {
    throw new ConfigError([
      { where: "ocdd.conf:1", message: "one" },
      { where: "ocdd.conf:2", message: "two" },
    ]);
  });
  t.equal(await adopt(true), undefined);
  t.match(logged, [/ocdd\.conf:1: one; the old/, /ocdd\.conf:2: two; the old/]);
  t.strictSame(recorded, [{ message: "ocdd.conf:1: one; ocdd.conf:2: two", remedy: null }]);
  reloadWith(() => range(11));
  t.ok(await adopt(false));
  t.equal(logged.at(-1), "info: configuration reloaded");
  t.strictSame(recorded.slice(1), [null]);
});
