/** Containers that are started before another one: `ocdd.wake.with`, and compose's depends_on. */
import type { Health } from "../core/lifecycle/health.ts";
import { type LifecycleSettings, lifecycleOf } from "../core/lifecycle/settings.ts";
import { perObject } from "../core/memo.ts";
import type { Container, Observation, Service } from "../core/model.ts";
import {
  type ContainerDetails,
  DEPENDS_ON,
  type Dependency,
  dependenciesOf,
} from "../host/docker/details.ts";

const PROJECT = "com.docker.compose.project";
const SERVICE = "com.docker.compose.service";

/** A container that is needed, and in which state. */
export interface Need {
  readonly container: Container;
  readonly condition: Dependency["condition"];
}

/**
 * What a container needs, in the order in which it is named. A name is a service of the same compose project, else a
 * container. What does not exist is left out: Docker's own start fails, or the program does without.
 */
export function needsOf(
  { id, labels }: Pick<Container, "id" | "labels">,
  dependsOn: ContainerDetails["dependsOn"],
  seen: Pick<Observation, "containers" | "stopped">,
): Need[] {
  const all = [...seen.containers, ...(seen.stopped ?? [])];
  const project = labels.get(PROJECT);
  const named = (name: string): Container[] => {
    const members = all.filter(
      (other) =>
        project !== undefined &&
        other.labels.get(PROJECT) === project &&
        other.labels.get(SERVICE) === name &&
        other.labels.get("com.docker.compose.oneoff")?.toLowerCase() !== "true",
    );
    return members.length > 0 ? members : all.filter((container) => container.name === name);
  };
  const asked = withOf(labels).map((service): Dependency => ({ service, condition: "service_healthy" }));
  const needs = new Map<string, Need>();
  for (const { service, condition } of [...asked, ...dependsOn])
    for (const container of named(service))
      if (container.id !== id && !needs.has(container.id)) needs.set(container.id, { container, condition });
  return [...needs.values()];
}

/** Whether a container names any. */
export const hasNeeds = (container: Container): boolean =>
  wantsOf(container, "", () => wants(container)).length > 0;

/**
 * Whether a container that runs, or that is being started (`starting`: ids), needs this service: it uses it without passing
 * the alias. Of services that need each other none keeps the others awake.
 */
export function neededIn(
  { containers, stopped = [] }: Pick<Observation, "containers" | "stopped">,
  starting: ReadonlySet<string> = new Set(),
): (service: Pick<Service, "instances">) => boolean {
  const running = new Map<string, Container>();
  const users = new Map<string, Container[]>();
  for (const one of [...containers, ...stopped]) {
    if (one.state !== "running" && !starting.has(one.id)) continue;
    running.set(one.id, one);
    for (const name of wantsOf(one, "", () => wants(one))) {
      const known = users.get(name) ?? [];
      known.push(one);
      users.set(name, known);
    }
  }
  const usersOf = (one: Container): Container[] => namesOf(one).flatMap((name) => users.get(name) ?? []);
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

/** What names of needed services mean: a container's name, or a project and its service. */
const namesOf = ({ name, labels }: Container): string[] => [
  name,
  `${labels.get(PROJECT)} ${labels.get(SERVICE)}`,
];

const wantsOf = perObject<Container, readonly string[]>();

function wants({ labels }: Container): readonly string[] {
  const [asked, project] = [withOf(labels), labels.get(PROJECT)];
  const depends = dependenciesOf(labels.get(DEPENDS_ON) ?? "").map(({ service }) => service);
  const members = project === undefined ? [] : [...asked, ...depends].map((name) => `${project} ${name}`);
  return [...asked, ...members];
}

/** What no configuration changes. */
const labelled = (labels: ReadonlyMap<string, string>): LifecycleSettings =>
  lifecycleOf(labels, { wake: "labelled", wakeTimeout: 0, idleIgnore: [] });

/** Names in `ocdd.wake.with`. */
const withOf = (labels: ReadonlyMap<string, string>): readonly string[] => labelled(labels).with;

/** How its labels have it checked. */
export const healthOf = (labels: ReadonlyMap<string, string>): Health | null => labelled(labels).health;
