/** All that `ocdd show` says of one container: its service, or why it has none. */

import type { Ipv4 } from "../addresses/ipv4.ts";
import { clip } from "../clip.ts";
import { silenceOf } from "../lifecycle/port-check.ts";
import type { LifecycleSettings } from "../lifecycle/settings.ts";
import { labelMetadata } from "../methods/metadata.ts";
import type { Container, Service } from "../model.ts";
import { iso } from "../moment.ts";
import { portlessReason } from "../services/portless.ts";
import { runWord } from "../services/unserved.ts";
import { duration } from "../text.ts";
import { type LeaseRow, leaseDocument, leaseState } from "./leases.ts";
import { checkText, upText } from "./list.ts";
import { byState, type Paint, PLAIN } from "./paint.ts";
import { offeredText, portsText, SCHEMA_VERSION, stateWord } from "./report.ts";
import { forwardLines } from "./steps.ts";

export interface Shown {
  /** The service's name, else the container's or the lease's; printable. */
  readonly name: string;
  readonly zone: string;
  /** Seconds since the epoch. */
  readonly now: number;
  /** Null where it is not served. */
  readonly service: Service | null;
  /** Why it is not served, or null. */
  readonly reason: string | null;
  /** Null where its container has been removed. */
  readonly container: Container | null;
  /** Null where it has none. */
  readonly lease: LeaseRow | null;
  /** Its address has not been given to it yet: the next run does. */
  readonly pending: boolean;
  /** What a run warns of about it, one line each. */
  readonly warnings: readonly string[];
  /** What its labels ask for. */
  readonly settings: LifecycleSettings | null;
}

/** The kinds of addresses. */
const KINDS: Readonly<Record<Service["kind"], string>> = {
  alias: "alias on the network device",
  host: "the host's own",
  shared: "that of the container whose network it shares",
  direct: "its own on the network",
};

/** One property a line. Texts of containers are made printable. */
export function showText(shown: Shown, paint: Paint = PLAIN): string {
  const { name, service, container, lease, reason, pending } = shown;
  const rows: (readonly [string, string | null | undefined])[] = [
    ["name", service?.fqdn ?? clip(name)],
    ["further names", service?.names.slice(1).join(", ")],
    ["renamed", service?.renamed],
    ["not served", reason === null ? null : paint(reason, "bad")],
    ...shown.warnings.map((text): [string, string] => ["warning", paint(text, "warn")]),
    ["address", service === null ? null : `${service.address} (${KINDS[service.kind]})`],
    ["lease", leaseText(lease, pending)],
    ["container", container === null ? null : `${clip(container.name)} (${container.id.slice(0, 12)})`],
    ["image", container === null ? null : clip(container.image, 200)],
    ["network", networkText(service, container)],
    ["state", stateText(shown, paint)],
    ["ports", service === null ? null : offeredText(service)],
    ...forwardsOf(service).map((line): [string, string] => ["forward", line]),
    ["sleep", service === null ? null : sleepText(service, shown.settings)],
    ["validate", service?.checks?.validate && byState(checkText(service.checks.validate), paint)],
    ["monitor", service?.checks?.monitor && byState(checkText(service.checks.monitor), paint)],
    ...metadataOf(container).map(([key, value]): [string, string] => ["metadata", `${key}: ${value}`]),
  ];
  const filled = rows.flatMap(([title, text]) => (text ? [[title, text] as const] : []));
  // a property that has several lines is named once
  const titles = filled.map(([title], i) => (filled[i - 1]?.[0] === title ? "" : title));
  return filled.map(([, text], i) => `${titles[i]?.padEnd(13)}  ${text}\n`).join("");
}

function leaseText(lease: LeaseRow | null, pending: boolean): string | null {
  if (pending) return "pending: the next run gives it its address";
  if (lease === null) return null;
  const until = lease.until === null ? "" : ` until ${iso(lease.until) ?? "?"}`;
  return `${lease.address} of ${clip(lease.owner ?? "an unknown owner")}, ${leaseState(lease)}${until}`;
}

function networkText(service: Service | null, container: Container | null): string | null {
  const [instance] = service?.instances ?? [];
  const used =
    instance?.network == null ? null : `${clip(instance.network)}, ${instance.address ?? "no address now"}`;
  const others = (container?.attachments ?? [])
    .filter(({ network }) => network !== instance?.network)
    .map(({ network, address }) => `${clip(network)}${address === undefined ? "" : `, ${address}`}`);
  if (used === null) return others.join("; ");
  return others.length === 0 ? used : `${used} (also: ${others.join("; ")})`;
}

function stateText({ service, container, pending, now }: Shown, paint: Paint): string | null {
  if (service === null) return container === null ? null : clip(runWord(container.state), 40);
  const word = byState(pending ? "pending" : stateWord(service), paint);
  const ran = upText(service, now);
  const up = ran === null ? "" : `, up ${ran}`;
  const why = service.failure ?? portlessReason(service) ?? silenceOf(service);
  return `${word}${up}${why === null ? "" : `: ${clip(why, 200)}`}`;
}

/** Without the service's name. */
const forwardsOf = (service: Service | null): string[] =>
  service?.forward == null
    ? []
    : forwardLines(service.forward).map((line) =>
        line.split(" ").slice(2).join(" ").replace("(waits)", "(waits until its container is ready)"),
      );

function sleepText({ sleep, forward }: Service, settings: LifecycleSettings | null): string | null {
  if (forward === null || settings === null) return null;
  const idle =
    settings.idle === null
      ? null
      : `is ${settings.idleAction === "pause" ? "paused" : "stopped"} after ${duration(settings.idle)} without use`;
  if (sleep === null) return settings.refused ?? idle;
  const ports = settings.ports === null ? "" : ` to ${portsText(settings.ports)}`;
  const from = settings.from === null ? "" : ` from ${settings.from.join(", ")}`;
  const first = settings.with.length === 0 ? "" : `, after ${settings.with.join(", ")}`;
  return [
    idle ?? "is not stopped by OCDD",
    `a visit${ports}${from} starts it${first}; it must be ready within ${duration(settings.timeout)}`,
  ].join("; ");
}

/** Of its labels; values are one line. */
function metadataOf(container: Container | null): [string, string][] {
  if (container === null) return [];
  const { oci, meta } = labelMetadata(container.labels);
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  return [...meta, ...oci].map(([key, value]) => [clip(key), clip(text(value), 200)]);
}

/** The document of `show --json`: several where a service has several containers. */
export const showDocument = (all: readonly Shown[]): object => ({
  schemaVersion: SCHEMA_VERSION,
  services: all.map(documentOf),
});

function documentOf({
  name,
  zone,
  service,
  reason,
  container,
  lease,
  pending,
  settings,
  warnings,
}: Shown): object {
  const [instance] = service?.instances ?? [];
  const metadata = container === null ? null : labelMetadata(container.labels);
  return {
    name,
    fqdn: service?.fqdn ?? null,
    names: service?.names ?? [],
    zone,
    served: service !== null,
    reason,
    renamed: service?.renamed ?? null,
    address: service?.address ?? null,
    kind: service?.kind ?? null,
    pending,
    warnings,
    lease: lease === null ? null : leaseDocument(lease),
    state: service?.state ?? container?.state ?? null,
    health: service?.health ?? container?.health ?? null,
    failure: service?.failure ?? null,
    container: container && {
      id: container.id,
      name: container.name,
      image: container.image,
      address: instance?.address ?? null,
      network: instance?.network ?? null,
      networks: container.attachments.map(({ network, address }) => ({ network, address: address ?? null })),
    },
    project: service?.project ?? null,
    service: service?.service ?? null,
    ports: service?.ports ?? [],
    forward: service?.forward == null ? null : forwardDocument(service.forward),
    sleep: service?.sleep == null || settings === null ? null : sleepDocument(settings),
    metadata: metadata && {
      labels: Object.fromEntries(metadata.oci),
      meta: Object.fromEntries(metadata.meta),
    },
    ...service?.checks,
    ...(service?.unanswered && { unanswered: service.check }),
    ...(service?.portless && { portless: true }),
  };
}

const forwardDocument = ({
  alias,
  target,
  waits,
  map,
  ports,
  allow,
}: NonNullable<Service["forward"]>): object => ({
  alias: alias satisfies Ipv4,
  target,
  waits: waits === true,
  map,
  ports,
  allow,
});

const sleepDocument = (settings: LifecycleSettings): object => ({
  idle: settings.idle,
  action: settings.idleAction,
  with: settings.with,
  timeout: settings.timeout,
  ports: settings.ports,
  from: settings.from,
});
