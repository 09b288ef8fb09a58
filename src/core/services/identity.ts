/** The service that a container belongs to, where that is certain: any user can set labels, Docker keeps names unique. */

import { perObject } from "../memo.ts";
import type { Container, LeaseTable } from "../model.ts";
import { fingerprint } from "./name.ts";

/** The service of an orchestrator that a container belongs to. */
export interface Membership {
  readonly kind: "compose" | "swarm";
  readonly project: string | null;
  readonly service: string;
  /** Compose's number, swarm's slot; null where there is none. */
  readonly number: number | null;
}

/** The identity of a container. */
export interface Identity {
  /** The stable key of its lease. */
  readonly key: string;
  /** What its labels say, for the name it asks for; null for a one-off. */
  readonly membership: Membership | null;
  /** True for the container of a `docker compose run`, whose labels are copies of its service's. */
  readonly oneOff: boolean;
  /** True where its name is one that compose gives to the member that its labels say it is. */
  readonly namedByCompose: boolean;
  /** The key that its labels alone claim, where that claim is not accepted. */
  readonly rejectedKey: string | null;
}

/**
 * The identity of a container. The key is compose's or swarm's when its name is one that they give, since Docker lets no
 * other container have it, or when this very container (`lease`, by the key its labels claim) had it before; else the name's.
 */
export function identityOf(container: Container, lastSeen: ReadonlyMap<string, string>): Identity {
  const said = claims(container, "", () => claimsOf(container));
  const { byName, membership, claimed } = said;
  if (claimed === null) return said.alone;
  const named = isNamedSo(container.name, membership);
  const accepted = named || lastSeen.get(claimed) === container.id;
  return identities(container, String(accepted), () => ({
    key: accepted ? claimed : byName,
    membership,
    oneOff: false,
    namedByCompose: named && membership?.kind === "compose",
    rejectedKey: accepted ? null : claimed,
  }));
}

/** What a container says of itself. */
interface Claims {
  /** The key of its name. */
  readonly byName: string;
  readonly membership: Membership | null;
  /** The key that its labels claim; null where they claim none. */
  readonly claimed: string | null;
  /** Its identity where they claim none. */
  readonly alone: Identity;
}

const claims = perObject<Container, Claims>();
const identities = perObject<Container, Identity>();

function claimsOf(container: Container): Claims {
  const byName = nameKey(container);
  const oneOff = isOneOff(container);
  const membership = oneOff ? null : membershipOf(container);
  const claimed = membership === null ? null : keyOf(membership);
  return {
    byName,
    membership,
    claimed,
    alone: { key: byName, membership, oneOff, namedByCompose: false, rejectedKey: null },
  };
}

/** Key → id of the container last seen with it. */
export function lastSeenOf({ leases, nameHolds }: LeaseTable): ReadonlyMap<string, string> {
  return new Map([...nameHolds, ...leases].map(({ key, container }) => [key, container]));
}

/** The key of a container that does not get the one it claims, since another has it. "#" is in no container's name. */
export const loserKey = ({ id }: Container): string => `container:#${id.slice(0, 12)}`;

/** The key of a container's name. */
export const nameKey = ({ name }: Pick<Container, "name">): string => `container:${part(name)}`;

/** The group of a key: the instances of one service are one. */
export function groupOf(key: string): string {
  return /^(compose|swarm):/.test(key) ? key.replace(/\/\d+$/, "") : key;
}

function isOneOff({ labels }: Container): boolean {
  return labels.get("com.docker.compose.oneoff")?.trim().toLowerCase() === "true";
}

function membershipOf({ labels, name }: Container): Membership | null {
  const project = labels.get("com.docker.compose.project");
  const service = labels.get("com.docker.compose.service");
  if (project && service) {
    const number = labels.get("com.docker.compose.container-number") ?? "";
    return { kind: "compose", project, service, number: /^\d{1,6}$/.test(number) ? Number(number) : null };
  }
  const whole = labels.get("com.docker.swarm.service.name");
  if (!whole) return null;
  const stack = labels.get("com.docker.stack.namespace") || null;
  const inStack = stack !== null && whole.startsWith(`${stack}_`) && whole.length > stack.length + 1;
  // a slot, or the node's id where each node has one task; then the task's id
  const task = name.startsWith(`${whole}.`) ? TASK.exec(name.slice(whole.length + 1)) : null;
  return {
    kind: "swarm",
    project: inStack ? stack : null,
    service: inStack ? whole.slice(stack.length + 1) : whole,
    number: task === null ? null : Number(task[1] ?? 0),
  };
}

const TASK = /^(?:(\d{1,6})|[a-z0-9]{25})\.[a-z0-9]{25}$/;

function keyOf({ kind, project, service, number }: Membership): string | null {
  return number === null ? null : memberKey(kind, project ?? "", service, number);
}

/** The compose project that a container says it belongs to, also one of `docker compose run`; it proves nothing. */
export const saidProject = ({ labels }: Container): string => labels.get("com.docker.compose.project") ?? "";

/** The key of one container of a service. */
export function memberKey(
  kind: Membership["kind"],
  project: string,
  service: string,
  number: number,
): string {
  return `${kind}:${part(project)}/${part(service)}/${number}`;
}

/** Is this the name that compose (before and since version 2) or swarm gives this member? */
function isNamedSo(name: string, membership: Membership | null): boolean {
  if (membership === null) return false;
  const { kind, project, service, number } = membership;
  // of swarm's tasks the number itself is read from the name
  if (kind === "swarm") return true;
  return name === `${project}-${service}-${number}` || name === `${project}_${service}_${number}`;
}

/** Untrusted text as one part of a key: bounded, and without the separator. */
function part(text: string): string {
  const safe = text.replace(/[%/]/g, (c) => (c === "%" ? "%25" : "%2F"));
  return safe.length <= 200 ? safe : `${safe.slice(0, 190)}~${fingerprint(text)}`;
}
