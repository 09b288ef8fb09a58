/** Containers that are started before another one: `ocdd.wake.with`, and compose's depends_on. */
import { NO_LEASES } from "../core/addresses/lease.ts";
import { type Dependency, dependenciesOfContainer } from "../core/lifecycle/depends-on.ts";
import type { Health } from "../core/lifecycle/health.ts";
import { type LifecycleSettings, lifecycleOf } from "../core/lifecycle/settings.ts";
import { perObject } from "../core/memo.ts";
import type { Container, LeaseTable, Observation, Service } from "../core/model.ts";
import { groupOf, lastSeenOf, memberKey, saidProject } from "../core/services/identity.ts";
import { claimedIn, keyHolders } from "../core/services/key-holder.ts";

/** A container that is needed, and in which state. */
export interface Need {
  readonly container: Container;
  readonly condition: Dependency["condition"];
}

/** What containers there are; the leases tell which one has had its place for long. */
export type Known = Pick<Observation, "containers" | "stopped"> & {
  readonly actual?: { readonly table: LeaseTable };
};

/**
 * What a container needs, in the order in which it is named: a service of the same compose project; what `ocdd.wake.with`
 * names may be any container else. What does not exist is left out: Docker's own start fails, or the program does without.
 */
export function needsOf(
  container: Container,
  dependsOn: readonly Dependency[],
  seen: Known,
  meaning: Meaning = meaningIn(seen),
): Need[] {
  const needs = new Map<string, Need>();
  const add = (found: readonly Container[] | undefined, condition: Need["condition"]): void => {
    for (const one of found ?? [])
      if (one.id !== container.id && !needs.has(one.id)) needs.set(one.id, { container: one, condition });
  };
  for (const name of withOf(container.labels))
    add(meaning.service(container, name) ?? meaning.named(name), "service_healthy");
  for (const { service, condition } of dependsOn) add(meaning.service(container, service), condition);
  return [...needs.values()];
}

/** What a name means. */
interface Meaning {
  /** The containers of this service of the project that a container says it belongs to. */
  readonly service: (container: Container, name: string) => readonly Container[] | undefined;
  /** The container with this name. */
  readonly named: (name: string) => readonly Container[] | undefined;
}

function meaningIn({ containers, stopped = [], actual }: Known): Meaning {
  const table = actual?.table ?? NO_LEASES;
  /** Of one service: those whose place Docker's names prove, and those that have it by labels alone. */
  const members = new Map<string, Container[]>();
  const claimants = new Map<string, Container[]>();
  for (const [key, { container }] of keyHolders({ containers, stopped }, lastSeenOf(table), table.holders)) {
    const claimed = claimedIn(key);
    if (claimed !== null) append(claimants, groupOf(claimed), container);
    else if (groupOf(key) !== key) append(members, groupOf(key), container);
  }
  const named = new Map<string, Container[]>();
  for (const one of [...containers, ...stopped]) append(named, one.name, one);
  const service: Meaning["service"] = (container, name) => {
    // what it says of its own project gives it nothing that `ocdd.wake.with` would not; one of `compose run` has one as well
    const group = groupOf(memberKey("compose", saidProject(container), name, 1));
    // any container can have a service's labels: they count only where none has its name, as with `container_name`
    return members.get(group) ?? claimants.get(group);
  };
  return { service, named: (name) => named.get(name) };
}

function append(map: Map<string, Container[]>, key: string, one: Container): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [one]);
  else known.push(one);
}

/** Whether a container names any. */
export const hasNeeds = (container: Container): boolean =>
  anyNamed(
    container,
    "",
    () => withOf(container.labels).length + dependenciesOfContainer(container).length > 0,
  );

const anyNamed = perObject<Container, boolean>();

/**
 * Whether a container that runs, or that is being started (`starting`: ids), needs this service: it uses it without passing
 * the alias. Of services that need each other none keeps the others awake.
 */
export function neededIn(
  seen: Known,
  starting: ReadonlySet<string> = new Set(),
): (service: Pick<Service, "instances">) => boolean {
  const { containers, stopped = [] } = seen;
  const running = new Map<string, Container>();
  /** Container id → those that need it. */
  const users = new Map<string, Container[]>();
  const meaning = meaningIn(seen);
  for (const one of [...containers, ...stopped]) {
    if (one.state !== "running" && !starting.has(one.id)) continue;
    running.set(one.id, one);
    if (!hasNeeds(one)) continue;
    for (const { container } of needsOf(one, dependenciesOfContainer(one), seen, meaning))
      append(users, container.id, one);
  }
  const usersOf = ({ id }: Container): readonly Container[] => users.get(id) ?? [];
  const isCircle = (one: Container, user: Container): boolean => {
    const found = new Set([user]);
    for (const next of found) for (const other of usersOf(next)) found.add(other);
    return found.has(one);
  };
  return ({ instances: [own] }) => {
    const one = running.get(own?.id ?? "");
    return one !== undefined && usersOf(one).some((user) => !isCircle(one, user));
  };
}

/** What no configuration changes. */
const labelled = (labels: ReadonlyMap<string, string>): LifecycleSettings =>
  lifecycleOf(labels, { wake: "labelled", wakeTimeout: 0, idleIgnore: [] });

/** Names in `ocdd.wake.with`. */
const withOf = (labels: ReadonlyMap<string, string>): readonly string[] => labelled(labels).with;

/** How its labels have it checked. */
export const healthOf = (labels: ReadonlyMap<string, string>): Health | null => labelled(labels).health;
