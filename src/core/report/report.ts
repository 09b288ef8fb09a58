/** The run's report and the list, as text and as JSON. */

import { compareIpv4 } from "../addresses/ipv4.ts";
import { clip } from "../clip.ts";
import type { Config } from "../config/config.ts";
import type { Decision, Service } from "../model.ts";
import { isoMs } from "../moment.ts";
import { portLinks } from "../page/links.ts";
import type { Port } from "../ports.ts";
import { addressRecords } from "../zone/service-records.ts";
import type { StoppedService } from "./stopped.ts";

/** Version of every JSON document; later changes only add. */
export const SCHEMA_VERSION = 1;

/** The run's report on stdout, in the words of the bash script. */
export function runReport(config: Config, decision: Decision): string {
  const { services, hostIp } = decision;
  if (services.length === 0) return `${noServices(config, decision)}\n`;
  const found = services.map(
    (s) =>
      `${s.name} ${s.instances[0]?.address ?? (s.sleep !== null ? "(asleep)" : s.kind === "host" ? "(host)" : "(shared)")}`,
  );
  const own = addressRecords(services, config.hostName, hostIp);
  const name = (owner: string): string => (owner === "@" ? `${config.zone}.` : `${owner}.${config.zone}.`);
  // service.project repeats the line of its service
  const listed = [...own.filter((r) => !r.owner.includes(".")), ...decision.handwritten].sort((a, b) =>
    a.owner === b.owner
      ? compareIpv4(a.address, b.address)
      : a.owner === "@"
        ? -1
        : b.owner === "@"
          ? 1
          : a.owner < b.owner
            ? -1
            : 1,
  );
  return `Found containers with following (docker-private) IP addresses:

${found.join("\n")}

CONTAINER_COUNT on this docker host is ${services.length} .

Generating iptables rules and DNS entries for each container...

-------------------------------------------------------------------------------------

Here is how various hostnames and their IPs look like (in DNS) ${config.zone} :

${listed.map((r) => `${name(r.owner)}\t${config.ttl}\tIN\tA\t${r.address}`).join("\n")}
`;
}

/** Why there is no service: no container at all (the bash script's words), or all skipped. */
export function noServices(
  { expose }: Pick<Config, "expose">,
  { skipped }: Pick<Decision, "skipped">,
): string {
  if (skipped.length > 0)
    return `No containers are served: ${skipped.length} found, all skipped (see ocdd status)`;
  return expose === "labelled" ? "No containers with ocdd.enable=true found!" : "No containers found!";
}

/** Whether containers that ask to be served are not: the range is full, or a label of theirs cannot be read (status 3). */
export function isPartial({ unserved, skipped }: Pick<Decision, "unserved" | "skipped">): boolean {
  return unserved > 0 || skipped.some(({ code }) => code === "label");
}

/** `8080/tcp 50000/tcp`. */
export function portsText(ports: readonly Port[]): string {
  return ports.map((port) => `${port.port}/${port.protocol}`).join(" ");
}

/** The ports at its address, as the page shows them: `8080->80/tcp` where ocdd.map leads one to another port of the container. */
export const offeredText = (service: Pick<Service, "fqdn" | "forward" | "ports">): string =>
  portLinks(service)
    .map(({ protocol, port, to }) => `${to === null ? port : `${port}->${to}`}/${protocol}`)
    .join(" ");

/** State in a word or two: the health where a check is defined. */
export function stateWord({ state, health, unanswered, portless }: Service): string {
  if (portless === true) return "no packets";
  return unanswered === true ? "no answer" : clip(health === "none" ? state : health, 40);
}

/** The same; a service whose address has not been given yet is pending. */
export const shownState = (service: Service, pending: ReadonlySet<string>): string =>
  pending.has(service.address) ? "pending" : stateWord(service);

/** The document of `list --json`; with `stopped` that of `list --all --json`. */
export function listDocument(
  config: Config,
  decision: Decision,
  stopped?: readonly StoppedService[],
): object {
  return {
    schemaVersion: SCHEMA_VERSION,
    zone: config.zone,
    host: decision.hostIp,
    services: decision.services.map((s) => ({
      name: s.name,
      names: s.names,
      fqdn: s.fqdn,
      address: s.address,
      kind: s.kind,
      state: s.state,
      health: s.health,
      container: s.instances[0] ?? null,
      project: s.project,
      service: s.service,
      ports: s.ports,
      ...(s.renamed === null ? {} : { renamed: s.renamed }),
      ...s.checks,
      ...(s.unanswered && { unanswered: s.check }),
      ...(s.portless && { portless: true }),
    })),
    ...(stopped === undefined
      ? {}
      : {
          stopped: stopped.map((one) => ({
            ...one,
            state: "stopped",
            until: isoMs(one.until * 1000),
          })),
        }),
    skipped: decision.skipped,
    conflicts: decision.desired.table.conflicts.map((c) => c.address),
  };
}

/** The document of `apply --json` and `plan --json`. */
export function runDocument(config: Config, decision: Decision, changes: readonly string[]): object {
  return { ...listDocument(config, decision), changes, warnings: decision.warnings };
}
