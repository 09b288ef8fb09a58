/** The fast path of a container's end: its forwards are removed at once, before Docker can assign its address again. */
import { HostError } from "../core/errors.ts";
import type { Say } from "../daemon/log.ts";
import type { Host } from "../host/host.ts";

/**
 * Revokes the forwards of a container, so that its clients are refused at once instead of waiting. That no other
 * container answers them is ensured by the guard. Its name is withdrawn first. Never rejects; the next run repeats what
 * has failed.
 */
export function revokeEnded(host: Pick<Host, "revoke" | "withdraw">, containerId: string, say: Say): void {
  const warn = (what: string) => (error: unknown) => {
    if (!(error instanceof HostError)) throw error;
    say("warning", `could not ${what} of container ${containerId.slice(0, 12)}: ${error.message}`);
  };
  const withdraw = (): Promise<void> => host.withdraw().catch(warn("withdraw the name"));
  host.revoke(containerId, withdraw).catch(warn("revoke the forwards"));
}
