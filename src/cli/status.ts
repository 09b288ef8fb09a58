/** Collects what `status` shows; a part that does not answer leaves the others as they are. */

import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import { hostAddress } from "../core/config/host-check.ts";
import { decide } from "../core/decide.ts";
import { HostError } from "../core/errors.ts";
import type { Observation, Service } from "../core/model.ts";
import { pathsOf } from "../core/paths.ts";
import { plan } from "../core/plan.ts";
import type { ServerAnswers, StatusReport } from "../core/report/status.ts";
import { describeAll } from "../core/report/steps.ts";
import { readUsage, type Usage } from "../core/report/usage.ts";
import { refusal } from "../director/confirm.ts";
import { lastRunOf } from "../host/disk/page.ts";
import { seeWatch } from "../host/disk/watch-stats.ts";
import type { Docker } from "../host/docker/client.ts";
import type { Host } from "../host/host.ts";
import { startRemedy } from "../host/install/manager.ts";
import { nameServer } from "./doctor/answers.ts";
import { webServer } from "./doctor/page.ts";
import { isSetUp } from "./set-up.ts";

/** What `status` reads from, and what is known already. */
export interface StatusOptions {
  readonly host: Host;
  readonly docker: Pick<Docker, "about" | "stats">;
  /** Also what each service uses, which takes Docker some seconds. */
  readonly usage?: boolean;
  /** False: the firewall cannot be read, so drift is not known. */
  readonly root: boolean;
  readonly version: string;
  /** Asks the servers on this host's address; null when that is not known. */
  readonly server?: (host: Ipv4 | null) => Promise<ServerAnswers | undefined>;
  /** Nothing starts `watch` and `serve`. */
  readonly unstarted?: boolean;
  /** Seconds since the epoch. */
  readonly now: number;
}

/**
 * Observes everything. A Docker that does not answer is reported (`trouble`), with the state that is known without it. Throws
 * HostError for anything else that cannot be read, ConfigError when the host contradicts the configuration.
 */
export async function statusOf(
  config: Config,
  options: StatusOptions,
): Promise<{ readonly report: StatusReport; readonly notices: readonly string[] }> {
  const { host, docker, root, version, now } = options;
  const without: ("docker" | "firewall")[] = root ? [] : ["firewall"];
  const [[seen, trouble], engine, lastRun, watch] = await Promise.all([
    host.observe({ without }).then(
      (seen): [Observation, HostError | null] => [seen, null],
      async (error): Promise<[Observation, HostError | null]> => {
        if (!(error instanceof HostError && error.fault === "docker")) throw error;
        return [await host.observe({ without: ["docker", ...without] }), error];
      },
    ),
    docker.about().then(
      (about) => String(about.get("ServerVersion") ?? "unknown"),
      () => null,
    ),
    lastRunOf(pathsOf(config).lastRun),
    seeWatch(pathsOf(config)),
  ]);
  const decision = trouble === null ? decide(config, seen, now) : null;
  const refused = decision === null ? null : refusal(decision);
  const { actual } = seen;
  const hostIp = hostAddress(config, seen.addresses, actual.aliases) ?? null;
  const report = {
    version,
    engine,
    lastRun,
    setUp: lastRun !== null || (await isSetUp(config, seen)),
    unstarted: options.unstarted === true,
    now,
    hostIp,
    table: decision?.desired.table ?? actual.table,
    inForce: actual.aliases.length,
    decision,
    drift:
      root && decision !== null && refused === null
        ? describeAll(plan(actual, decision.desired).steps)
        : null,
    refused,
    unguarded: root ? seen.firewall.unguarded : undefined,
    trouble: trouble?.message ?? null,
    remedy: trouble?.remedy ?? null,
    server: await options.server?.(hostIp),
    // only root sees which queues are read
    wakes: root ? seen.gates?.queue !== undefined : null,
    stats: watch.stats,
    starts: { watch: startRemedy(config, "watch"), serve: startRemedy(config, "serve") },
    watching: watch.running,
    ...(options.usage === true ? { usage: await usageOf(decision?.services ?? [], docker) } : {}),
  };
  return { report, notices: seen.notices };
}

/** Containers that Docker is asked about at once: it waits a second for each. */
const ASKED_AT_ONCE = 32;

/** A container that Docker does not report, or that has ended meanwhile, stays in the list without figures. */
async function usageOf(services: readonly Service[], docker: Pick<Docker, "stats">): Promise<Usage[]> {
  const list: Usage[] = [];
  for (let i = 0; i < services.length; i += ASKED_AT_ONCE) {
    const some = services
      .slice(i, i + ASKED_AT_ONCE)
      .map(async ({ name, address, instances: [instance] }) => {
        const stats = instance && (await docker.stats(instance.id).catch(() => undefined));
        return { name, address, ...readUsage(stats) };
      });
    list.push(...(await Promise.all(some)));
  }
  return list;
}

/** Do the servers answer at the address where the host has them? Undefined when it has none yet. */
export async function serverAnswers(config: Config, host: Ipv4 | null): Promise<ServerAnswers | undefined> {
  if (host === null) return undefined;
  const [dns, web] = await Promise.all([nameServer(config, host), webServer(config, host)]);
  const other = (["dns", "web"] as const).filter((which) => ({ dns, web })[which].other === true);
  return { dns: dns.ok === true, web: web.ok, ...(other.length > 0 ? { other } : {}) };
}
