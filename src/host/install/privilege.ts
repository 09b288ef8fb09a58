/** What this process may do. */
import { readFile } from "node:fs/promises";
import { HostError } from "../../core/errors.ts";

// capabilities(7)
const NET_ADMIN = 12n;
const NET_RAW = 13n;

/** Throws HostError "privilege" unless the process has CAP_NET_ADMIN and CAP_NET_RAW. Nothing has been changed then. */
export async function requirePrivilege(): Promise<void> {
  const status = await readFile("/proc/self/status", "utf8");
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const has = (capability: bigint): boolean => ((effective >> capability) & 1n) === 1n;
  const lacking = [has(NET_ADMIN) ? "" : "CAP_NET_ADMIN", has(NET_RAW) ? "" : "CAP_NET_RAW"].filter(Boolean);
  if (lacking.length > 0) {
    throw new HostError("privilege", `this process lacks ${lacking.join(" and ")}`, {
      remedy: "run as root (sudo ocdd ...), or from the systemd unit",
    });
  }
}
