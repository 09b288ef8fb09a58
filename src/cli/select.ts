/** The services that a command names, and the containers behind them. */
import { clip } from "../core/clip.ts";
import type { Config } from "../core/config/config.ts";
import { decide } from "../core/decide.ts";
import { HostError } from "../core/errors.ts";
import { findNamed } from "../core/lifecycle/named.ts";
import type { Container, Decision, Observation, Service } from "../core/model.ts";
import { type Host, openHost } from "../host/host.ts";

/** A container that a command is carried out for. */
export interface Selected {
  /** As it is shown: the service's name, with the container's where the service has several. */
  readonly name: string;
  readonly container: Container;
  /** Undefined for a container that is not served. */
  readonly service: Service | undefined;
}

export interface Look {
  readonly seen: Observation;
  readonly decision: Decision;
}

/** What the host has now. Needs Docker's socket, not root. Throws HostError. */
export async function lookAtServices(
  config: Config,
  host: Pick<Host, "observe"> = openHost(config),
): Promise<Look> {
  const seen = await host.observe({ without: ["firewall"] });
  return { seen, decision: decide(config, seen, Math.floor(Date.now() / 1000)) };
}

/** The containers of one name. Throws HostError "refused" with a name that is near, where there is one. */
export function containersOf(name: string, config: Config, { seen, decision }: Look): readonly Container[] {
  const found = findNamed(name, config.zone, decision, seen);
  if ("containers" in found) return found.containers;
  const none = seen.containers.length + (seen.stopped ?? []).length === 0;
  const near = found.meant === null ? "" : `: the nearest name is ${clip(found.meant)}`;
  const hint = none ? ": there is no container at all" : near;
  throw new HostError("refused", `there is no service and no container "${clip(name)}"${hint}`, {
    remedy: none ? "start a container; `ocdd list` shows it then" : "ocdd list",
  });
}

export interface Wanted {
  readonly names: readonly string[];
  /** Every service. */
  readonly all: boolean;
  /** Those of one compose project. */
  readonly project: string | undefined;
}

/** web-2 before web-10. */
const byName = new Intl.Collator("en", { numeric: true });

/** In the order of the names given, else by service name. Throws HostError as `containersOf`, and where no service matches. */
export function selected(wanted: Wanted, config: Config, look: Look): readonly Selected[] {
  const { names, all, project } = wanted;
  const every = new Map([...look.seen.containers, ...(look.seen.stopped ?? [])].map((one) => [one.id, one]));
  const { services } = look.decision;
  if (names.length > 0) {
    const found = names.flatMap((name) => named(name, containersOf(name, config, look), services));
    return found.filter(
      ({ container }, at) => found.findIndex((one) => one.container.id === container.id) === at,
    );
  }
  const matching = services
    .filter((one) => all || one.project === project)
    .toSorted((a, b) => byName.compare(a.name, b.name));
  if (matching.length === 0) {
    const what = all ? "there is no service" : `no service belongs to the project "${clip(project)}"`;
    throw new HostError("refused", what, { remedy: "ocdd list" });
  }
  return matching.flatMap(({ name, instances }) =>
    named(
      name,
      instances.flatMap(({ id }) => every.get(id) ?? []),
      services,
    ),
  );
}

function named(name: string, containers: readonly Container[], services: readonly Service[]): Selected[] {
  return containers.map((container) => {
    const service = services.find(({ instances }) => instances.some(({ id }) => id === container.id));
    const own = service?.name ?? clip(name);
    return { name: containers.length > 1 ? `${own} (${clip(container.name)})` : own, container, service };
  });
}
