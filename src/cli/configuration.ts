/** The command `config`. */
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import { hostAddress } from "../core/config/host-check.ts";
import { HostError } from "../core/errors.ts";
import { settingsDocument, settingsText } from "../core/report/settings.ts";
import { type Host, openHost } from "../host/host.ts";
import type { Answer } from "./commands.ts";

/** The configuration in force. Needs neither Docker nor root. */
export async function runConfiguration(config: Config, json: boolean): Promise<Answer> {
  const hostIp = await hostIpOf(config, openHost(config));
  const out = json
    ? `${JSON.stringify(settingsDocument(config, hostIp), null, 2)}\n`
    : settingsText(config, hostIp);
  return { out, warnings: [], status: 0 };
}

/** The address that HOST_IP stands for; undefined on a host that cannot be read, where the configuration is checked all the same. */
export async function hostIpOf(config: Config, host: Pick<Host, "observe">): Promise<Ipv4 | undefined> {
  try {
    const { addresses, actual } = await host.observe({ without: ["docker", "firewall"] });
    return hostAddress(config, addresses, actual.aliases);
  } catch (error) {
    if (error instanceof HostError) return undefined;
    throw error;
  }
}
