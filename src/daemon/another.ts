/** The error of a second process of the same kind, where one does the work. */
import { HostError } from "../core/errors.ts";
import { systemdRuns } from "../platform/systemd.ts";

/** HostError "busy"; `pid` is undefined where the number of the first process is not known. */
export function another(
  part: "watch" | "serve",
  pid: number | undefined,
  systemd: boolean = systemdRuns(),
): HostError {
  const kill = `\`kill ${pid ?? "PID"}\``;
  const stop = systemd ? `\`systemctl stop ocdd-${part}\` where systemd has started it, else ${kill}` : kill;
  return new HostError(
    "busy",
    `another \`ocdd ${part}\` runs${pid === undefined ? "" : ` (process ${pid})`}`,
    {
      remedy: `stop it first: ${stop}`,
    },
  );
}
