/** The host behind one interface: look at all of it, change what a plan says. */
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../core/config.ts";
import { HostError, Overtaken } from "../core/errors.ts";
import type { Ipv4 } from "../core/ipv4.ts";
import type { Observation, TableName } from "../core/model.ts";
import { observationOf } from "../core/observation.ts";
import type { Plan } from "../core/plan.ts";
import { addAddresses, readLinks, removeAddresses, setHairpin } from "./address.ts";
import { announce, probe } from "./arp.ts";
import { connectDocker, type Docker, type DockerView } from "./docker.ts";
import { makeDurable, readOctets, readText, writeWhole } from "./file.ts";
import { readLeases, writeLeases } from "./leases.ts";
import { type Memory, makeMemory } from "./memory.ts";
import { forgetFlows, prepareRestore, readTables } from "./netfilter.ts";
import { owe, settle } from "./owed.ts";
import { noteRun, readTemplate } from "./page.ts";
import { rememberProbes } from "./probes.ts";

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
   * Carries out a plan, step by step. Throws HostError that names the step, or Overtaken when a container has died
   * meanwhile; the steps before it stand.
   */
  apply(plan: Plan): Promise<void>;
  /** Leaves word that a run has just ended well. */
  noteRun(): Promise<void>;
}

/** What need not be looked at: Docker to take down, the firewall (which takes root) to list. */
export type LeaveOut = "docker" | "firewall";

/** Where the leases are kept. */
export function leasesFile(config: Config): string {
  return `${config.storageDir}/leases.json`;
}

/** Where a run leaves word of what it has still to do; there only while one is at work, or was killed. */
export function owedFile(config: Config): string {
  return `${config.storageDir}/owed`;
}

/** What conntrack reads from; there only while it does. */
const forgetFile = (config: Config): string => `${config.storageDir}/forget`;

/** The page's content for programs, beside the page. */
export function servicesFile(config: Config): string {
  return `${dirname(config.indexFile)}/services.json`;
}

/** The real host, with a client of its own for Docker, or with one that also follows its events. */
export function openHost(config: Config, watched?: Docker): Host {
  const docker = watched ?? connectDocker({ socket: config.dockerSocket, ...config.api });
  let hurried = false;
  const look = async (): Promise<DockerView> => {
    const view = await (watched === undefined ? docker.look() : docker.lookCloser());
    hurried = view.hurried === true;
    return view;
  };
  const { lost, restore } = patience(watched);
  const memory = makeMemory();
  return {
    observe: (...leaveOut) => observe(config, look, watched?.bereaved() === true, memory, leaveOut),
    probe: rememberProbes((addresses) => probe(config.device, addresses)),
    async apply(plan) {
      await apply(config, plan, lost, memory);
      // who has come is in no hurried look: patience ends with a plan that serves him
      if (!hurried) restore();
    },
    noteRun: () => named("note the run", () => noteRun(config.indexFile)),
  };
}

async function observe(
  config: Config,
  look: () => Promise<DockerView>,
  urgent: boolean,
  memory: Memory,
  leaveOut: readonly LeaveOut[],
): Promise<Observation> {
  const known = urgent && leaveOut.length === 0 ? memory.recall() : undefined;
  const [{ containers, networks, dead }, links, tables, leases, zone, page, services, template] =
    await Promise.all([
      leaveOut.includes("docker") ? { containers: [], networks: [], dead: undefined } : look(),
      known?.links ?? readLinks(),
      known?.tables ?? (leaveOut.includes("firewall") ? new Map<TableName, string>() : readTables()),
      readLeases(leasesFile(config)),
      readOctets(config.zoneFile),
      readText(config.indexFile),
      readText(servicesFile(config)),
      readTemplate(config.templateDir),
    ]);
  if (known === undefined && leaveOut.length === 0) memory.seen({ links, tables });
  return observationOf(config, {
    containers,
    networks,
    dead,
    links,
    tables,
    leases,
    leasesFile: leasesFile(config),
    zone: zone ?? "",
    page: page ?? "",
    services: services ?? "",
    template,
  });
}

/** The steps that write before anything is taken down; when they fail, what must go goes all the same. */
export const REMEMBERING = "write the leases";
export const WITHDRAWING = "withdraw names";

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
      if (watched?.bereaved() !== true || left === LEFT_AT_MOST) return false;
      left += 1;
      return true;
    },
    restore() {
      left = 0;
    },
  };
}

async function apply(config: Config, plan: Plan, overtaken: () => boolean, memory: Memory): Promise<void> {
  const { table, withdrawal, zone, page, services } = plan;
  const remember = async (): Promise<void> => {
    if (table !== null) await named(REMEMBERING, () => writeLeases(leasesFile(config), table));
  };
  if (overtaken()) throw new Overtaken();
  if (plan.tableFirst) await remember();
  const withdrawn =
    withdrawal === null
      ? NOTHING
      : named(WITHDRAWING, () => writeWhole(config.zoneFile, withdrawal, "latin1", "later"));
  // a name that answers a little longer leads to nobody, a rule that waits for a busy disk may lead to somebody else
  await Promise.race([withdrawn, sleep(DISK, undefined, { ref: false })]);
  // The last place to leave a plan: what follows from a replaced rule is seen by no later one.
  if (overtaken()) {
    await withdrawn;
    throw new Overtaken();
  }
  const owed = await owe(owedFile(config), plan, new Set(plan.announced));
  const changed = memory.changing();
  // each takes as long to start as to work: they start while the aliases go
  const rules = plan.tables.map(({ table: name, text }) => ({ name, ...prepareRestore(name, text) }));
  try {
    const removed = named("remove aliases", () => removeAddresses(plan.removed));
    const replaced = (async () => {
      // the kernel takes an alias away only when it has ended what Docker does to its devices, 20 ms after a death
      if (!plan.guarded) await removed;
      for (const { name, restore } of rules) await named(`replace rules of ${name}`, restore);
    })();
    await all([withdrawn, removed, replaced]);
  } finally {
    for (const { leave } of rules) leave();
  }
  await named("add aliases", () => addAddresses(plan.added));
  // From here on nothing waits for anything else, but for the page, which comes after what it tells of.
  await all([
    named("set hairpin mode", () => setHairpin(plan.hairpinsOn, "on")),
    named("unset hairpin mode", () => setHairpin(plan.hairpinsOff, "off")),
    all([
      named("forget tracked connections", () => forgetFlows(owed.flushed, forgetFile(config))),
      named("announce aliases", () => announce(config.device, owed.announced)),
    ]).then(() => settle(owedFile(config), owed)),
    zone !== null && zone !== withdrawal
      ? named("write the zone", () => writeWhole(config.zoneFile, zone, "latin1"))
      : named("keep the zone", () => (withdrawal === null ? NOTHING : makeDurable(config.zoneFile))),
    plan.tableFirst ? NOTHING : remember(),
    services === null
      ? NOTHING
      : named("write the services file", () => writeWhole(servicesFile(config), services)),
  ]);
  changed(plan);
  if (page === null) return;
  if (overtaken()) throw new Overtaken();
  await named("write the index page", () => writeWhole(config.indexFile, page));
}

/** Milliseconds that taking down waits for the disk to take the names away first. */
const DISK = 10;

const NOTHING: Promise<void> = Promise.resolve();

/** Waits for all, also when one fails; throws the first failure then. */
async function all(deeds: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(deeds)) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}

/** Names the step in its failure. */
async function named(name: string, deed: () => Promise<void>): Promise<void> {
  try {
    await deed();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new HostError(error.fault, `could not ${name}: ${error.message}`, {
      cause: error.cause ?? error,
      remedy: error.remedy,
      step: name,
    });
  }
}
