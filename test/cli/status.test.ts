/** `ocdd status`, on a host in memory: what it reports, also where a part does not answer. */

import { fork } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import t, { type Test } from "tap";
import { type StatusOptions, serverAnswers, statusOf } from "../../src/cli/status.ts";
import type { Ipv4 } from "../../src/core/addresses/ipv4.ts";
import type { Config } from "../../src/core/config/config.ts";
import { HostError } from "../../src/core/errors.ts";
import { NO_GATES } from "../../src/core/lifecycle/gates.ts";
import { pathsOf } from "../../src/core/paths.ts";
import { type ServerAnswers, statusDocument, statusText } from "../../src/core/report/status.ts";
import { parseWatchStats, renderWatchStats, type WatchStats } from "../../src/core/report/watch-stats.ts";
import { reconcile } from "../../src/director/reconcile.ts";
import { readWatchStats, recordWatchStats } from "../../src/host/disk/watch-stats.ts";
import { attachment, config, container, HOST, id, NOW } from "../core/make.ts";
import { StillHost } from "../director/still-host.ts";
import { until } from "../lab/process.ts";
import { makePlace } from "../serve/place.ts";

const ZONE_TEXT = "@ 60 IN SOA ns1 hostmaster 1 3600 600 86400 60\n@ 60 IN NS ns1\nns1 60 IN A 127.0.0.1\n";

const ATTACHED = attachment("bridge", undefined);

const DOWN = new HostError("docker", "Docker's socket /var/run/docker.sock refuses connections", {
  remedy: "start Docker",
});

/** A host with one container served and one that cannot be. */
async function inForce(t: Test): Promise<{ conf: Config; host: StillHost; options: StatusOptions }> {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-status-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, "www"));
  writeFileSync(join(directory, "www/last-run"), "");
  const conf = config({ STORAGE_DIR: directory });
  const host = new StillHost();
  const sealed = container({ name: "sealed", networkMode: "none", attachments: [] });
  host.containers = [container({ name: "one" }), sealed];
  await reconcile(conf, host, { now: () => NOW, apply: true, yes: false, confirmationMs: 0 });
  const last = Math.floor(statSync(join(directory, "www/last-run")).mtimeMs / 1000);
  const about = async (): Promise<ReadonlyMap<string, unknown>> =>
    new Map([["ServerVersion", "28.5.2\u001b[31m"]]);
  return {
    conf,
    host,
    options: {
      host,
      docker: { about, stats: async () => undefined },
      root: true,
      version: "2.0.0",
      now: last + 30,
    },
  };
}

t.test("a host in force: text and document of its status say the same", async (t) => {
  const { conf, host, options } = await inForce(t);
  const { report } = await statusOf(conf, options);
  const text = statusText(conf, report);
  t.match(text, /last run +30 s ago/);
  t.match(text, /services +1 served, 1 skipped/);
  t.match(text, /addresses +1 of 20 in use, 0 on hold, 0 conflicts, 19 free; 1 on the device/);
  t.match(text, /drift +none/);
  t.match(text, /sealed: the container has no network/);
  t.notMatch(text, "\u001b", "Docker's text is clipped");
  t.match(text, /^watch +has not run on this host$/m, "it has recorded nothing");
  t.notMatch(text, /^last error/m);
  t.match(statusDocument(conf, report), {
    schemaVersion: 1,
    host: HOST,
    error: null,
    services: 1,
    addresses: { size: 20, used: 1, rest: 0, held: 0, conflict: 0, free: 19, inForce: 1 },
    skipped: [{ container: "sealed" }],
    drift: [],
    watch: null,
  });
  host.actual = { ...host.actual, aliases: [] };
  t.match(statusText(conf, (await statusOf(conf, options)).report), /drift:\n {2}\+ address /);
  const unprivileged = statusText(conf, (await statusOf(conf, { ...options, root: false })).report);
  t.match(unprivileged, /drift +unknown \(needs root\)/);
  rmSync(join(conf.storageDir, "www/last-run"));
  t.match(statusText(conf, (await statusOf(conf, options)).report), /never succeeded/);
});

t.test(
  "services asleep, and those not started: counted, with the reason; visits without watch",
  async (t) => {
    const { conf, host, options } = await inForce(t);
    const wake = new Map([["ocdd.wake", "true"]]);
    const asleep = (name: string) =>
      container({ name, state: "exited", labels: wake, attachments: [ATTACHED] });
    host.over = {
      stopped: [asleep("two"), asleep("three"), asleep("four")],
      gates: { ...NO_GATES, queue: 1, failed: new Map([[id("four"), "no such image\u001b[31m"]]) },
    };
    const { report } = await statusOf(conf, options);
    const text = statusText(conf, report);
    t.match(text, /^asleep +2 services, 1 could not be started$/m);
    t.match(text, /^not started:\n {2}four: no such image\ufffd\[31m$/m);
    t.notMatch(text, /^visits/m);
    const reason = "no such image\ufffd[31m";
    t.match(statusDocument(conf, report), { asleep: 2, failed: [{ name: "four", reason }], wakes: true });
    host.over = { stopped: [asleep("two")] };
    const without = (await statusOf(conf, options)).report;
    t.match(
      statusText(conf, without),
      /^asleep +1 service\nvisits +start no service and are refused: `ocdd watch` does not run$/m,
    );
    t.match(statusDocument(conf, without), { asleep: 1, failed: [], wakes: false });
    const unprivileged = (await statusOf(conf, { ...options, root: false })).report;
    t.notMatch(statusText(conf, unprivileged), /^visits/m, "it is not known");
    t.match(statusDocument(conf, unprivileged), { wakes: null });
    host.over = {};
    t.notMatch(statusText(conf, (await statusOf(conf, options)).report), /^(asleep|visits)/m);
  },
);

t.test(
  "rows that are not good say what helps, in words of what runs OCDD here; others say nothing",
  async (t) => {
    const { conf, host, options } = await inForce(t);
    const remedies = async (
      over: Partial<Config>,
      server: ServerAnswers,
    ): Promise<(string | undefined)[][]> => {
      const here = { ...conf, ...over };
      const { report } = await statusOf(here, { ...options, server: async () => server });
      const rows = statusText(here, report).matchAll(/^(\S.*?) {2,}.*\n {13}remedy: (.*)$/gm);
      return [...rows].map(([, title, remedy]) => [title, remedy]);
    };
    host.over = {
      firewall: { backend: "iptables", unguarded: "not installed: nft", obstacles: [], iptables: true },
    };
    host.actual = { ...host.actual, aliases: [] };
    t.match(await remedies({ services: "systemd" }, { dns: false, web: true }), [
      ["watch", /^systemctl start ocdd-watch; not needed where cron/],
      ["name server", /^systemctl start ocdd-serve; if it runs/],
      ["drift", /^`ocdd`/],
      ["guard", /nftables/],
    ]);
    t.match(await remedies({ services: "none" }, { dns: true, web: false }), [
      ["watch", /^start `ocdd watch`/],
      ["page", /^start `ocdd serve`/],
      ["drift"],
      ["guard"],
    ]);
    const fine = { unguarded: null, backend: "iptables", obstacles: [], iptables: true } as const;
    host.over = { firewall: fine };
    await reconcile(conf, host, { now: () => NOW, apply: true, yes: false, confirmationMs: 0 });
    recordWatchStats(pathsOf(conf).watchStats, () => options.now).succeeded(1, 0);
    await until(
      "watch has been recorded",
      async () => (await readWatchStats(pathsOf(conf).watchStats)) !== null,
    );
    t.same(await remedies({}, { dns: true, web: true }), []);
  },
);

t.test("the servers: asked one by one, in text and document", async (t) => {
  const { conf, options } = await inForce(t);
  const shown = async (server: ServerAnswers | undefined): Promise<unknown[]> => {
    const { report } = await statusOf(conf, { ...options, server: async () => server });
    const rows = [...statusText(conf, report).matchAll(/^(?:name server|page) +(.*)$/gm)];
    return [...rows.map(([, row]) => row), (statusDocument(conf, report) as { server: unknown }).server];
  };
  const hung = { dns: true, web: false };
  t.same(await shown(hung), ["answers", "does not answer", hung]);
  const foreign: ServerAnswers = { dns: false, web: false, other: ["dns"] };
  t.same(await shown(foreign), [
    "is not OCDD's, or out of date: see `ocdd doctor`",
    "does not answer",
    foreign,
  ]);
  const without = { dns: false, web: null };
  t.same(await shown(without), ["does not answer", "off (WEB_ENABLED=0)", without]);
  const unknown = "unknown (the host has no address yet)";
  t.same(await shown(undefined), [unknown, unknown, null]);
});

t.test("colours of the overview: what is good, what asks for attention", async (t) => {
  const { conf, host, options } = await inForce(t);
  const paint = (text: string, tone: string): string => `<${tone}>${text}</>`;
  const shown = async (over: Partial<StatusOptions> = {}): Promise<string> =>
    statusText(conf, (await statusOf(conf, { ...options, ...over })).report, paint);
  host.over = { firewall: { backend: "iptables", unguarded: null, obstacles: [], iptables: true } };
  const text = await shown({ server: async () => ({ dns: true, web: false }) });
  t.match(text, /^name server +<good>answers<\/>\npage +<bad>does not answer<\/>$/m);
  t.match(text, /^guard +<good>available on this host<\/>$/m);
  t.match(text, /^watch +<warn>has not run/m);
  t.match(await shown({ root: false }), /^guard +unknown \(needs root\)$/m);
  host.actual = { ...host.actual, aliases: [] };
  t.match(await shown(), /^drift +<warn>\d+ changes? for the next run<\/>$/m);
});

t.test("a server whose main thread hangs: its name server answers, its page does not", async (t) => {
  const { dir, conf, dns, web } = await makePlace("toolbox.example.com", ZONE_TEXT);
  const program = join(import.meta.dirname, "../serve/hung-serve.ts");
  const child = fork(program, [conf], { stdio: "ignore" });
  t.teardown(() => {
    child.kill("SIGKILL");
    rmSync(dir, { recursive: true });
  });
  const here = config({
    DNS_LISTEN: "127.0.0.1",
    DNS_PORT: `${dns}`,
    WEB_LISTEN: "127.0.0.1",
    WEB_PORT: `${web}`,
  });
  const both = async (): Promise<unknown> => serverAnswers(here, "127.0.0.1" as Ipv4);
  await until("both answer", async () => isDeepStrictEqual(await both(), { dns: true, web: true }));
  child.send("hang");
  await until("the page does not", async () => isDeepStrictEqual(await both(), { dns: true, web: false }));
  t.equal(await serverAnswers(here, null), undefined);
});

t.test("a host that cannot be guarded: the reason is reported, without root it is unknown", async (t) => {
  const { conf, host, options } = await inForce(t);
  const guarded = async (root: boolean): Promise<unknown> =>
    (statusDocument(conf, (await statusOf(conf, { ...options, root })).report) as { guarded: unknown })
      .guarded;
  host.over = { firewall: { backend: "iptables", unguarded: null, obstacles: [], iptables: true } };
  t.same([await guarded(true), await guarded(false)], [true, null]);
  const unguarded = "not installed: nft\u001b[31m";
  host.over = { firewall: { backend: "iptables", unguarded, obstacles: [], iptables: true } };
  t.same([await guarded(true), await guarded(false)], [false, null]);
  const text = statusText(conf, (await statusOf(conf, options)).report);
  t.match(text, /^guard +not guarded: not installed: nft/m);
  t.notMatch(text, "\u001b", "a program's text is clipped");
});

t.test("Docker down: everything else is reported", async (t) => {
  const { conf, host, options } = await inForce(t);
  host.dockerDown = DOWN;
  const docker = { about: () => Promise.reject(DOWN), stats: () => Promise.reject(DOWN) };
  for (const root of [true, false]) {
    const { report } = await statusOf(conf, { ...options, docker, root });
    const text = statusText(conf, report);
    t.match(text, /last run +30 s ago/);
    t.match(text, /services +unknown: Docker's socket .* refuses connections/);
    t.match(text, /addresses +1 of 20 in use, .* 1 on the device/);
    t.match(text, /drift +unknown \(Docker is down; rules stay in place\)/);
    t.match(text, /versions +ocdd 2\.0\.0, Docker unknown/);
    t.match(statusDocument(conf, report), {
      host: HOST,
      docker: null,
      error: /refuses connections/,
      services: null,
      drift: null,
    });
  }
});

t.test("a version that Docker does not give: everything else is reported", async (t) => {
  const { conf, options } = await inForce(t);
  const { report } = await statusOf(conf, {
    ...options,
    docker: { ...options.docker, about: () => Promise.reject(DOWN) },
  });
  t.match(statusText(conf, report), /services +1 served[\s\S]*Docker unknown/);
});

t.test(
  "--stats: what each service uses, as far as Docker reports it; not requested without it",
  async (t) => {
    const { conf, host, options } = await inForce(t);
    host.containers = [...host.containers, container({ name: "two", at: "172.17.0.3" })];
    await reconcile(conf, host, { now: () => NOW, apply: true, yes: false, confirmationMs: 0 });
    const asked: string[] = [];
    const stats = async (containerId: string) => {
      asked.push(containerId);
      if (containerId === id("two")) throw DOWN;
      return {
        cpu_stats: { cpu_usage: { total_usage: 3_000 }, system_cpu_usage: 40_000, online_cpus: 4 },
        precpu_stats: { cpu_usage: { total_usage: 1_000 }, system_cpu_usage: 20_000 },
        memory_stats: { usage: 300 * 2 ** 20, limit: 2 ** 31, stats: { inactive_file: 44 * 2 ** 20 } },
      };
    };
    const docker = { ...options.docker, stats };
    const plain = (await statusOf(conf, { ...options, docker })).report;
    t.strictSame(asked, []);
    t.notOk("stats" in statusDocument(conf, plain));
    const { report } = await statusOf(conf, { ...options, docker, usage: true });
    t.strictSame(asked.toSorted(), [id("one"), id("two")].toSorted());
    t.match(statusText(conf, report), /^stats:\n(.*\n)* {2}one {2}40\.0 % CPU {2}256 MiB of 2\.0 GiB$/m);
    const { stats: list } = statusDocument(conf, report) as { stats: { name: string }[] };
    t.strictSame(
      list.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      [
        {
          name: "one",
          address: "192.168.122.11",
          cpuPercent: 40,
          memoryBytes: 2 ** 28,
          memoryLimitBytes: 2 ** 31,
        },
        {
          name: "two",
          address: "192.168.122.12",
          cpuPercent: null,
          memoryBytes: null,
          memoryLimitBytes: null,
        },
      ],
    );
  },
);

t.test("an observation that fails otherwise: an error", async (t) => {
  const { conf, host, options } = await inForce(t);
  host.dockerDown = new HostError("missing", "ip is not installed");
  await t.rejects(statusOf(conf, options), /ip is not installed/);
});

t.test("what watch has done is in the status", async (t) => {
  const { conf, options } = await inForce(t);
  const file = pathsOf(conf).watchStats;
  let now = options.now - 7_200;
  const stats = recordWatchStats(file, () => now);
  stats.succeeded(5, 0);
  now += 3_600;
  stats.succeeded(2, 2);
  now += 3_000;
  stats.failed("no space left");
  await stats.written();
  const told = async (): Promise<string> => statusText(conf, (await statusOf(conf, options)).report);
  t.match(await told(), /watch +runs: 7 changes in 2 h, 2 repairs, the last 1 h ago\n/);
  t.match(await told(), /last error +10 min ago: no space left\n/);
  const recorded = (await readWatchStats(file)) as WatchStats;
  t.match(statusDocument(conf, (await statusOf(conf, options)).report), { watch: { running: true } });
  writeFileSync(
    file,
    renderWatchStats({ ...recorded, process: { ...recorded.process, started: "1" } } as WatchStats),
  );
  t.match(
    await told(),
    /watch +does not run; before it ended: 7 changes in 2 h/,
    "another process has its number",
  );
  t.match(statusDocument(conf, (await statusOf(conf, options)).report), { watch: { running: false } });
  writeFileSync(file, renderWatchStats({ ...recorded, process: null } as WatchStats));
  t.match(await told(), /watch +7 changes in 2 h/, "a file of an earlier version");
  stats.succeeded(0, 0);
  await stats.written();
  t.match(await told(), /last error +10 min ago, recovered since: no space left\n/);
  t.match(statusDocument(conf, (await statusOf(conf, options)).report), {
    watch: { changes: 7, repaired: 2, lastError: { message: "no space left", over: true } },
  });
});

t.test("nothing starts watch and serve: `ocdd initialize` is the only remedy", async (t) => {
  const { conf, options } = await inForce(t);
  const server = async (): Promise<ServerAnswers> => ({ dns: false, web: false });
  const text = async (unstarted: boolean): Promise<string> =>
    statusText(conf, (await statusOf(conf, { ...options, server, unstarted })).report);
  const remedies = (await text(true)).match(/^ +remedy: .*$/gm) ?? [];
  t.match(remedies, [/run `ocdd initialize`, or set SERVICES=none/]);
  t.equal(remedies.length, 1);
  t.match(await text(true), /^set-up +nothing starts `watch` and `serve` on this host/m);
  t.notMatch(await text(false), /^set-up/m);
});

t.test("a reload that was refused is in the status, with its remedy, while watch runs", async (t) => {
  const { conf, options } = await inForce(t);
  const file = pathsOf(conf).watchStats;
  const told = async (): Promise<string> => statusText(conf, (await statusOf(conf, options)).report);
  const stats = recordWatchStats(file, () => options.now - 600);
  stats.reload({ message: "1 active lease would end", remedy: "run `ocdd --yes`" });
  await stats.written();
  t.match(
    await told(),
    /^reload +refused 10 min ago, the old configuration stays: 1 active lease would end\n +remedy: run `ocdd --yes`$/m,
  );
  const refused = {
    message: "1 active lease would end",
    remedy: "run `ocdd --yes`",
    at: new Date((options.now - 600) * 1000).toISOString(),
  };
  t.match(statusDocument(conf, (await statusOf(conf, options)).report), { watch: { refused } });
  stats.reload({ message: "ocdd.conf:1: wrong", remedy: null });
  await stats.written();
  t.match(await told(), /^reload .*wrong\n +remedy: correct the configuration and reload/m);
  const recorded = (await readWatchStats(file)) as WatchStats;
  writeFileSync(
    file,
    renderWatchStats({ ...recorded, process: { ...recorded.process, started: "1" } } as WatchStats),
  );
  t.notMatch(await told(), /^reload/m);
  stats.reload(null);
  await stats.written();
  t.notMatch(await told(), /^reload/m);
  t.match(statusDocument(conf, (await statusOf(conf, options)).report), { watch: { refused: null } });
});

t.test("a run that changes no figure writes no file", async (t) => {
  const { conf } = await inForce(t);
  const file = pathsOf(conf).watchStats;
  const stats = recordWatchStats(file, () => NOW);
  const written = async (): Promise<number> => {
    await stats.written();
    return statSync(file).ino;
  };
  stats.succeeded(0, 0);
  const first = await written();
  stats.succeeded(0, 0);
  stats.succeeded(0, 0);
  t.equal(await written(), first);
  stats.failed("Docker is down");
  const second = await written();
  t.not(second, first);
  stats.failed("Docker is down");
  t.equal(await written(), second, "the same failure again");
});

t.test(
  "a storage that cannot be written is no error, and a file that cannot be read counts as none",
  async (t) => {
    const stats = recordWatchStats("/nowhere/watch.json", () => NOW);
    stats.succeeded(1, 0);
    await stats.written();
    t.equal(await readWatchStats("/nowhere/watch.json"), null);
    for (const text of ["", "{", "[]", "null", '{"since":"x"}', '{"since":1,"changes":1}']) {
      t.equal(parseWatchStats(text), null, text);
    }
  },
);

t.test("a host that is not set up: one remedy, whatever is missing", async (t) => {
  const { options } = await inForce(t);
  const conf = config({ STORAGE_DIR: t.testdir({}) });
  const host = new StillHost();
  host.containers = [container({ name: "one" })];
  const { report } = await statusOf(conf, {
    ...options,
    host,
    server: async () => ({ dns: false, web: false }),
  });
  const text = statusText(conf, report);
  t.match(text, /^last run +never: OCDD has not been set up on this host\n +remedy: run `ocdd initialize`$/m);
  t.equal(text.match(/remedy:/g)?.length, 1);
});
