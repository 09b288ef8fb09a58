/** What is to be said about services that are served and do not work as they should. */
import type { Addresses } from "../addresses/assign.ts";
import { clip } from "../clip.ts";
import { perObject } from "../memo.ts";
import type { LeaseTable, Service } from "../model.ts";
import type { Candidate } from "./candidates.ts";
import type { Grant } from "./names.ts";
import { PORTLESS_REMEDY, portlessReason } from "./portless.ts";

/** A container that the guard lets nothing through to: a director that cannot see PIDs reports why. */
export function guardNotes(service: Service): string[] {
  const reason = portlessReason(service);
  if (reason === null) return [];
  return service.instances.map(
    ({ name }) => `container "${clip(name)}" gets no packets: ${reason} (${PORTLESS_REMEDY})`,
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

/** What is said of a container's labels and of its way. */
function wishNotes({ wishes, reach }: Candidate): readonly string[] {
  const note = reach.kind === "alias" || reach.kind === "direct" ? reach.note : null;
  return note === null ? wishes.notes : [...wishes.notes, note];
}

/** The same as lines for a run. */
export const labelNotes = (candidate: Candidate): string[] =>
  wishNotes(candidate).map((note) => `container "${clip(candidate.container.name)}": ${note}`);

const noted = perObject<Service, Service>();

/**
 * The service with what a run warns of about its container's labels, network and names. Not why it has another address than it asks
 * for: that may differ from one run to the next, and the page is to be the same.
 */
export function withNotes(service: Service, candidate: Candidate, grant: Grant): Service {
  const names = grant.notes.map((note) => `it does not get a further name: ${note}`);
  const notes = [...wishNotes(candidate), ...names];
  return notes.length === 0 ? service : noted(service, notes.join("\n"), () => ({ ...service, notes }));
}
