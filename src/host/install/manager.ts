/** What starts the director and the server on this host. */
import { statSync } from "node:fs";
import type { Config } from "../../core/config/config.ts";

export type Manager = "systemd" | "compose" | "none";

/** As sd_booted(3) has it. */
export const systemdRuns = (): boolean =>
  statSync("/run/systemd/system", { throwIfNoEntry: false })?.isDirectory() === true;

export function managerOf({ services }: Pick<Config, "services">): Manager {
  if (services !== "auto") return services;
  return systemdRuns() ? "systemd" : "none";
}

/** What an operator is told to do where one of the two does not run. */
export function startRemedy(config: Pick<Config, "services">, part: "watch" | "serve"): string {
  const remedies: Readonly<Record<Manager, string>> = {
    systemd: `systemctl start ocdd-${part}`,
    compose: "run `ocdd initialize`, which starts the compose app",
    none: `start \`ocdd ${part}\``,
  };
  return remedies[managerOf(config)];
}
