/** Whether the services that `initialize` starts run with the configuration that it has been given. */
import type { Outside } from "../core/config/assigned.ts";
import type { Config } from "../core/config/config.ts";
import { KEY_NAMES, KEYS, type KeyName } from "../core/config/keys.ts";
import { ConfigError } from "../core/errors.ts";
import { type Manager, managerOf } from "../host/install/manager.ts";
import { variablesOf } from "./variables.ts";

/** What the services have beside the file: nothing of this process's environment, and no flag. */
const BESIDE_FILE: Outside = { environment: new Map([...variablesOf(new Map()), ["PWD", "/"]]), flags: [] };

/** Keys that say how `initialize` itself goes on, and DOCKER_SOCKET, which compose is told. */
const OTHERS: readonly KeyName[] = ["SERVICES", "IMAGE", "DEBUG"];
const notNeeded = (manager: Manager): readonly KeyName[] =>
  manager === "compose" ? [...OTHERS, "DOCKER_SOCKET"] : OTHERS;

/**
 * A line for each key whose value the services do not get: they read the file only, so what `--set`, the environment or a variable
 * that the file expands has set is not theirs. `read` gives the configuration of that file. Throws ConfigError where the file alone is none.
 */
export function servicesLack(
  config: Config,
  read: (beside: Outside) => Config,
  manager: Manager = managerOf(config),
): string[] {
  if (manager === "none") return [];
  const alone = readAlone(config, read);
  const value = ({ texts }: Config, key: KeyName): string => texts.get(key) ?? KEYS[key].fallback;
  const passed = notNeeded(manager);
  return KEY_NAMES.filter((key) => !passed.includes(key) && value(config, key) !== value(alone, key)).map(
    (key) => {
      const from = config.where.get(key) ?? "default";
      return `${from}: ${key}: watch and serve do not get this value: they read ${config.file} only, without --set and variables of the environment; write the value to that file and run \`ocdd initialize\` again`;
    },
  );
}

function readAlone(config: Config, read: (beside: Outside) => Config): Config {
  try {
    return read(BESIDE_FILE);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      error.problems,
      `write it to ${config.file}: watch and serve read that file only, without --set and variables of the environment`,
    );
  }
}
