/** What is to be said about services that are served and do not work as they should. */
import type { Addresses } from "../addresses/assign.ts";
import { clip } from "../clip.ts";
import type { LeaseTable, Observation, Service } from "../model.ts";
import type { Candidate } from "./candidates.ts";

/** Seconds after which a running container has a bridge port. */
const SETTLED = 10;

/** A running container whose port is not found is refused by the guard: a director that cannot see PIDs reports why. */
export function guardNotes(
  { instances, forward, state, started }: Service,
  { firewall }: Observation,
  now: number,
): string[] {
  const refused = forward !== null && forward.bridgePort === null && firewall.unguarded === null;
  // one that has just started or is about to end has none for a moment
  if (!refused || state !== "running" || started === undefined || now - started.latest < SETTLED) return [];
  return instances.map(
    ({ name }) =>
      `container "${clip(name)}" gets no packets: the port of its bridge is not found (a director that runs in a container needs the host's PID namespace: \`--pid host\`)`,
  );
}

/**
 * Services whose alias another machine uses as well. They keep name and address: else any machine could take a service
 * away by one packet (RFC 5227 §2.4 leaves the choice).
 */
export function conflictNotes(services: readonly Service[], { conflicts }: LeaseTable): string[] {
  const claimed = new Set(conflicts.map(({ address }) => address));
  return services
    .filter(({ forward }) => forward !== null && claimed.has(forward.alias))
    .map(
      ({ name, address }) =>
        `${address} of "${name}" is in use by another machine on the network as well: clients may reach that one`,
    );
}

/** A container that has another address than its label ocdd.address asks for. */
export function addressNotes(
  { container, key }: Candidate,
  { denied, addressOf }: Pick<Addresses, "denied" | "addressOf">,
): string[] {
  const why = denied.get(key);
  if (why === undefined) return [];
  const address = addressOf.get(container.id);
  return [
    `container "${clip(container.name)}" has ${address}, not the address that its label ocdd.address asks for: ${why}`,
  ];
}
