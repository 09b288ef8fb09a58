/** The commands that show one service, and the leases. */
import { type Ipv4, parseIpv4 } from "../core/addresses/ipv4.ts";
import { clip } from "../core/clip.ts";
import type { Config } from "../core/config/config.ts";
import { HostError } from "../core/errors.ts";
import { containersWithId, findNamed, labelIn } from "../core/lifecycle/named.ts";
import { lifecycleOfContainer } from "../core/lifecycle/sleep.ts";
import type { Container, Decision } from "../core/model.ts";
import { type LeaseRow, leaseRows, leasesDocument, leasesText } from "../core/report/leases.ts";
import type { Paint } from "../core/report/paint.ts";
import { type Shown, showDocument, showText } from "../core/report/show.ts";
import { whyNotServed } from "../core/services/unserved.ts";
import { someOf } from "../core/text.ts";
import { type Host, openHost } from "../host/host.ts";
import type { Answer } from "./commands.ts";
import { containersOf, type Look, lookAtServices } from "./select.ts";
import { toldSetUp } from "./set-up.ts";

interface Form {
  readonly json: boolean;
  readonly paint: Paint;
}

const seconds = (): number => Math.floor(Date.now() / 1000);
const answer = (document: object, text: string, json: boolean): Answer => ({
  out: json ? `${JSON.stringify(document, null, 2)}\n` : text,
  warnings: [],
  status: 0,
});

/** Needs Docker's socket, not root. Throws HostError, also for a name that nothing has. */
export async function runShow(
  config: Config,
  name: string,
  { json, paint }: Form,
  host: Pick<Host, "observe"> = openHost(config),
): Promise<Answer> {
  const look = await lookAtServices(config, host);
  return toldSetUp(config, look.seen, () => {
    const all = shownOf(config, name, look, seconds());
    return answer(showDocument(all), all.map((one) => showText(one, paint)).join("\n"), json);
  });
}

/** The leases as the last run has left them: Docker is not asked. Throws HostError, also where their file cannot be read. */
export async function runLeases(
  config: Config,
  { json, paint }: Form,
  host: Pick<Host, "observe"> = openHost(config),
): Promise<Answer> {
  const seen = await host.observe({ without: ["docker", "firewall"] });
  if (!seen.leasesIntact)
    throw new HostError("storage", seen.notices.join("; "), { remedy: "`ocdd` writes them anew" });
  const rows = leaseRows(seen.actual, config.addressHold, seconds());
  const text = rows.length === 0 ? "No leases\n" : leasesText(rows, paint);
  return toldSetUp(config, seen, () => ({
    ...answer(leasesDocument(rows), text, json),
    warnings: seen.notices,
  }));
}

/**
 * What a name, an address or the begin of a container's id means: containers, or a lease whose container has been removed. `now` is in
 * seconds since the epoch. Throws HostError "refused" where it means nothing, or is the begin of several ids.
 */
export function shownOf(config: Config, name: string, look: Look, now: number): Shown[] {
  const { decision, seen } = look;
  const rows = leaseRows({ ...seen.actual, table: decision.desired.table }, config.addressHold, now);
  const address = parseIpv4(name);
  const found = findNamed(name, config.zone, decision, seen);
  const containers =
    address === undefined ? ("containers" in found ? found.containers : []) : containersAt(address, look);
  if (containers.length > 0) return containers.map((one) => shown(one, config, look, rows, now));
  const label = labelIn(config.zone, name);
  const lease = rows.find(
    (row) => row.owner !== null && (row.address === address || row.names.includes(label)),
  );
  if (lease !== undefined) return [withoutContainer(lease, config.zone, now)];
  const [byId, ...others] = containersWithId(name, seen);
  if (byId !== undefined && others.length === 0) return [shown(byId, config, look, rows, now)];
  if (byId !== undefined) throw severalIds(name, [byId, ...others]);
  if (address === undefined) containersOf(name, config, look);
  throw new HostError("refused", `no service and no container has the address ${clip(name)}`, {
    remedy: "ocdd leases",
  });
}

/** Containers named in one line. */
const NAMED = 5;

const severalIds = (begin: string, containers: readonly Container[]): HostError =>
  new HostError(
    "refused",
    `${begin} begins the ids of several containers: ${someOf(
      containers.map(({ name, id }) => `${clip(name)} (${id.slice(0, 12)})`),
      NAMED,
    )}`,
    { remedy: "give more digits of the id" },
  );

/** Those of the services that have it, else those with this address of their own, else the one that had it last. */
function containersAt(address: Ipv4, { decision, seen }: Look): readonly Container[] {
  const all = [...seen.containers, ...(seen.stopped ?? [])];
  const ids = new Set(
    decision.services
      .filter((one) => one.address === address)
      .flatMap(({ instances }) => instances.map(({ id }) => id)),
  );
  const leased = decision.desired.table.leases.find((one) => one.address === address)?.container;
  return (
    [
      all.filter(({ id }) => ids.has(id)),
      all.filter(({ attachments }) => attachments.some((one) => one.address === address)),
      all.filter(({ id }) => id === leased),
    ].find((some) => some.length > 0) ?? []
  );
}

function shown(
  container: Container,
  config: Config,
  look: Look,
  rows: readonly LeaseRow[],
  now: number,
): Shown {
  const { decision, seen } = look;
  const service =
    decision.services.find(({ instances }) => instances.some(({ id }) => id === container.id)) ?? null;
  const key = decision.desired.table.leases.find((one) => one.container === container.id)?.key;
  const lease = rows.find(({ owner }) => owner !== null && owner === (service?.key ?? key)) ?? null;
  return {
    name: service?.name ?? container.name,
    zone: config.zone,
    now,
    service,
    reason: whyNotServed(container, config, decision, seen),
    container,
    lease,
    pending: lease !== null && decision.fresh.includes(lease.address),
    warnings: warningsOf(container, decision),
    settings: lifecycleOfContainer(container, config),
  };
}

/** Without the container's name, and without why it is not served. */
function warningsOf({ name }: Container, { warnings }: Decision): string[] {
  const begin = `container "${clip(name)}"`;
  return warnings
    .filter((text) => text.startsWith(begin) && !text.startsWith(`${begin} is not served`))
    .map((text) => text.slice(begin.length).replace(/^:? /, ""));
}

const withoutContainer = (lease: LeaseRow, zone: string, now: number): Shown => ({
  name: lease.names[0] ?? lease.address,
  zone,
  now,
  service: null,
  reason: "its container has been removed",
  container: null,
  lease,
  pending: false,
  warnings: [],
  settings: null,
});
