/** The errors of a process that is not to run beside another one. */
import { HostError } from "../core/errors.ts";
import { systemdRuns } from "../platform/systemd.ts";

/** HostError "busy"; `pid` is undefined where the number of the first process is not known. */
export function another(part: Part, pid: number | undefined, systemd: boolean = systemdRuns()): HostError {
  return new HostError("busy", `another ${runs(part, pid)}`, { remedy: stopFirst(part, pid, systemd) });
}

/** HostError "busy" for `teardown`: this `watch` would undo it. */
export function wouldRestore(pid: number | undefined, systemd: boolean = systemdRuns()): HostError {
  return new HostError("busy", `${runs("watch", pid)}, and would put back what teardown removes`, {
    remedy: stopFirst("watch", pid, systemd),
  });
}

type Part = "watch" | "serve";

const runs = (part: Part, pid: number | undefined): string =>
  `\`ocdd ${part}\` runs${pid === undefined ? "" : ` (process ${pid})`}`;

function stopFirst(part: Part, pid: number | undefined, systemd: boolean): string {
  const kill = `\`kill ${pid ?? "PID"}\``;
  const stop = systemd ? `\`systemctl stop ocdd-${part}\` where systemd has started it, else ${kill}` : kill;
  return `stop it first: ${stop}`;
}
