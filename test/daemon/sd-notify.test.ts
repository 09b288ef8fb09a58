/** Notifications to systemd, received as by systemd: datagrams on the socket that NOTIFY_SOCKET names (sd_notify(3)). */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { notifier } from "../../src/daemon/sd-notify.ts";
import { run } from "../../src/host/kernel/run.ts";
import { until } from "../lab/process.ts";

/** Prints what comes to a datagram socket, a message a line; Node itself has none. perl-base is in every Debian. */
const LISTENER = `use Socket; $| = 1;
socket(S, AF_UNIX, SOCK_DGRAM, 0) and bind(S, sockaddr_un($ARGV[0])) or die $!;
my $m; print "$m\\n" while defined recv(S, $m, 8192, 0);`;

async function listener(t: Test, socket: string): Promise<() => string> {
  const child: ChildProcess = spawn("perl", ["-e", LISTENER, socket], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  t.teardown(() => {
    child.kill();
    return ended;
  });
  let heard = "";
  child.stdout?.on("data", (chunk) => (heard += chunk));
  await until("its socket", () => existsSync(socket));
  return () => heard;
}

t.test("ready, watchdog and stopping: received by the supervisor", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-notify-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const socket = join(directory, "notify");
  const heard = await listener(t, socket);
  // systemd-notify reads it from its own environment, which is this process's
  process.env.NOTIFY_SOCKET = socket;
  t.teardown(() => delete process.env.NOTIFY_SOCKET);
  const { ready, alive, stopping, interval } = notifier(
    new Map([
      ["NOTIFY_SOCKET", socket],
      ["WATCHDOG_USEC", "60000000"],
    ]),
    run,
  );
  t.equal(interval, 60_000, "milliseconds");
  for (const [say, word] of [
    [ready, "READY=1"],
    [alive, "WATCHDOG=1"],
    [stopping, "STOPPING=1"],
  ] as const) {
    t.notMatch(heard(), word);
    say();
    await until(word, () => heard().includes(word));
    t.match(heard(), word);
  }
});

t.test("a supervisor that does not listen: no error", async (t) => {
  process.env.NOTIFY_SOCKET = "/nowhere/notify";
  t.teardown(() => delete process.env.NOTIFY_SOCKET);
  const { ready, interval } = notifier(new Map([["NOTIFY_SOCKET", "/nowhere/notify"]]), run);
  t.equal(interval, null, "no watchdog");
  // would be an unhandled rejection, which ends a test
  ready();
});

t.test("without a supervisor nothing is sent", (t) => {
  const { ready, alive, stopping, interval } = notifier(new Map([["WATCHDOG_USEC", "60000000"]]), run);
  for (const say of [ready, alive, stopping]) say();
  t.equal(interval, null, "another process's watchdog");
  t.end();
});
