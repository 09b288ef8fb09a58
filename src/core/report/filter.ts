/** Which services `ocdd list` shows, and in which order. */
import type { Decision, Service } from "../model.ts";
import { shownState } from "./report.ts";
import type { StoppedService } from "./stopped.ts";

/** The words that `--state` takes: Docker's, those of its health checks, and OCDD's own. */
export const STATES = [
  ...["running", "healthy", "unhealthy", "starting", "restarting", "paused"],
  ...["pending", "asleep", "failed", "no-answer", "no-packets", "stopped"],
] as const;

/** Absent is any. */
export interface Filter {
  /** Names of services, containers, or addresses; `*` and `?` in them match any text and any character. */
  readonly names: readonly string[];
  readonly state: string | undefined;
  /** Docker's name of the network that the service is reached on. */
  readonly network: string | undefined;
  /** Compose's. */
  readonly project: string | undefined;
}

export const ANY: Filter = { names: [], state: undefined, network: undefined, project: undefined };

export interface Listed {
  readonly services: readonly Service[];
  /** Absent where they were not asked for. */
  readonly stopped?: readonly StoppedService[] | undefined;
  /** Addresses that have not been given yet. */
  readonly fresh: Decision["fresh"];
}

/** web-2 before web-10. */
const byName = new Intl.Collator("en", { numeric: true });

/** The services that match all of the filter, sorted by name. */
export function listed(
  { services, fresh }: Pick<Decision, "services" | "fresh">,
  stopped: readonly StoppedService[] | undefined,
  { names, state, network, project }: Filter,
): Listed {
  const patterns = names.map(patternOf);
  const fits = (own: readonly (string | null | undefined)[]): boolean =>
    patterns.length === 0 ||
    patterns.some((pattern) => own.some((text) => text != null && pattern.test(text)));
  const pending: ReadonlySet<string> = new Set(fresh);
  const inState = (service: Service): boolean =>
    // a healthy service runs as well
    [shownState(service, pending).replace(" ", "-"), service.state, service.health].includes(
      state ?? service.state,
    );
  return {
    services: services
      .filter(
        (one) =>
          inState(one) &&
          (network === undefined || one.instances.some((instance) => instance.network === network)) &&
          (project === undefined || one.project === project) &&
          fits([...one.names, one.fqdn, one.address, ...one.instances.map(({ name }) => name)]),
      )
      .toSorted((a, b) => byName.compare(a.name, b.name)),
    stopped: stopped
      ?.filter(
        (one) =>
          (state ?? "stopped") === "stopped" &&
          // neither is known of a stopped container
          network === undefined &&
          project === undefined &&
          fits([...one.names, one.fqdn, one.address, one.container]),
      )
      .toSorted((a, b) => byName.compare(a.name, b.name)),
    fresh,
  };
}

/** Whether a name is a pattern. */
export const isPattern = (name: string): boolean => /[*?]/.test(name);

/** Upper and lower case are the same. */
function patternOf(name: string): RegExp {
  const source = name
    .replace(/\.$/, "")
    .replace(/[\\^$.+|()[\]{}/-]/g, "\\$&")
    .replace(/\*+/g, ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "is");
}
