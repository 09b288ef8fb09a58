/** A second `ocdd serve` on the same addresses ends; beside another program it waits. */
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import t from "tap";
import { readConfig } from "../../src/core/config/config.ts";
import { another } from "../../src/daemon/another.ts";
import { reason } from "../../src/serve/bind.ts";
import { firstServe, serveAll } from "../../src/serve/serve.ts";
import { NO_ACTIVATED_SOCKETS } from "../../src/serve/socket-activation.ts";
import { makePlace } from "./place.ts";

t.setTimeout(1_200_000);

t.test("the addresses are those of another `ocdd serve`: refused with its process id", async (t) => {
  const { dir, conf } = await makePlace("toolbox.example.com", "; no zone yet\n");
  const main = join(import.meta.dirname, "../../src/cli/main.ts");
  const first = execa(process.execPath, [main, "--config", conf, "serve"], { reject: false });
  t.teardown(async () => {
    first.kill();
    await first;
    rmSync(dir, { recursive: true });
  });
  let log = "";
  while (!log.includes("listening on ")) log += String(await once(first.stderr, "data"));
  const sources = { file: conf, text: readFileSync(conf, "utf8"), environment: new Map(), flags: [] };
  const given = { handed: NO_ACTIVATED_SOCKETS, patienceMs: 0 };
  await t.rejects(
    serveAll(readConfig(sources), () => {}, new AbortController().signal, given),
    {
      fault: "busy",
      message: `another \`ocdd serve\` runs (process ${first.pid})`,
      remedy: new RegExp(`kill ${first.pid}\``),
    },
  );
});

t.test("firstServe: only where nothing is bound, and an `ocdd serve` has something of it", async (t) => {
  const free = { address: "192.0.2.1", protocol: "tcp" as const, bound: false };
  const held = (isServe: boolean) => ({ ...free, holder: { pid: 7, text: "pid 7", isServe } });
  t.equal(firstServe([held(false), held(true)]), 7);
  t.equal(firstServe([held(true), { ...free, bound: true }]), undefined, "a part of it is served");
  t.equal(firstServe([held(false), free]), undefined, "another program, or one that is not seen");
});

t.test("systemctl is named only where systemd runs", async (t) => {
  t.match(another("serve", 7, true).remedy, /`systemctl stop ocdd-serve` .*, else `kill 7`$/);
  t.equal(another("serve", 7, false).remedy, "stop it first: `kill 7`");
  t.equal(another("watch", undefined, false).remedy, "stop it first: `kill PID`");
  const denied = Object.assign(new Error("EACCES"), { code: "EACCES" });
  t.match(reason(denied, undefined, true), /`systemctl restart ocdd-serve`/);
  t.equal(
    reason(denied, undefined, false),
    "permission denied: ports below 1024 need root or CAP_NET_BIND_SERVICE",
  );
});
