/** Whether visits start the services that may sleep. */
import type { Config } from "../../core/config/config.ts";
import { canWait, mayWake } from "../../core/lifecycle/sleep.ts";
import type { Decision, Observation } from "../../core/model.ts";
import { counted } from "../../core/text.ts";
import { startRemedy } from "../../host/install/manager.ts";
import type { Writes } from "../../host/install/programs.ts";
import { QUEUE_NUMBER, queueHasReader } from "../../host/kernel/queue/queue.ts";
import { run } from "../../host/kernel/run.ts";
import { bad, type Finding, good, none } from "./finding.ts";

const SUBJECT = "sleep";

/** What the kernel says about packet queues. */
export interface Queues {
  /** Whether a process reads OCDD's; undefined where the kernel has none yet. */
  hasReader(): Promise<boolean | undefined>;
  /** Whether the kernel can load what a queue needs. */
  available(): Promise<boolean>;
}

export const kernelQueues = (): Queues => ({
  hasReader: () => queueHasReader(QUEUE_NUMBER),
  // without the program modprobe it is not known
  available: () =>
    run(["modprobe", "-n", "-q", "-a", "nfnetlink_queue", "xt_NFQUEUE"], { ok: [0, 1] }).then(
      ({ code }) => code === 0,
      () => true,
    ),
});

/** Nothing to say where no container may sleep. `docker`: where Docker filters. */
export async function sleepFinding(
  config: Config,
  seen: Pick<Observation, "containers" | "stopped" | "firewall">,
  { services }: Pick<Decision, "services">,
  queues: Queues,
  docker: Writes | null,
): Promise<Finding> {
  const may = [...seen.containers, ...(seen.stopped ?? [])].filter((one) => mayWake(one, config));
  if (may.length === 0) return none(SUBJECT, "no service may sleep: no container is labelled ocdd.wake=true");
  const asleep = services.filter(({ state }) => state === "asleep").length;
  const which = `${counted(may.length, "container")} may sleep`;
  if (!canWait(seen.firewall))
    return bad(
      SUBJECT,
      `${which}, but packets can wait only where iptables filters: a stopped one keeps no name`,
      docker === "nft"
        ? 'set "firewall-backend": "iptables" in /etc/docker/daemon.json and restart Docker'
        : "apt-get install iptables",
    );
  const reader = await queues.hasReader();
  if (reader === true) return good(SUBJECT, `${which}, ${asleep} asleep; a visit starts them`);
  if (reader === undefined && !(await queues.available()))
    return bad(
      SUBJECT,
      `${which}, but this kernel has no packet queues`,
      "use a kernel with the modules nfnetlink_queue and xt_NFQUEUE",
    );
  return bad(
    SUBJECT,
    `${which}, ${asleep} asleep, but visits start none and are refused: \`ocdd watch\` does not run`,
    startRemedy(config, "watch"),
  );
}
