/** Containers that are started before another one: `ocdd.wake.with`, and compose's depends_on. */
import { lifecycleOf } from "../core/lifecycle/settings.ts";
import { perObject } from "../core/memo.ts";
import type { Container, Observation, Service } from "../core/model.ts";
import {
  type ContainerDetails,
  DEPENDS_ON,
  type Dependency,
  dependenciesOf,
} from "../host/docker/details.ts";

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
  const project = labels.get("com.docker.compose.project");
  const named = (name: string): Container[] => {
    const members = all.filter(
      (other) =>
        project !== undefined &&
        other.labels.get("com.docker.compose.project") === project &&
        other.labels.get("com.docker.compose.service") === name &&
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

/** Whether a container that runs needs this service: it uses it without passing the alias. */
export function neededIn({ containers }: Pick<Observation, "containers">): (service: Service) => boolean {
  const names = new Set<string>();
  const members = new Set<string>();
  for (const container of containers) {
    if (container.state !== "running") continue;
    const { asked, depends, project } = wantsOf(container, "", () => wants(container));
    for (const name of asked) names.add(name);
    for (const name of [...asked, ...depends]) if (project !== undefined) members.add(`${project} ${name}`);
  }
  return ({ name, project, service, instances: [own] }) =>
    names.has(name) || names.has(own?.name ?? "") || members.has(`${project} ${service}`);
}

interface Wants {
  readonly project: string | undefined;
  readonly asked: readonly string[];
  readonly depends: readonly string[];
}

const wantsOf = perObject<Container, Wants>();

const wants = ({ labels }: Container): Wants => ({
  project: labels.get("com.docker.compose.project"),
  asked: withOf(labels),
  depends: dependenciesOf(labels.get(DEPENDS_ON) ?? "").map(({ service }) => service),
});

/** Names in `ocdd.wake.with`, which no configuration changes. */
const withOf = (labels: ReadonlyMap<string, string>): readonly string[] =>
  lifecycleOf(labels, { wake: "labelled", wakeTimeout: 0, idleIgnore: [] }).with;
