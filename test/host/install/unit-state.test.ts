/** Whether the units that initialize has started run, with systemctl's answers as systemd gives them. */
import t from "tap";
import { HostError } from "../../../src/core/errors.ts";
import { hasEnded, notStarted, serverState, stateText } from "../../../src/host/install/unit-state.ts";
import { runWith } from "../../../src/host/kernel/run.ts";
import { config } from "../../core/make.ts";

type Unit = Readonly<Record<string, string>>;
const RUNS: Unit = { ActiveState: "active", SubState: "running", Result: "success", ExecMainStatus: "0" };
const FAILS: Unit = {
  ...RUNS,
  ActiveState: "activating",
  SubState: "auto-restart",
  Result: "exit-code",
  ExecMainStatus: "217",
};

const WATCH = "ocdd-watch.service";
const SERVE = "ocdd-serve.service";

/** Has systemctl answer each look with the next state of the server, the last one for ever; `watch` runs. */
function systemd(...looks: readonly Unit[]): {
  readonly pause: () => Promise<void>;
  readonly pauses: () => number;
} {
  let [look, pauses] = [0, 0];
  runWith(async ([program, command, , , ...names]) => {
    if (program !== "systemctl" || command !== "show") throw new Error(`${program} ${command}`);
    const serve = looks[Math.min(look++, looks.length - 1)];
    const text = (name: string, unit: Unit): string =>
      Object.entries({ Id: name, MainPID: "7", ...unit })
        .map((pair) => pair.join("="))
        .join("\n");
    const blocks = names.map((name) => text(name, name === SERVE ? (serve ?? {}) : RUNS));
    return { code: 0, stdout: looks.length === 0 ? "" : `${blocks.join("\n\n")}\n`, stderr: "" };
  });
  const pause = async (): Promise<void> => void pauses++;
  return { pause, pauses: () => pauses };
}
const wait = (pause: () => Promise<void>) => notStarted([WATCH, SERVE], pause);

t.test("units that run: nothing is left after two looks", async (t) => {
  const { pause, pauses } = systemd(RUNS);
  t.same(await wait(pause), []);
  t.equal(pauses(), 1);
});

t.test("a unit that ends again and again: named with its result, after a bounded time", async (t) => {
  const { pause, pauses } = systemd(FAILS);
  const [one, ...others] = await wait(pause);
  t.same(others, []);
  t.match(one, { name: SERVE });
  t.ok(one !== undefined && hasEnded(one));
  t.equal(one && stateText(one), "activating (auto-restart), exit-code, status 217");
  t.equal(pauses(), 19);
});

t.test("it seems to run for a moment between two ends: it does not run", async (t) => {
  const looks = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? FAILS : { ...RUNS, MainPID: String(i) }));
  const { pause } = systemd(...looks);
  const [one] = await wait(pause);
  t.ok(one !== undefined && hasEnded(one));
});

t.test("a former process that is about to be ended is not the new one", async (t) => {
  const { pause, pauses } = systemd(
    { ...RUNS, Job: "812" },
    { ...RUNS, Job: "812" },
    { ...RUNS, MainPID: "9" },
  );
  t.same(await wait(pause), []);
  t.equal(pauses(), 3);
});

t.test("one that is still starting has not ended", async (t) => {
  const { pause } = systemd({ ...RUNS, ActiveState: "activating", SubState: "start" });
  t.match((await wait(pause)).map(hasEnded), [false]);
});

t.test("systemd says nothing of the units: nothing is waited for", async (t) => {
  const { pause, pauses } = systemd();
  t.same(await wait(pause), []);
  t.equal(pauses(), 0);
});

t.test("doctor names the state of the server's unit, where systemd runs it", async (t) => {
  systemd(FAILS);
  t.equal(await serverState(config({ SERVICES: "none" })), null);
  t.equal(
    await serverState(config({ SERVICES: "systemd" })),
    "ocdd-serve.service is activating (auto-restart), exit-code, status 217",
  );
  runWith(async () => {
    throw new HostError("missing", "no systemctl");
  });
  t.equal(await serverState(config({ SERVICES: "systemd" })), null, "it cannot be asked");
});
