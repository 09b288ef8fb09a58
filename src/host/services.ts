/** Who runs the director and the server on this host: systemd, compose, or the operator himself. */
import { readdir, readFile, stat, unlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Config } from "../core/config.ts";
import { HostError } from "../core/errors.ts";
import { HOME } from "../home.ts";
import { storageError, writeWhole } from "./file.ts";
import { run } from "./run.ts";

const TEMPLATES = `${HOME}/templates`;
const UNITS = "/etc/systemd/system";
/** First line of every unit we write: what bears it is ours to replace and to remove. */
const MARK = "# Written by ocdd initialize";

type Say = (line: string) => void;

/** Installs and starts what runs the director and the server. `confFile` is empty for the default places. */
export async function startServices(config: Config, confFile: string, say: Say): Promise<void> {
  const kind = await kindOf(config);
  if (kind === "systemd") await startUnits(config, confFile, say);
  else if (kind === "compose") await startCompose(config, confFile, say);
  else {
    say("- Nothing is started (SERVICES=none). Start the name server and the index page with: ocdd serve");
    say("  and have `ocdd` run by cron: see templates/ocdd.cron");
  }
}

/** Stops and removes what startServices made. */
export async function stopServices(config: Config): Promise<void> {
  const kind = await kindOf(config);
  if (kind === "compose") await compose(config, "", ["down"]);
  if (kind !== "systemd") return;
  const ours = await ownUnits();
  if (ours.length === 0) return;
  await run(["systemctl", "disable", "--now", ...ours]);
  for (const unit of ours) await unlink(`${UNITS}/${unit}`);
  await run(["systemctl", "daemon-reload"]);
}

async function kindOf(config: Config): Promise<"systemd" | "compose" | "none"> {
  if (config.services !== "auto") return config.services;
  const booted = await stat("/run/systemd/system").then(
    (found) => found.isDirectory(),
    () => false,
  );
  return booted ? "systemd" : "none";
}

/** A unit's text with this installation's paths. Throws HostError for a path that a unit cannot hold. */
export function fillTemplate(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(/@([A-Z_]+)@/g, (_, name: string) => {
    const value = values.get(name) ?? "";
    if (/[\s"'\\%$]/.test(value)) {
      throw new HostError(
        "refused",
        `"${value}" cannot stand in a systemd unit: it holds a blank, quote, % or $`,
      );
    }
    return value;
  });
}

async function startUnits(config: Config, confFile: string, say: Say): Promise<void> {
  say("- Installing and starting the systemd units ocdd-watch.service and ocdd-serve.service ...");
  const values = new Map([
    ["HOME", HOME],
    ["CONF", resolve(confFile || "/etc/ocdd/ocdd.conf")],
    ["STORAGE_DIR", config.storageDir],
    ["ZONE_DIR", dirname(config.zoneFile)],
    ["INDEX_DIR", dirname(config.indexFile)],
    ["SYNC_INTERVAL", String(config.syncInterval)],
  ]);
  const units = (await readdir(TEMPLATES)).filter((name) => /\.(service|timer|socket)$/.test(name));
  for (const unit of units) {
    const path = `${UNITS}/${unit}`;
    const old = await readFile(path, "utf8").catch(() => MARK);
    if (!old.startsWith(MARK)) {
      throw new HostError("refused", `${path} is not ours and is left alone`, {
        remedy: "move it away, or set SERVICES=none",
      });
    }
    const text = fillTemplate(await readFile(`${TEMPLATES}/${unit}`, "utf8"), values);
    await writeWhole(path, `${MARK}; teardown removes it.\n${text}`);
  }
  await run(["systemctl", "daemon-reload"]);
  await run(["systemctl", "enable", "ocdd-watch.service", "ocdd-serve.service"]);
  // watch is ready when its first run has ended well, which a Docker that is down delays: not to be waited for
  await run(["systemctl", "restart", "--no-block", "ocdd-watch.service", "ocdd-serve.service"]);
}

async function ownUnits(): Promise<string[]> {
  try {
    const names = (await readdir(UNITS)).filter((name) => name.startsWith("ocdd"));
    const texts = await Promise.all(
      names.map((name) => readFile(`${UNITS}/${name}`, "utf8").catch(() => "")),
    );
    return names.filter((_, i) => texts[i]?.startsWith(MARK) === true);
  } catch (error) {
    throw storageError(UNITS, "read", error);
  }
}

async function startCompose(config: Config, confFile: string, say: Say): Promise<void> {
  say("- Starting the OCDD compose app (director and server) ...");
  await compose(config, confFile, ["up", "--detach"]);
}

async function compose(config: Config, confFile: string, args: readonly string[]): Promise<void> {
  const environment = [
    `OCDD_CONF=${resolve(confFile || "/etc/ocdd/ocdd.conf")}`,
    `OCDD_STORAGE=${config.storageDir}`,
    `OCDD_SOCKET=${config.dockerSocket}`,
    `DOCKER_HOST=unix://${config.dockerSocket}`,
  ];
  const file = ["--file", `${HOME}/docker-compose.yml`, "--project-name", "ocdd"];
  const plugin = await run(["docker", "compose", "version"], { ok: [0, 1, 125] });
  const program = plugin.code === 0 ? ["docker", "compose"] : ["docker-compose"];
  await run(["env", ...environment, ...program, ...file, ...args], { timeout: 600_000 });
}
