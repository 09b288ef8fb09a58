/** The TCP ports of a container on which `watch` tries connections, and what a service shows where none is accepted. */
import type { Ipv4 } from "../addresses/ipv4.ts";
import { perObject } from "../memo.ts";
import type { Container, Service } from "../model.ts";
import { portLinks } from "../page/links.ts";

/** Ports that are tried, at most: the first of those on the page. */
const MOST_PORTS = 4;

/** The container of a service, and where it is tried. */
export interface PortCheck {
  /** Its id. */
  readonly container: string;
  /** Name of the service. */
  readonly service: string;
  /** The container's own: a connection to its alias would count as use. */
  readonly address: Ipv4;
  /** At least one. */
  readonly ports: readonly number[];
}

/** The container's ports that clients are told; empty where its own HEALTHCHECK says more, and for one of `ocdd try`. */
export function portsToCheck(
  service: Pick<Service, "fqdn" | "forward" | "ports">,
  { health, labels }: Pick<Container, "health" | "labels">,
): readonly number[] {
  if (health !== "none" || labels.has("ocdd.try")) return [];
  const tcp = portLinks(service).filter(({ protocol }) => protocol === "tcp");
  return [...new Set(tcp.map(({ port, to }) => to ?? port))].slice(0, MOST_PORTS);
}

/** What is to be tried now: only services whose container runs. */
export function portChecksOf(services: readonly Service[]): PortCheck[] {
  return services.flatMap(({ name, state, check: ports, instances: [instance] }): PortCheck[] =>
    ports === undefined || state !== "running" || instance?.address == null
      ? []
      : [{ container: instance.id, service: name, address: instance.address, ports }],
  );
}

const answered = perObject<Service, Service>();

/** The service, marked where its container is among those that do not answer. */
export function withAnswer(service: Service, unanswered: ReadonlySet<string> | undefined): Service {
  const silent = portChecksOf([service]).some(({ container }) => unanswered?.has(container) === true);
  return silent ? answered(service, "", () => ({ ...service, unanswered: true })) : service;
}

/** Why a service is shown as one that does not answer; null for all others. */
export const silenceOf = ({ unanswered, check = [] }: Service): string | null =>
  unanswered === true ? silenceText(check) : null;

/** The ports that were tried. */
export const silenceText = (ports: readonly number[]): string =>
  `no connection is accepted on TCP port${ports.length > 1 ? "s" : ""} ${ports.join(", ")}`;
