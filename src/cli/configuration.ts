/** The command `config`. */
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import { checkAgainstHost, deviceProblem, hostAddress, rangeWarnings } from "../core/config/host-check.ts";
import { ConfigError, HostError } from "../core/errors.ts";
import { settingsDocument, settingsText } from "../core/report/settings.ts";
import { type Host, openHost } from "../host/host.ts";
import { requireMounted } from "../host/install/compose.ts";
import type { Answer } from "./commands.ts";
import { keyProblems } from "./key-problems.ts";

/** sysexits.h: what a run would end with. */
const REFUSED = 78;

/** The configuration in force, and status 78 where this host contradicts it. Needs neither Docker nor root. */
export async function runConfiguration(
  config: Config,
  json: boolean,
  host: Pick<Host, "observe"> = openHost(config),
): Promise<Answer> {
  const { hostIp, refused, warnings } = await onThisHost(config, host);
  const out = json
    ? `${JSON.stringify(settingsDocument(config, hostIp), null, 2)}\n`
    : settingsText(config, hostIp);
  return { out, warnings, notes: refused, status: refused.length > 0 ? REFUSED : 0 };
}

/** What the host shows of the configuration. */
export interface OnThisHost {
  /** The address that HOST_IP stands for. */
  readonly hostIp: Ipv4 | undefined;
  /** Why a run is refused, a line each. */
  readonly refused: readonly string[];
  readonly warnings: readonly string[];
}

/** Of a host that cannot be read only the keys of the server: the configuration is checked all the same. */
export async function onThisHost(config: Config, host: Pick<Host, "observe">): Promise<OnThisHost> {
  const keys = keyProblems(config);
  try {
    const seen = await host.observe({ without: ["docker", "firewall"] });
    const refused = [
      ...(await refusals(() => checkAgainstHost(config, seen))),
      ...(await refusals(() => requireMounted(config))),
    ];
    return {
      hostIp: hostAddress(config, seen.addresses, seen.actual.aliases),
      refused,
      warnings: [
        ...(deviceProblem(config, seen) === null ? rangeWarnings(config, seen) : []),
        ...(seen.template?.problems ?? []),
        ...keys,
      ],
    };
  } catch (error) {
    if (error instanceof HostError) return { hostIp: undefined, refused: [], warnings: keys };
    throw error;
  }
}

const refusals = async (check: () => unknown): Promise<string[]> => {
  try {
    await check();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
};
