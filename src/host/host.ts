/** The host behind one interface: look at all of it, change what a plan says. */

import type { Ipv4 } from "../core/addresses/ipv4.ts";
import type { Config } from "../core/config/config.ts";
import type { Observation, TableName } from "../core/model.ts";
import { observationOf } from "../core/observation.ts";
import { pathsOf } from "../core/paths.ts";
import type { Plan } from "../core/plan.ts";
import { apply, named, PLAIN, type Waiter } from "./apply.ts";
import { readOctets, readText } from "./disk/file.ts";
import { readLeases } from "./disk/leases.ts";
import { noteRun, readTemplate } from "./disk/page.ts";
import { connectDocker, type Docker, type DockerView } from "./docker/client.ts";
import type { Deaths } from "./docker/exits.ts";
import { readLinks } from "./kernel/addresses.ts";
import { probe } from "./kernel/arp/probe.ts";
import { rememberProbes } from "./kernel/arp/probe-cache.ts";
import { type Memory, makeMemory } from "./kernel/memory.ts";
import { readTables } from "./kernel/netfilter.ts";

export interface Host {
  /**
   * Looks at Docker, devices, firewall and files at once; a part left out counts as empty. Throws HostError; nothing
   * is changed.
   */
  observe(...leaveOut: readonly LeaveOut[]): Promise<Observation>;
  /**
   * Those of the addresses that somebody else on the network answers for. About `ahead` it asks as well and does not
   * wait; what has been asked lately is answered at once.
   */
  probe(addresses: readonly Ipv4[], ahead?: readonly Ipv4[]): Promise<ReadonlySet<Ipv4>>;
  /**
   * Carries out a plan, step by step, waiting for the disk as `waiter` does. Throws HostError that names the step, or
   * Overtaken when a container has died meanwhile; the steps before it stand.
   */
  apply(plan: Plan, waiter?: Waiter): Promise<void>;
  /** Null where nobody follows Docker's events. */
  readonly deaths: Deaths | null;
  /** Leaves word that a run has just ended well. */
  noteRun(): Promise<void>;
}

/**
 * What need not be looked at: Docker to take down, the firewall (which takes root) to list, and who has come since the
 * last look, when all that matters is who has died.
 */
export type LeaveOut = "docker" | "firewall" | "living";

/** The real host, with a client of its own for Docker, or with one that also follows its events. */
export function openHost(config: Config, watched?: Docker): Host {
  const docker = watched ?? connectDocker({ socket: config.dockerSocket, ...config.api });
  let hurried = false;
  const look = async (dying: boolean): Promise<DockerView> => {
    const view = await (watched === undefined ? docker.look() : docker.lookCloser(dying));
    hurried = view.hurried === true;
    return view;
  };
  const { lost, restore } = patience(watched);
  const memory = makeMemory();
  return {
    deaths: watched?.deaths ?? null,
    observe: (...leaveOut) => observe(config, look, watched?.deaths.bereaved() === true, memory, leaveOut),
    probe: rememberProbes((addresses) => probe(config.device, addresses)),
    async apply(plan, waiter = PLAIN) {
      await apply(config, plan, lost, memory, waiter);
      // who has come is in no hurried look: patience ends with a plan that serves him
      if (!hurried) restore();
    },
    noteRun: () => named("note the run", () => noteRun(pathsOf(config).lastRun)),
  };
}

async function observe(
  config: Config,
  look: (dying: boolean) => Promise<DockerView>,
  urgent: boolean,
  memory: Memory,
  leaveOut: readonly LeaveOut[],
): Promise<Observation> {
  const paths = pathsOf(config);
  const before = memory.changes;
  const dying = leaveOut.includes("living");
  const whole = leaveOut.length === 0;
  const known = dying || (urgent && whole) ? memory.recall() : undefined;
  const [{ containers, networks, dead }, links, tables, leases, zone, page, services, template] =
    await Promise.all([
      leaveOut.includes("docker") ? { containers: [], networks: [], dead: undefined } : look(dying),
      known?.links ?? readLinks(),
      known?.tables ?? (leaveOut.includes("firewall") ? new Map<TableName, string>() : readTables()),
      readLeases(paths.leases),
      readOctets(config.zoneFile),
      readText(config.indexFile),
      readText(paths.services),
      readTemplate(config.templateDir),
    ]);
  if (known === undefined && (whole || dying)) memory.seen({ links, tables }, before);
  return observationOf(config, {
    containers,
    networks,
    dead,
    links,
    tables,
    leases,
    leasesFile: paths.leases,
    zone: zone ?? "",
    page: page ?? "",
    services: services ?? "",
    template,
  });
}

/** How many plans in a row may be left for a death: a host whose containers die all the time is served as well. */
const LEFT_AT_MOST = 3;

/** Tells whether to leave a plan, since the rule of one that has just died misleads until it is gone. */
function patience(watched: Docker | undefined): {
  readonly lost: () => boolean;
  readonly restore: () => void;
} {
  let left = 0;
  return {
    lost() {
      if (watched?.deaths.bereaved() !== true || left === LEFT_AT_MOST) return false;
      left += 1;
      return true;
    },
    restore() {
      left = 0;
    },
  };
}
