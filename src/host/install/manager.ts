/** What starts the director and the server on this host. */
import type { Config } from "../../core/config/config.ts";
import { systemdRuns } from "../../platform/systemd.ts";

export type Manager = "systemd" | "compose" | "none";

export function managerOf({ services }: Pick<Config, "services">, systemd: boolean = systemdRuns()): Manager {
  if (services !== "auto") return services;
  return systemd ? "systemd" : "none";
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
