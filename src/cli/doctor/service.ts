/** Checks of one service end to end: name, alias, rule and the program in its container. */
import { createConnection } from "node:net";
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { silenceOf } from "../../core/lifecycle/port-check.ts";
import type { Decision, Service } from "../../core/model.ts";
import { PORTLESS_REMEDY, portlessReason } from "../../core/services/portless.ts";
import type { SkipCode } from "../../core/services/skipped.ts";
import { bad, type Finding, good, none } from "./finding.ts";
import { ANSWER_TIMEOUT_MS, asking, codeOf } from "./served.ts";

/** Ends the subject of the check of a service's name. */
export const NAME = ", name";

/** What helps a container that is not served. */
const REMEDIES: Readonly<Record<SkipCode, string>> = {
  label: "correct its labels and create the container again",
  "no-network":
    "docker network disconnect none CONTAINER, then docker network connect NETWORK CONTAINER; or label it ocdd.enable=false",
  "internal-network": "docker network connect NETWORK CONTAINER, with one that is not internal",
  "foreign-driver": "connect it to a bridge network",
  "no-address": "see `docker ps`: it gets its address when it has started",
  "host-address": "connect it with another address",
  "shares-unserved": "see why the container whose network it uses is not served",
  "range-full": "ask IT for a larger range, or hide containers with ocdd.enable=false",
};

/** One service end to end: name, alias, rule and the program in its container. */
export async function oneService(config: Config, decision: Decision, name: string): Promise<Finding[]> {
  const wanted = name.toLowerCase().replace(new RegExp(`\\.?${config.zone.replaceAll(".", "\\.")}\\.?$`), "");
  const services = decision.services.filter(
    (s) => s.names.includes(wanted) || s.instances.some((one) => one.name === name),
  );
  if (services.length === 0) {
    const skipped = decision.skipped.find((s) => s.container === name);
    const [why, remedy] =
      skipped === undefined
        ? ["no running container has that name", "see `ocdd list` for the names there are"]
        : [skipped.reason, REMEDIES[skipped.code]];
    return [bad(`service ${clip(name)}`, `is not served: ${why}`, remedy)];
  }
  const findings = await Promise.all(
    services.map((service) => checkService(config, decision.hostIp, service)),
  );
  return findings.flat();
}

/** The container's port that a TCP port of the alias is led to by ocdd.map, where it is another one. */
const mapped = ({ forward }: Service, port: number): number | undefined =>
  forward?.map.find((one) => one.protocol === "tcp" && one.port === port && one.to !== port)?.to;

async function checkService(config: Config, host: string, service: Service): Promise<Finding[]> {
  const subject = `service ${service.name}`;
  const { address } = service;
  const [instance] = service.instances;
  const answer = await asking(`${host}:${config.dnsPort}`)
    .resolve4(service.fqdn)
    .catch((error: unknown) => codeOf(error));
  const findings: Finding[] = [
    answer.includes(address)
      ? good(`${subject}${NAME}`, `${service.fqdn} is ${address}`)
      : bad(
          `${subject}${NAME}`,
          `${service.fqdn} is ${String(answer)}, not ${address}`,
          "run `ocdd`, and check that `ocdd serve` runs",
        ),
  ];
  const portless = portlessFinding(service);
  // a connection to its own address says nothing about clients
  if (portless.length > 0) return [...findings, ...portless];
  // a connection would be a visit, and start it
  if (service.forward?.waits === true) return [...findings, waitingFinding(service)];
  const ports = service.ports.filter((port) => port.protocol === "tcp");
  if (ports.length === 0) findings.push(none(`${subject}, ports`, "it exposes no TCP port to try"));
  const knocks = await Promise.all(
    ports.map(async ({ port }) => {
      const inside = instance?.address ?? null;
      const [direct, alias] = await Promise.all([
        inside === null ? "open" : knock(inside, port),
        knock(address, port),
      ]);
      return { port, inside, direct, alias };
    }),
  );
  // an image may declare ports that its program does not open: it is a fault only when it opens none
  const someOpen = knocks.some(({ direct }) => direct === "open");
  findings.push(...answerFinding(service, someOpen));
  findings.push(...knocks.map((one) => portFinding(service, one, someOpen)));
  return findings;
}

/** What became of two connections to a port: `open`, or why not. */
interface Knocks {
  readonly port: number;
  /** The container's own address; null where it has none. */
  readonly inside: string | null;
  /** To the container's own address, and to the alias. */
  readonly direct: string;
  readonly alias: string;
}

/** `someOpen`: the container accepts connections on one port at least. */
export function portFinding(
  service: Service,
  { port, inside, direct, alias }: Knocks,
  someOpen: boolean,
): Finding {
  const { name, address, instances } = service;
  const here = `service ${name}, port ${port}`;
  const silent = `no program listens in the container: ${inside}:${port}: ${REFUSED.get(direct) ?? direct}`;
  if (direct !== "open" && someOpen) return none(here, silent);
  if (direct !== "open")
    return bad(here, silent, `see the program's log: docker logs ${clip(instances[0]?.name ?? name)}`);
  if (alias === "open") return good(here, `${address}:${port} is forwarded to ${inside ?? "the host"}`);
  const why = REFUSED.get(alias) ?? alias;
  const to = mapped(service, port);
  return to === undefined
    ? bad(
        here,
        `${address}:${port}: ${why}, but the container listens`,
        "run `ocdd`; see also the labels ocdd.ports and ocdd.allow",
      )
    : bad(
        here,
        `ocdd.map leads it to port ${to} of the container, which does not accept the connection (${why})`,
        "correct the label ocdd.map, or the port of the program",
      );
}

/** Of a service that the guard lets nothing through to; empty for all others. */
export function portlessFinding(service: Service): Finding[] {
  const reason = portlessReason(service);
  return reason === null
    ? []
    : [bad(`service ${service.name}`, `it gets no packets: ${reason}`, PORTLESS_REMEDY)];
}

/** Of a service that `watch` has found not to answer; `open`: it accepts a connection now. */
export function answerFinding(service: Service, open: boolean): Finding[] {
  const silence = silenceOf(service);
  if (silence === null) return [];
  const { name, instances } = service;
  const shown = `it is shown as "no answer": ${silence}`;
  return [
    open
      ? none(
          `service ${name}`,
          `${shown} when \`ocdd watch\` tried last; it tries again within a minute or SYNC_INTERVAL`,
        )
      : bad(
          `service ${name}`,
          shown,
          `see the program's log: docker logs ${clip(instances[0]?.name ?? name)}; if it is to have no such port: the label ocdd.check=off`,
        ),
  ];
}

/** Of a service whose alias leads to no container now. */
export function waitingFinding({ name, state, failure, instances: [instance] }: Service): Finding {
  const subject = `service ${name}`;
  if (failure !== undefined)
    return bad(
      subject,
      `it could not be started: ${clip(failure, 200)}; a later visit tries again`,
      `docker logs ${clip(instance?.name ?? name)}; ocdd wake ${name}`,
    );
  if (state === "asleep") return good(subject, "it is asleep; a visit starts it");
  return good(subject, "it is being started; visitors wait until it is ready");
}

/** What a failed connection means, by its error code. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "connection refused"],
  ["ETIMEDOUT", "no answer"],
  ["EHOSTUNREACH", "host unreachable"],
  ["ENETUNREACH", "network unreachable"],
]);

/** `open`, or why there is no connection. */
function knock(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: ANSWER_TIMEOUT_MS });
    const end = (text: string): void => {
      socket.destroy();
      resolve(text);
    };
    socket.on("connect", () => end("open"));
    socket.on("timeout", () => end("ETIMEDOUT"));
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
