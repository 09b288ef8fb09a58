/** Containers that are started before another one: `ocdd.wake.with`, and compose's depends_on. */
import { NO_LEASES } from "../core/addresses/lease.ts";
import { type Dependency, dependenciesOfContainer } from "../core/lifecycle/depends-on.ts";
import type { Health } from "../core/lifecycle/health.ts";
import { type LifecycleSettings, lifecycleOf } from "../core/lifecycle/settings.ts";
import { perObject } from "../core/memo.ts";
import type { Container, LeaseTable, Observation, Service } from "../core/model.ts";
import { groupOf, identityOf, lastSeenOf, memberKey, saidProject } from "../core/services/identity.ts";

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
  const lastSeen = lastSeenOf(actual?.table ?? NO_LEASES);
  /** Key of one instance → the container that has its place; by the key that Docker's names prove, and by labels alone. */
  const proved = new Map<string, Container>();
  const claimed = new Map<string, Container>();
  const named = new Map<string, Container[]>();
  const place = (map: Map<string, Container>, key: string, one: Container): void => {
    const other = map.get(key);
    const isFirst =
      other === undefined ||
      (other.id !== lastSeen.get(key) && (one.id === lastSeen.get(key) || one.created < other.created));
    if (isFirst) map.set(key, one);
  };
  for (const one of [...containers, ...stopped]) {
    append(named, one.name, one);
    const { key, membership, rejectedKey } = identityOf(one, lastSeen);
    if (membership?.kind !== "compose") continue;
    if (groupOf(key) !== key) place(proved, key, one);
    else if (rejectedKey !== null) place(claimed, rejectedKey, one);
  }
  const [members, claimants] = [proved, claimed].map((map) => {
    const services = new Map<string, Container[]>();
    for (const [key, one] of map) append(services, groupOf(key), one);
    return services;
  });
  const service: Meaning["service"] = (container, name) => {
    // what it says of its own project gives it nothing that `ocdd.wake.with` would not; one of `compose run` has one as well
    const group = groupOf(memberKey("compose", saidProject(container), name, 1));
    // any container can have a service's labels: they count only where none has its name, as with `container_name`, and
    // then the oldest, which was there first
    return members?.get(group) ?? claimants?.get(group);
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
