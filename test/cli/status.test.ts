/** `ocdd status`, on a host in memory: what it says of what it sees, and of what does not answer. */

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type StatusOptions, standingOf } from "../../src/cli/status.ts";
import type { Config } from "../../src/core/config/config.ts";
import { HostError } from "../../src/core/errors.ts";
import { pathsOf } from "../../src/core/paths.ts";
import { statusDocument, statusText } from "../../src/core/report/status.ts";
import { parseTally } from "../../src/core/report/watch-stats.ts";
import { reconcile } from "../../src/director/reconcile.ts";
import { keepTally, readTally } from "../../src/host/disk/watch-stats.ts";
import { config, container, HOST, NOW } from "../core/make.ts";
import { FakeHost } from "../fake/host.ts";

const DOWN = new HostError("docker", "Docker's socket /var/run/docker.sock refuses connections", {
  remedy: "start Docker",
});

/** A host with one container served and one that cannot be. */
async function inForce(t: Test): Promise<{ conf: Config; host: FakeHost; options: StatusOptions }> {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-status-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, "www"));
  writeFileSync(join(directory, "www/last-run"), "");
  const conf = config({ STORAGE_DIR: directory });
  const host = new FakeHost(conf);
  const sealed = container({ name: "sealed", networkMode: "none", attachments: [] });
  host.containers = [container({ name: "one" }), sealed];
  await reconcile(conf, host, { now: () => NOW, apply: true, yes: false, secondLook: 0 });
  const last = Math.floor(statSync(join(directory, "www/last-run")).mtimeMs / 1000);
  const about = async (): Promise<ReadonlyMap<string, unknown>> =>
    new Map([["ServerVersion", "28.5.2\u001b[31m"]]);
  return { conf, host, options: { host, docker: { about }, root: true, version: "2.0.0", now: last + 30 } };
}

t.test("a person and a program are told the same", async (t) => {
  const { conf, host, options } = await inForce(t);
  const { standing } = await standingOf(conf, options);
  const text = statusText(conf, standing);
  t.match(text, /last run +30 s ago/);
  t.match(text, /services +1 served, 1 not/);
  t.match(text, /addresses +1 of 20 in use, 0 on hold, 0 conflicts, 19 free; 1 in force/);
  t.match(text, /drift +none/);
  t.match(text, /sealed: it has no network/);
  t.notMatch(text, "\u001b", "Docker's own words are clipped as a stranger's");
  t.notMatch(text, /^(watch|last error)/m, "nobody has left word");
  t.match(statusDocument(conf, standing), {
    schemaVersion: 1,
    host: HOST,
    error: null,
    services: 1,
    addresses: { size: 20, used: 1, rest: 0, held: 0, conflict: 0, free: 19, inForce: 1 },
    skipped: [{ container: "sealed" }],
    drift: [],
    watch: null,
  });
  host.addresses = host.addresses.filter(({ prefix }) => prefix !== 32);
  t.match(statusText(conf, (await standingOf(conf, options)).standing), /drift:\n {2}\+ address /);
  const unprivileged = statusText(conf, (await standingOf(conf, { ...options, root: false })).standing);
  t.match(unprivileged, /drift +unknown \(that takes root\)/);
  rmSync(join(conf.storageDir, "www/last-run"));
  t.match(statusText(conf, (await standingOf(conf, options)).standing), /none that ended well/);
});

t.test("with Docker down everything else is told", async (t) => {
  const { conf, host, options } = await inForce(t);
  host.dockerDown = DOWN;
  const docker = { about: () => Promise.reject(DOWN) };
  for (const root of [true, false]) {
    const { standing } = await standingOf(conf, { ...options, docker, root });
    const text = statusText(conf, standing);
    t.match(text, /last run +30 s ago/);
    t.match(text, /services +unknown: Docker's socket .* refuses connections/);
    t.match(text, /addresses +1 of 20 in use, .* 1 in force/);
    t.match(text, /drift +unknown: what is in force stays so/);
    t.match(text, /versions +ocdd 2\.0\.0, Docker unknown/);
    t.match(statusDocument(conf, standing), {
      host: HOST,
      docker: null,
      error: /refuses connections/,
      services: null,
      drift: null,
    });
  }
});

t.test("a version that Docker does not tell costs nothing else", async (t) => {
  const { conf, options } = await inForce(t);
  const { standing } = await standingOf(conf, { ...options, docker: { about: () => Promise.reject(DOWN) } });
  t.match(statusText(conf, standing), /services +1 served[\s\S]*Docker unknown/);
});

t.test("what else cannot be looked at is thrown", async (t) => {
  const { conf, host, options } = await inForce(t);
  host.dockerDown = new HostError("missing", "ip is not installed");
  await t.rejects(standingOf(conf, options), /ip is not installed/);
});

t.test("what watch has done is told by status", async (t) => {
  const { conf, options } = await inForce(t);
  const file = pathsOf(conf).watchStats;
  let now = options.now - 7_200;
  const tally = keepTally(file, () => now);
  tally.ran(5, false);
  now += 3_600;
  tally.ran(2, true);
  now += 3_000;
  tally.failed("no space left");
  await tally.written();
  const told = async (): Promise<string> => statusText(conf, (await standingOf(conf, options)).standing);
  t.match(await told(), /watch +7 changes in 2 h, 2 of them drift repaired, the last 60 min ago\n/);
  t.match(await told(), /last error +10 min ago: no space left\n/);
  tally.ran(0, true);
  await tally.written();
  t.match(await told(), /last error +10 min ago, over since: no space left\n/);
  t.match(statusDocument(conf, (await standingOf(conf, options)).standing), {
    watch: { changes: 7, repaired: 2, lastError: { message: "no space left", over: true } },
  });
});

t.test("a run that tells nothing new writes nothing", async (t) => {
  const { conf } = await inForce(t);
  const file = pathsOf(conf).watchStats;
  const tally = keepTally(file, () => NOW);
  const written = async (): Promise<number> => {
    await tally.written();
    return statSync(file).ino;
  };
  tally.ran(0, false);
  const first = await written();
  tally.ran(0, true);
  tally.ran(0, false);
  t.equal(await written(), first);
  tally.failed("Docker is down");
  const second = await written();
  t.not(second, first);
  tally.failed("Docker is down");
  t.equal(await written(), second, "the same failure again");
});

t.test("a storage that cannot be written ends nothing, and a file that is none is no word", async (t) => {
  const tally = keepTally("/nowhere/watch.json", () => NOW);
  tally.ran(1, false);
  await tally.written();
  t.equal(await readTally("/nowhere/watch.json"), null);
  for (const text of ["", "{", "[]", "null", '{"since":"x"}', '{"since":1,"changes":1}']) {
    t.equal(parseTally(text), null, text);
  }
});
