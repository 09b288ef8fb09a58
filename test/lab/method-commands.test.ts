/** The commands about metadata and methods, on real engines. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { BASE } from "../core/methods/pienaar.ts";
import { apply, ENGINES, hasAll, initializedLab, lines } from "./director.ts";
import type { Lab } from "./handle.ts";
import { storage } from "./ocdd.ts";
import { until } from "./process.ts";
import { inspected } from "./sleeper.ts";

t.setTimeout(1_200_000);

const OWN = {
  ...BASE,
  project: "rbldnsd",
  image_name: "ripienaar/rbldnsd",
  start_method: "/srv/support/bin/start.sh",
  update_method: "/srv/update",
  validate_method: "/srv/validate",
};

/** UPDATE takes the next zone, VALIDATE refuses one that is broken. */
const UPDATE = `#!/bin/sh
echo ">> Fetching..."
echo "$(cat /srv/next)" >/srv/zone
echo ">> Reloading..."
`;
const VALIDATE = `#!/bin/sh
grep -q broken /srv/zone && { echo "zone is broken"; exit 3; }
printf 'zone is \\033[32mgood\\033[0m\\n'
`;

/** A container with metadata files and scripts. */
async function service(lab: Lab, name: string, labels: Record<string, string> = {}): Promise<void> {
  const files = join(lab.dir, `files-${name}`);
  mkdirSync(join(files, "etc/ocdd/metadata"), { recursive: true });
  mkdirSync(join(files, "srv"), { recursive: true });
  writeFileSync(join(files, "etc/ocdd/metadata/10-base.json"), JSON.stringify(BASE));
  writeFileSync(join(files, "etc/ocdd/metadata/20-own.json"), JSON.stringify(OWN));
  writeFileSync(join(files, "srv/next"), "first\n");
  writeFileSync(join(files, "srv/zone"), "first\n");
  for (const [script, text] of Object.entries({ update: UPDATE, validate: VALIDATE }))
    writeFileSync(join(files, "srv", script), text, { mode: 0o755 });
  await lab.startContainer({ name, labels });
  await lab.docker("cp", `${files}/.`, `${name}:/`);
}

const put = (lab: Lab, name: string, text: string): Promise<string> =>
  lab.docker("exec", name, "sh", "-c", `echo ${text} >/srv/next`);

for (const engine of ENGINES) {
  t.test(`methods by command, engine ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `methods-${engine}`, engine, dns: false });
    await service(lab, "one", { "ocdd.meta.openssl": '"1.1.1w"', "ocdd.meta.owners": '["ops","dns"]' });
    await service(lab, "two", { "ocdd.meta.openssl": '"3.0.2"' });
    await lab.startContainer({ name: "plain", env: { TOKEN: "very-secret" } });
    await apply(lab);
    await says(t, lab);
    await validates(t, lab);
    if (!hasAll(engine)) return;
    await updates(t, lab);
    await shown(t, lab);
    await refuses(t, lab);
  });
}

async function says(t: Test, lab: Lab): Promise<void> {
  await t.test("metadata: fields, labels, methods with where each was found, no environment", async (t) => {
    const { stdout } = await lab.ocdd(["metadata", "one"]);
    const found = JSON.parse(stdout);
    t.match(found, {
      ...OWN,
      name: "one",
      meta: { openssl: "1.1.1w", owners: ["ops", "dns"] },
      methods: {
        update: { command: ["/srv/update"], source: "/etc/ocdd/metadata/20-own.json", timeout: 60 },
        validate: { command: ["/srv/validate"] },
      },
      ancestry: [{ project: "centos_base" }, { project: "rbldnsd" }],
      runtime: { address: /^192\.168\.122\./, host: "192.168.122.200", deployed_by: "docker" },
    });
    const plain = await lab.ocdd(["metadata", "plain"]);
    t.notMatch(plain.stdout, /very-secret/);
    t.match(
      (await lab.ocdd(["metadata", "plain", "--show-env"])).stdout,
      /TOKEN=very-secret/,
      "asked for by root",
    );
  });
  await t.test("examine: the layout of the container script", async (t) => {
    const { stdout } = await lab.ocdd(["examine", "one"]);
    const [first = "", ...rest] = stdout.split("\n");
    t.match(first, /^Container first started at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 \(\d{10}\)$/);
    const wanted = readFileSync(new URL("../core/methods/examine.txt", import.meta.url), "utf8").trimEnd();
    t.equal(
      rest.join("\n"),
      wanted
        .split("\n")
        .slice(1)
        .join("\n")
        .replaceAll("/srv/support/bin/update.sh", "/srv/update")
        .replaceAll("/srv/support/bin/validate.sh", "/srv/validate"),
    );
  });
  await t.test("audit: those that match, and status 1", async (t) => {
    const older = await lab.ocdd(["audit", "--where", "meta.openssl<3", "--select", "meta.openssl,gitref"]);
    t.equal(older.code, 1);
    t.match(lines(older.stdout)[1], /^one +lab\/web:1 +1\.1\.1w +fcb5f3c/);
    t.equal(lines(older.stdout).length, 2, "a head and one service");
    const none = await lab.ocdd(["audit", "--where", "meta.openssl<1"]);
    t.match([none.code, none.stdout], [0, "none of 3 services matches"]);
    const old = await lab.ocdd(["audit", "--older-than", "365d", "--json"]);
    t.same(
      JSON.parse(old.stdout).services.map((one: { name: string }) => one.name),
      ["one", "two"],
    );
    t.equal((await lab.ocdd(["audit", "--where", "<3"])).code, 64);
    t.match(
      (await lab.ocdd(["audit", "--where", "meta.opensl<3"])).stderr,
      /no service has the field "meta\.opensl"/,
    );
  });
  await t.test("inspect: the process, the bridge port, commands to look at it", async (t) => {
    const pid = await inspected(lab, "one", ".State.Pid");
    const { stdout } = await lab.ocdd(["inspect", "one", "--json"]);
    const found = JSON.parse(stdout);
    t.match(found, { pid: Number(pid), bridgePort: /^veth/, alias: /^192\.168\.122\./ });
    t.match((await lab.ocdd(["inspect", "one"])).stdout, `nsenter --target ${pid} --net ss -tulpn`);
  });
}

async function validates(t: Test, lab: Lab): Promise<void> {
  await t.test("validate: output without escape sequences, a table, exit status 0", async (t) => {
    const { code, stdout } = await lab.ocdd(["validate", "one"]);
    t.equal(code, 0);
    t.match(lines(stdout), [
      /^zone is good$/,
      /^NAME +METHOD +RESULT +TIME$/,
      /^one +VALIDATE +passed +\d+\.\d s$/,
    ]);
  });
  await t.test("validate --all: lines begin with the name, services without it are counted", async (t) => {
    const { code, stdout } = await lab.ocdd(["validate", "--all"]);
    t.equal(code, 0);
    t.match(stdout, /^one +\| zone is good$/m);
    t.match(stdout, /^two +\| VALIDATE passed \(\d+\.\d s\)$/m);
    t.match(stdout, /^1 service without VALIDATE method$/m);
    await put(lab, "two", "broken");
    await lab.docker("exec", "two", "/srv/update");
    const failed = await lab.ocdd(["validate", "two"]);
    t.equal(failed.code, 3, "its own exit status");
    t.match(failed.stdout, /^two +VALIDATE +failed +\d+\.\d s +status 3: zone is broken$/m);
    t.equal((await lab.ocdd(["validate", "--all"])).code, 1, "of several one has failed");
    const json = await lab.ocdd(["validate", "two", "--json"]);
    t.match(JSON.parse(json.stdout), {
      services: [
        { name: "two", ok: false, results: [{ method: "validate", status: 3, output: "zone is broken" }] },
      ],
    });
  });
}

async function updates(t: Test, lab: Lab): Promise<void> {
  await t.test("update: stops at the first failure, and says which were not touched", async (t) => {
    await put(lab, "one", "broken");
    await put(lab, "two", "second");
    const { code, stdout } = await lab.ocdd(["update", "--all"]);
    t.equal(code, 1);
    t.match(stdout, /^one +UPDATE +passed/m);
    t.match(stdout, /^one +VALIDATE +failed +\d+\.\d s +status 3: zone is broken$/m);
    t.match(stdout, /^not touched: plain, two$/m);
    t.equal(await lab.docker("exec", "two", "cat", "/srv/zone"), "broken", "it is as it was");
    await put(lab, "one", "third");
    const started = await inspected(lab, "two", ".State.StartedAt");
    const good = await lab.ocdd(["update", "one", "two", "--batch", "2"]);
    t.equal(good.code, 0, good.stdout);
    t.equal(await lab.docker("exec", "two", "cat", "/srv/zone"), "second");
    t.equal(await inspected(lab, "two", ".State.StartedAt"), started, "it was not restarted");
    t.match(
      readFileSync(join(storage(lab), "events.jsonl"), "utf8"),
      /"event":"update","reason":"ocdd update: passed"/,
    );
  });
}

async function shown(t: Test, lab: Lab): Promise<void> {
  await t.test("the last result: list, status, page, services.json", async (t) => {
    await put(lab, "two", "broken");
    await lab.ocdd(["update", "two"]);
    await apply(lab);
    const list = await lab.ocdd(["list"]);
    t.match(lines(list.stdout)[0], /STATE +VALIDATE$/);
    t.match(list.stdout, /^one .*passed \d{4}-\d\d-\d\d \d\d:\d\dZ$/m);
    t.match(list.stdout, /^two .*failed \d{4}-\d\d-\d\d \d\d:\d\dZ$/m);
    const status = await lab.ocdd(["status"]);
    t.match(status.stdout, /^validate +1 failed, 1 passed$/m);
    t.match(status.stdout, /^ {2}two: VALIDATE failed: zone is broken$/m);
    const services = JSON.parse(readFileSync(join(storage(lab), "www/services.json"), "utf8")).services;
    t.match(
      services.find((one: { name: string }) => one.name === "two"),
      {
        status: "invalid",
        tone: "bad",
        validate: { result: "failed" },
        reason: "VALIDATE has failed: zone is broken",
      },
    );
  });
}

async function refuses(t: Test, lab: Lab): Promise<void> {
  await t.test("what cannot be run says why, and nothing is changed", async (t) => {
    const unknown = await lab.ocdd(["validate", "tow"]);
    t.match(
      [unknown.code, unknown.stderr],
      [1, /there is no service and no container "tow": the nearest name is two/],
    );
    const without = await lab.ocdd(["validate", "plain"]);
    t.match([without.code, without.stderr], [1, /plain has no VALIDATE method/]);
    await lab.docker("stop", "-t", "0", "one");
    await until("it has stopped", async () => (await inspected(lab, "one", ".State.Running")) === "false");
    const stopped = await lab.ocdd(["validate", "one"]);
    t.equal(stopped.code, 1);
    t.match(stopped.stdout, /^one +- +not run +it does not run/m);
    t.match(
      JSON.parse((await lab.ocdd(["metadata", "one"])).stdout),
      { project: "rbldnsd" },
      "what it is is known all the same",
    );
  });
}
