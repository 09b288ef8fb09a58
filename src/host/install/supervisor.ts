/** How the director and the server are started on this host: by systemd, by compose, or by the operator. */
import { readdir, readFile, unlink } from "node:fs/promises";
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { HostError } from "../../core/errors.ts";
import { HOME } from "../../platform/home.ts";
import { systemdRuns } from "../../platform/systemd.ts";
import { storageError, writeWhole } from "../disk/file.ts";
import { closedToOthers } from "../disk/path-permissions.ts";
import { run } from "../kernel/run.ts";
import { startCompose, stopCompose } from "./compose.ts";
import { managerOf } from "./manager.ts";
import { plainPath } from "./real-path.ts";
import { hasEnded, notStarted, stateText } from "./unit-state.ts";
import { unitsOf } from "./units.ts";

const UNITS = "/etc/systemd/system";
/** First line of every unit that OCDD writes: only such units are replaced and removed. */
const MARK = "# Written by ocdd initialize";

type Say = (line: string) => void;

/**
 * Installs and starts what runs the director and the server, with the file that the configuration is of. `hostIp` is the
 * address that HOST_IP stands for. Resolves with whether `watch` has been started. Throws HostError, also where a unit of systemd does not run.
 */
export async function startServices(config: Config, hostIp: Ipv4, say: Say): Promise<boolean> {
  const kind = managerOf(config);
  if (kind === "systemd") await startUnits(config, hostIp, say);
  else if (kind === "compose") await startCompose(config, say);
  else {
    const why = config.services === "none" ? "SERVICES is none" : "systemd does not run here";
    say(`- Nothing is started: ${why}. Start the name server and the index page with: ocdd serve`);
    say("  and beside it `ocdd watch`, or have `ocdd` run by cron every minute");
  }
  return kind !== "none";
}

/**
 * Stops and removes what startServices made; resolves with messages about what is left. Throws HostError, except for a
 * compose app that cannot be reached: what it has done can be undone without Docker.
 */
export async function stopServices(config: Config): Promise<string[]> {
  const kind = managerOf(config);
  if (kind === "compose") return stopCompose(config);
  if (kind !== "systemd") return [];
  const ours = await ownUnits();
  if (ours.length === 0) return [];
  await removeUnits(ours);
  await run(["systemctl", "daemon-reload"]);
  return [];
}

/** Whether stopServices ends the `watch` of this process id, null where that is not known. Throws HostError. */
export async function stopsWatch(config: Pick<Config, "services">, pid: number | null): Promise<boolean> {
  const kind = managerOf(config);
  if (kind !== "systemd") return kind === "compose";
  const unit = "ocdd-watch.service";
  if (!(await ownUnits()).includes(unit)) return false;
  const group = pid === null ? unit : await readFile(`/proc/${pid}/cgroup`, "latin1").catch(() => "");
  return group.includes(unit);
}

/**
 * Writes the units and starts them. Sockets of another configuration are removed first: their ports, or those of an earlier
 * server that opened them itself, would be in use. Sockets that stay as they are keep the queries that wait in them.
 */
async function startUnits(config: Config, hostIp: Ipv4, say: Say): Promise<void> {
  say("- Installing and starting the systemd units ocdd-watch.service and ocdd-serve.service ...");
  const units = await unitsOf(config, hostIp);
  const before = await ownUnits();
  const changed: string[] = [];
  for (const { name, text } of units) {
    const path = `${UNITS}/${name}`;
    const whole = `${MARK}; teardown removes it.\n${text}`;
    const old = await readFile(path, "utf8").catch(() => MARK);
    if (!old.startsWith(MARK)) {
      throw new HostError("refused", `${path} exists and was not written by ocdd`, {
        remedy: "move it away, or set SERVICES=none",
      });
    }
    if (old === whole) continue;
    changed.push(name);
    await writeWhole(path, whole);
  }
  const isSocket = (name: string): boolean => name.endsWith(".socket");
  const sockets = units.map(({ name }) => name).filter(isSocket);
  const stale = before.filter((name) => isSocket(name) && !sockets.includes(name));
  if (stale.length > 0) await removeUnits(stale);
  await run(["systemctl", "daemon-reload"]);
  const again = changed.filter(isSocket);
  if (again.length + stale.length > 0) await run(["systemctl", "stop", "ocdd-serve.service", ...again]);
  await run(["systemctl", "enable", ...STARTED, ...sockets]);
  for (const socket of sockets) {
    const { code, stderr } = await run(["systemctl", "start", socket], { ok: [0, 1] });
    if (code === 0) continue;
    say(`  ${socket} could not be started: ${clip(stderr.trim().split("\n")[0], 300)}`);
    say("  if another program uses its port, stop it and run `ocdd initialize` again");
  }
  // watch is ready after its first successful run, which Docker may delay: not waited for
  await run(["systemctl", "restart", "--no-block", ...STARTED]);
  for (const path of [`${HOME}/bin/ocdd`, await plainPath(config.file), config.storageDir]) {
    const closed = await closedToOthers(path);
    if (closed === undefined) continue;
    say(`  ocdd-serve runs as an unprivileged user and cannot read ${path}:`);
    say(`  chmod o+rX ${closed}, or keep it elsewhere`);
  }
  await requireStarted(say);
}

/** Throws HostError "refused" where a unit has ended. One that is still starting is said to be: `watch` may wait for Docker. */
async function requireStarted(say: Say): Promise<void> {
  const states = await notStarted(STARTED);
  const ended = states.filter(hasEnded);
  for (const { name } of states.filter((state) => !hasEnded(state)))
    say(`  ${name} is still starting; its log: journalctl -u ${name}`);
  if (ended.length === 0) return;
  const what = ended.map((state) => `${state.name} does not run: ${stateText(state)}`).join("; ");
  throw new HostError("refused", what, {
    remedy: ended.map(({ name }) => `journalctl -u ${name}`).join("; "),
  });
}

/**
 * Whether systemd is to run the director and the server here, and the units for that are not on the host: it has not been set up, or its
 * package was removed meanwhile. `directory` holds the units of the host. Throws HostError.
 */
export async function lacksUnits(
  config: Pick<Config, "services">,
  {
    directory = UNITS,
    systemd = systemdRuns(),
  }: { readonly directory?: string; readonly systemd?: boolean } = {},
): Promise<boolean> {
  if (!systemd || managerOf(config, systemd) !== "systemd") return false;
  const ours = await ownUnits(directory);
  return STARTED.some((name) => !ours.includes(name));
}

/** The units that are started; the others are for hosts that use a timer. */
const STARTED = ["ocdd-watch.service", "ocdd-serve.service"] as const;

async function removeUnits(names: readonly string[]): Promise<void> {
  await run(["systemctl", "disable", "--now", ...names]);
  for (const name of names) await unlink(`${UNITS}/${name}`);
}

async function ownUnits(directory: string = UNITS): Promise<string[]> {
  try {
    const names = (await readdir(directory)).filter((name) => name.startsWith("ocdd"));
    const texts = await Promise.all(
      names.map((name) => readFile(`${directory}/${name}`, "utf8").catch(() => "")),
    );
    return names.filter((_, i) => texts[i]?.startsWith(MARK) === true);
  } catch (error) {
    throw storageError(directory, "read", error);
  }
}
