/** What compose's depends_on names, as compose writes it into a label. The label is untrusted: it is bounded. */

import { perObject } from "../memo.ts";
import type { Container } from "../model.ts";

/** Another service of the same compose project, and what it must have reached first. */
export interface Dependency {
  readonly service: string;
  readonly condition: "service_started" | "service_healthy" | "service_completed_successfully";
}

/** Compose's label with what a service depends on. */
export const DEPENDS_ON = "com.docker.compose.depends_on";

/** More than any compose file names; all labels of a container together have at most 65 536 characters. */
const MOST = 512;

/**
 * Reads that label: `db:service_healthy:false`, separated by commas; the last part says whether a restart is passed on. An
 * item that cannot be read is left out, and so are those beyond the bound.
 */
export function dependenciesOf(label: string): readonly Dependency[] {
  return label.split(",", MOST).flatMap((item) => dependency(item.trim()) ?? []);
}

const read = perObject<Container, readonly Dependency[]>();

/** The same, of a container. */
export const dependenciesOfContainer = (container: Container): readonly Dependency[] =>
  read(container, "", () => dependenciesOf(container.labels.get(DEPENDS_ON) ?? ""));

/** What is to be reported of the label. */
export function dependencyNotes({ labels }: Container): string[] {
  return labels.get(DEPENDS_ON)?.split(",", MOST + 1).length === MOST + 1
    ? [`label ${DEPENDS_ON} holds more than ${MOST} services, the first ${MOST} are used`]
    : [];
}

function dependency(item: string): Dependency | undefined {
  const [service = "", word] = item.split(":");
  // a service's name by compose's specification
  if (!/^[a-z0-9._-]{1,255}$/i.test(service)) return undefined;
  return { service, condition: CONDITIONS.find((one) => one === word) ?? "service_started" };
}

const CONDITIONS = ["service_healthy", "service_completed_successfully"] as const;
