/** How initialize sets up what runs the director and the server: systemd's units, or compose's file. */

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { initializedLab } from "./director.ts";
import { run } from "./process.ts";

t.setTimeout(1_200_000);

t.test("services", async (t) => {
  const lab = await initializedLab(t, { name: "services", dns: false });
  // systemd itself cannot run in here: its calls are recorded
  // a port in use by another program
  const taken = 'case "$*" in "start ocdd-serve-dns-127.0.0.1.socket") echo "Job failed." >&2; exit 1;; esac';
  const bin = join(lab.dir, "bin");
  const log = join(lab.dir, "systemctl.log");
  mkdirSync(bin);
  // what it answers about units; nothing where there is no such file
  const states = join(lab.dir, "states");
  const show = `case "$1" in show) cat ${states} 2>/dev/null;; esac; exit 0`;
  writeFileSync(join(bin, "systemctl"), `#!/bin/sh\necho "$*" >>${log}\n${taken}\n${show}\n`);
  chmodSync(join(bin, "systemctl"), 0o755);
  const env = { PATH: `${bin}:${process.env.PATH}`, OCDD_SERVICES: "auto" };
  const original = { original: true, env } as const;
  const units = join(lab.dir, "original/etc/systemd/system");
  const told = (): string[] => {
    const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
    rmSync(log, { force: true });
    return lines;
  };
  // without the marks that the overlay leaves for what was deleted
  const own = (): string[] =>
    existsSync(units)
      ? readdirSync(units, { withFileTypes: true }).flatMap((one) => (one.isFile() ? [one.name] : []))
      : [];

  t.test("without systemd: it prints what to start", async (t) => {
    const { code, stdout } = await lab.ocdd(["initialize"], original);
    t.equal(code, 0);
    t.match(stdout, "ocdd serve");
    t.same(told(), []);
    t.same(own(), []);
  });

  t.test("with systemd: units are written, enabled and started", async (t) => {
    mkdirSync(join(lab.dir, "original/run/systemd/system"), { recursive: true });
    const bare = await lab.ocdd([], original);
    t.match(bare, { code: 0, stderr: "" }, "cron would mail it at each run: doctor and status say it");
    for (const word of ["doctor", "status"])
      t.notMatch((await lab.ocdd([word], original)).stdout, /remedy: (?!run `ocdd initialize`)/, word);
    const { code, stdout, stderr } = await lab.ocdd(["initialize"], original);
    t.equal(code, 0, stderr);
    t.match(stdout, /ocdd-serve-dns-127\.0\.0\.1\.socket could not be started: Job failed\./);
    t.match(stdout, /do its thing!\n`ocdd watch`, which has been started, does that by itself/);
    const calls = told();
    t.notMatch((await lab.ocdd([], original)).stderr, /nothing starts/);
    t.ok(calls.includes("daemon-reload"), calls.join("\n"));
    const enable =
      /^enable .*ocdd-watch\.service.*ocdd-serve\.service.*ocdd-serve-dns-192\.168\.122\.200\.socket/;
    t.ok(
      calls.some((line) => enable.test(line)),
      calls.join("\n"),
    );
    t.ok(
      calls.some((line) => /^restart --no-block .*ocdd-watch\.service.*ocdd-serve\.service/.test(line)),
      "and started, without waiting for a Docker that may be down",
    );
    t.ok(own().includes("ocdd-watch.service") && own().includes("ocdd-serve.service"), own().join());
    for (const name of own()) {
      const text = readFileSync(join(units, name), "utf8");
      t.notMatch(text, /@[A-Z_]+@/, `${name}: every place is filled`);
      const program = /^ExecStart=(\S+)/m.exec(text)?.[1];
      if (program !== undefined) t.ok(existsSync(program), `${name} starts ${program}`);
    }
    const watch = readFileSync(join(units, "ocdd-watch.service"), "utf8");
    t.match(watch, /\/opt\/ocdd/, "the storage of the configuration");
    const at = (call: RegExp): number => calls.findIndex((line) => call.test(line));
    const order = [
      at(/^stop ocdd-serve\.service/),
      at(/^start ocdd-serve-dns-127\.0\.0\.1\.socket/),
      at(/^restart /),
    ];
    t.ok(order[0] !== -1 && order.every((n, i) => i === 0 || n > (order[i - 1] as number)), calls.join("\n"));
    t.equal((await lab.ocdd(["initialize"], original)).code, 0, "and again");
    t.notOk(
      told().some((line) => /^stop /.test(line)),
      "sockets that stay as they are keep the queries that wait in them",
    );
    const fewer = { ...original, env: { ...env, OCDD_WEB_ENABLED: "0" } };
    const lacking =
      /^warning: environment:OCDD_WEB_ENABLED: WEB_ENABLED: watch and serve do not get this value/m;
    t.match(await lab.ocdd(["initialize"], fewer), { code: 0, stderr: lacking }, "without a page");
    t.ok(
      told().some((line) => /^disable --now ocdd-serve-web-\S+ ocdd-serve-web-\S+$/.test(line)),
      "the sockets of another configuration are removed",
    );
    t.same(
      own().filter((name) => name.includes("web")),
      [],
    );
  });

  t.test("a unit that ends again and again: status 1, with its result and its log", async (t) => {
    const ended =
      "ActiveState=activating\nSubState=auto-restart\nResult=exit-code\nExecMainStatus=217\nMainPID=0";
    writeFileSync(states, `Id=ocdd-serve.service\n${ended}\n`);
    const { code, stdout, stderr } = await lab.ocdd(["initialize"], original);
    t.equal(code, 1);
    t.match(stderr, /ocdd-serve\.service does not run: activating \(auto-restart\), exit-code, status 217/);
    t.match(stderr, /journalctl -u ocdd-serve\.service/);
    t.notMatch(stdout, "You can now run ocdd");
    rmSync(states);
  });

  t.test("teardown: units are removed", async (t) => {
    const { code, stderr } = await lab.ocdd(["teardown", "--yes"], original);
    t.equal(code, 0, stderr);
    t.same(own(), []);
    const calls = told();
    t.ok(
      calls.some((line) => /^disable --now .*ocdd/.test(line)),
      calls.join("\n"),
    );
  });

  t.test("a unit that OCDD did not write: left alone, with an error", async (t) => {
    const file = join(units, "ocdd-serve.service");
    const text = "[Service]\nExecStart=/bin/true\n";
    mkdirSync(units, { recursive: true });
    rmSync(file, { force: true });
    writeFileSync(file, text);
    const { code, stderr } = await lab.ocdd(["initialize"], original);
    t.equal(code, 1);
    t.match(stderr, "ocdd-serve.service");
    t.equal((await lab.ocdd(["teardown", "--yes"], original)).code, 0);
    t.equal(readFileSync(file, "utf8"), text);
  });

  t.test("docker-compose accepts the file", async (t) => {
    const file = fileURLToPath(new URL("../../docker-compose.yml", import.meta.url));
    const { stdout } = await run(["docker-compose", "-f", file, "config"], { cwd: lab.dir });
    t.match(stdout, /network_mode: host[\s\S]*network_mode: host/, "two services on the host's network");
    t.match(stdout, /cap_drop:\s+- ALL/);
    t.notMatch(stdout, /privileged: true/);
  });
});
