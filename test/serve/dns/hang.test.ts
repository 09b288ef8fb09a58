/** A main thread that hangs while the UDP thread answers. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { hangCheck } from "../../../src/serve/dns/hang.ts";
import { makeQuery } from "../../dns/message.ts";
import { EXAMPLE } from "../../dns/zones.ts";
import { until } from "../../lab/process.ts";
import { askUdp, freePorts } from "../peers.ts";

t.setTimeout(1_200_000);

t.test(
  "the check: a main thread without a heartbeat hangs, one that is slow or was stopped does not",
  async (t) => {
    const check = hangCheck(30_000, 0);
    let now = 0;
    let beats = 0;
    const rounds = (count: number, beating: boolean, ms = 1000): boolean => {
      let hangs = false;
      for (let i = 0; i < count; i++) {
        now += ms;
        if (beating) beats++;
        hangs = check(now, beats);
      }
      return hangs;
    };
    t.equal(rounds(100, true), false);
    t.equal(rounds(29, false), false, "busy for 29 s");
    t.equal(rounds(1, true), false);
    t.equal(rounds(5_000, false, 5), false, "under traffic rounds are many");
    t.equal(rounds(1, false, 3_600_000), false, "SIGSTOP for an hour, SIGCONT");
    t.equal(rounds(29, false), false, "its heartbeat comes later than this thread's first round");
    t.equal(rounds(1, false), true);
  },
);

t.test("a main thread that hangs: the UDP thread logs it and kills the process", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-hang-"));
  writeFileSync(join(dir, "zone"), EXAMPLE);
  const [port] = (await freePorts(1)) as [number];
  const options = {
    zone: "example.org",
    zoneFile: join(dir, "zone"),
    listen: ["127.0.0.1"],
    port,
    allowTransfer: [],
    guard: { hangMs: 5_000, logFormat: "json" },
  };
  const child = fork(join(import.meta.dirname, "../serve-child.ts"), [JSON.stringify(options)], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  t.teardown(() => {
    child.kill("SIGKILL");
    rmSync(dir, { recursive: true });
  });
  let said = "";
  child.stderr?.on("data", (chunk) => {
    said += chunk;
  });
  let serving = false;
  child.on("message", (message) => {
    serving ||= "serving" in (message as object);
  });
  await until("it serves", () => serving);
  child.send("hang");
  t.equal(
    (await askUdp(port, makeQuery("web.example.org.", "A"), 60_000))?.rcode,
    0,
    "UDP is still answered",
  );
  const [, signal] = await once(child, "close");
  t.equal(signal, "SIGKILL");
  t.match(JSON.parse(said), {
    level: "error",
    message: /main thread has hung for 5 s; killing this process/,
  });
});
