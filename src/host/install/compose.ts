/** Director and server as containers: docker-compose.yml, with what the configuration says of it. */
import { basename, dirname, isAbsolute } from "node:path";
import { clip } from "../../core/clip.ts";
import type { Config, KeyName } from "../../core/config/config.ts";
import { ConfigError, HostError, type Problem } from "../../core/errors.ts";
import { HOME } from "../../platform/home.ts";
import { run } from "../kernel/run.ts";
import { managerOf } from "./manager.ts";
import { realPath } from "./real-path.ts";

/** Where the containers have the directory of the configuration file. */
const CONF_DIR = "/etc/ocdd";

/** Throws HostError. */
export async function startCompose(config: Config, say: (line: string) => void): Promise<void> {
  say("- Starting the OCDD compose app (director and server) ...");
  // compose does not know the configuration file, so it would not restart a container when only that has changed
  await compose(config, ["up", "--detach", "--force-recreate"]);
}

/** Resolves with messages about what is left. */
export async function stopCompose(config: Config): Promise<string[]> {
  try {
    await compose(config, ["down"]);
    return [];
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return [
      `the OCDD compose app could not be stopped: ${error.message}`,
      "its director will restore everything when Docker runs again: run `ocdd teardown` again then",
    ];
  }
}

/**
 * The containers have STORAGE_DIR and the directory of the configuration file, at the paths that docker-compose.yml says. Throws
 * ConfigError for each path that leads elsewhere, where compose starts them; nothing has been changed then.
 */
export async function requireMounted(config: Config): Promise<void> {
  if (managerOf(config) !== "compose") return;
  const { storageDir, zoneFile, indexFile, templateDir, tsigKeyFile, where } = config;
  const confDir = dirname(await confOf(config));
  const storage = `STORAGE_DIR (${storageDir})`;
  const conf = confDir === (await realPath(CONF_DIR)) ? [CONF_DIR] : [];
  const paths: readonly (readonly [KeyName, string, readonly string[]])[] = [
    ["STORAGE_DIR", storageDir, [storageDir]],
    ["DNS_ZONE_FILE", zoneFile, [storageDir]],
    ["WEB_INDEX_FILE", indexFile, [storageDir]],
    ["WEB_TEMPLATE_DIR", templateDir, [storageDir, ...conf]],
    ["DNS_TSIG_KEY_FILE", tsigKeyFile, [storageDir, ...conf]],
  ];
  const problems = await Promise.all(
    paths.map(async ([key, path, mounts]): Promise<Problem[]> => {
      // what is wrong with the storage is said once
      const own = key === "STORAGE_DIR" || !isWithin(path, storageDir) ? path : path.slice(storageDir.length);
      const message = await unmounted(path, own, mounts, [storage, ...mounts.slice(1)].join(" or "));
      return message === null ? [] : [{ where: where.get(key) ?? "default", key, message }];
    }),
  );
  if (problems.flat().length > 0) throw new ConfigError(problems.flat());
}

/** Why a path, `own` of it beside the storage, is not in the containers; null where it is in one of `mounts`, which `named` are. */
async function unmounted(
  path: string,
  own: string,
  mounts: readonly string[],
  named: string,
): Promise<string | null> {
  if (path === "") return null;
  const target = await realPath(path);
  if (own.split("/").includes(".."))
    return `is ${path}, and the containers of SERVICES=compose lack what ".." begins at; write ${target}`;
  for (const mount of mounts)
    if (isWithin(path, mount) && isWithin(target, await realPath(mount))) return null;
  const leads = target === path ? "" : `, which leads to ${target}`;
  return `is ${path}${leads}: the containers of SERVICES=compose do not have it; it must be in ${named}`;
}

const isWithin = (path: string, directory: string): boolean => `${path}/`.startsWith(`${directory}/`);

/** The configuration file itself: its directory is mounted, in which the target of a link does not exist. */
const confOf = ({ file }: Config): Promise<string> =>
  realPath(isAbsolute(file) ? file : `${process.cwd()}/${file}`);

async function compose(config: Config, args: readonly string[]): Promise<void> {
  const [conf, socket] = await Promise.all([confOf(config), realPath(config.dockerSocket)]);
  const env = {
    OCDD_CONF_DIR: dirname(conf),
    OCDD_CONF_NAME: basename(conf),
    OCDD_STORAGE: config.storageDir,
    OCDD_IMAGE: config.image,
    OCDD_SOCKET_DIR: dirname(socket),
    OCDD_SOCKET_NAME: basename(socket),
    DOCKER_HOST: `unix://${config.dockerSocket}`,
  };
  const file = ["--file", `${HOME}/docker-compose.yml`, "--project-name", "ocdd"];
  const plugin = await run(["docker", "compose", "version"], { ok: "any" });
  const [program, ...words] = plugin.code === 0 ? (["docker", "compose"] as const) : ["docker-compose"];
  const { code, stderr } = await run([program as string, ...words, ...file, ...args], {
    env,
    ok: "any",
    timeout: 600_000,
  });
  if (code === 0) return;
  // what Docker has refused comes last, behind the progress of each container
  const said = stderr.trim().split("\n").at(-1) ?? "";
  const isImage = /\b(pull|image|manifest|registry)/i.test(said);
  throw new HostError(
    "command",
    `${[program, ...words].join(" ")} failed with exit status ${code}: ${said === "" ? "no message" : clip(said, 300)}`,
    {
      cause: { args, code, stderr },
      ...(isImage
        ? { remedy: `build the image ${config.image} (README, "Without systemd"), or set IMAGE` }
        : {}),
    },
  );
}
