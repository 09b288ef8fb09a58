/** Variables that a configuration file may expand. */
import { realpathSync } from "node:fs";
import { hostname } from "node:os";

/** The environment, and what bash sets itself where that has none: HOSTNAME, UID, EUID, and PWD. */
export function variablesOf(environment: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const { PWD: inherited, ...others } = Object.fromEntries(environment);
  const pwd = workingDirectory(inherited);
  return new Map(
    Object.entries({
      HOSTNAME: hostname(),
      UID: String(process.getuid?.()),
      EUID: String(process.geteuid?.()),
      ...(pwd === undefined ? {} : { PWD: pwd }),
      ...others,
    }),
  );
}

/** As bash has it: the inherited path where it leads to the working directory, else that one's own. Undefined where it is gone. */
function workingDirectory(inherited: string | undefined): string | undefined {
  try {
    const own = process.cwd();
    return inherited?.startsWith("/") && leadsTo(inherited, own) ? inherited : own;
  } catch {
    return undefined;
  }
}

function leadsTo(path: string, directory: string): boolean {
  try {
    return realpathSync(path) === directory;
  } catch {
    return false;
  }
}
