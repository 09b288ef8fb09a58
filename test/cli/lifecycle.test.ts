/** What a command to start or stop has changed: that is logged, and a container that was as wanted already is not. */
import t from "tap";
import { carryOut, type LifecycleCommand } from "../../src/cli/lifecycle.ts";
import { config, container } from "../core/make.ts";
import { fakeDocker } from "../lifecycle/engine.ts";

async function done(command: LifecycleCommand, running: boolean): Promise<readonly string[] | string> {
  const one = container({ name: "web", state: running ? "running" : "exited" });
  const now = running ? { running, state: "running", startedAt: 1 } : {};
  const fake = fakeDocker([{ name: "web", details: now }]);
  const stop = async (): Promise<void> => fake.set("web", { running: false, state: "exited" });
  const seen = running ? { containers: [one], stopped: [] } : { containers: [], stopped: [one] };
  const result = await carryOut(command, one, { config: config(), seen, docker: { ...fake, stop } });
  return result.error ?? result.done;
}

t.test("a container that runs: wake and start change nothing", async (t) => {
  t.strictSame(await done("wake", true), []);
  t.strictSame(await done("start", true), []);
  t.strictSame(await done("stop", true), ["stop"]);
  t.strictSame(await done("restart", true), ["stop", "start"]);
});

t.test("a container that does not run: stop changes nothing", async (t) => {
  t.strictSame(await done("wake", false), ["start"]);
  t.strictSame(await done("start", false), ["start"]);
  t.strictSame(await done("stop", false), []);
  t.strictSame(await done("restart", false), ["start"]);
});
