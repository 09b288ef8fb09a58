/** The command `config`. */
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import { deviceProblem, hostAddress, rangeWarnings } from "../core/config/host-check.ts";
import { HostError } from "../core/errors.ts";
import { settingsDocument, settingsText } from "../core/report/settings.ts";
import { type Host, openHost } from "../host/host.ts";
import type { Answer } from "./commands.ts";

/** The configuration in force. Needs neither Docker nor root. */
export async function runConfiguration(config: Config, json: boolean): Promise<Answer> {
  const { hostIp, warnings } = await onThisHost(config, openHost(config));
  const out = json
    ? `${JSON.stringify(settingsDocument(config, hostIp), null, 2)}\n`
    : settingsText(config, hostIp);
  return { out, warnings, status: 0 };
}

/**
 * The address that HOST_IP stands for, and what the host contradicts; nothing on a host that cannot be read, where the configuration is
 * checked all the same.
 */
export async function onThisHost(
  config: Config,
  host: Pick<Host, "observe">,
): Promise<{ readonly hostIp: Ipv4 | undefined; readonly warnings: readonly string[] }> {
  try {
    const seen = await host.observe({ without: ["docker", "firewall"] });
    const problem = deviceProblem(config, seen);
    return {
      hostIp: hostAddress(config, seen.addresses, seen.actual.aliases),
      warnings: problem === null ? rangeWarnings(config, seen) : [problem],
    };
  } catch (error) {
    if (error instanceof HostError) return { hostIp: undefined, warnings: [] };
    throw error;
  }
}
