/** Whether Docker's own firewall lets aliases through. */
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import {
  acceptedMarks,
  covers,
  type MarkMask,
  markOfPool,
  printMark,
} from "../../core/forwards/docker-mark.ts";
import { run } from "../../host/kernel/run.ts";
import { bad, type Finding, good } from "./finding.ts";

/** The marks that Docker accepts, from its rules: its API does not have them. Throws HostError. */
export async function readAcceptedMarks(): Promise<readonly MarkMask[]> {
  const { code, stdout } = await run(["nft", "-j", "list", "table", "ip", "docker-bridges"], { ok: [0, 1] });
  return code === 0 ? acceptedMarks(stdout) : [];
}

const SUBJECT = "Docker's firewall";
const RESTART = "in /etc/docker/daemon.json and restart Docker";

/** `driver` is that of Docker's `info`; `marks` those that it accepts, which count for nftables alone. */
export function dockerFirewall(
  { pool, firewall }: Pick<Config, "pool" | "firewall">,
  driver: string,
  marks: readonly MarkMask[],
): Finding {
  const name = clip(driver);
  if (!driver.startsWith("nftables")) return good(SUBJECT, `backend ${name}`);
  if (firewall === "iptables")
    return bad(SUBJECT, `its backend is ${name}, and FIREWALL is iptables`, "set FIREWALL=auto");
  if (covers(marks, pool)) return good(SUBJECT, `backend ${name}, which accepts the marks of the range`);
  const mark = markOfPool(pool);
  const drops = `its backend is ${name}, which drops traffic to the aliases`;
  return mark === null
    ? bad(
        SUBJECT,
        `${drops}, and no single mark covers the range alone`,
        `choose a range that is one prefix, or set "firewall-backend": "iptables" ${RESTART}`,
      )
    : bad(SUBJECT, drops, `set "bridge-accept-fwmark": "${printMark(mark)}" ${RESTART}`);
}
