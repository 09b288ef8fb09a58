/** Each link of the chain from a client's question to a container's answer: OK, or what is wrong and the remedy. */
import { Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { createConnection } from "node:net";
import type { Config } from "./core/config.ts";
import { decide } from "./core/decide.ts";
import { ConfigError, HostError } from "./core/errors.ts";
import { clip } from "./core/labels.ts";
import type { Decision, Observation, Service } from "./core/model.ts";
import { plan } from "./core/plan.ts";
import { connectDocker } from "./host/docker.ts";
import { openHost } from "./host/host.ts";
import { requirePrivilege } from "./host/privilege.ts";
import { PROGRAMS, requirePrograms } from "./host/programs.ts";

export interface Finding {
  /** Null when it is neither: nothing there to check. */
  readonly ok: boolean | null;
  readonly subject: string;
  readonly message: string;
  readonly remedy: string | null;
}

const good = (subject: string, message: string): Finding => ({ ok: true, subject, message, remedy: null });
const bad = (subject: string, message: string, remedy: string): Finding => ({
  ok: false,
  subject,
  message,
  remedy,
});
const none = (subject: string, message: string): Finding => ({ ok: null, subject, message, remedy: null });

/** Milliseconds that a service or server has to answer. */
const PATIENCE = 2_000;

/** Checks every link, and with a name that service end to end. Changes nothing. */
export async function diagnose(config: Config, name: string | undefined): Promise<Finding[]> {
  const findings: Finding[] = [
    await attempt("prerequisites", async () => {
      await requirePrograms(PROGRAMS);
      return `${PROGRAMS.join(", ")} are installed`;
    }),
    await attempt("privilege", async () => {
      await requirePrivilege();
      return "CAP_NET_ADMIN and CAP_NET_RAW are there";
    }),
    ...(await dockerFindings(config)),
    await forwarding(),
    await firewalld(),
  ];
  if (findings.some(({ ok }) => ok === false)) {
    return [...findings, none("the rest", "not looked at until the above is mended")];
  }
  const now = Math.floor(Date.now() / 1000);
  let seen: Observation;
  let decision: Decision;
  try {
    seen = await openHost(config).observe();
    decision = decide(config, seen, now);
  } catch (error) {
    return [...findings, failed("configuration", error)];
  }
  findings.push(...drift(config, seen, decision));
  const [names, page, delegated] = await Promise.all([
    nameServer(config, decision.hostIp),
    webServer(config, decision.hostIp),
    delegation(config, decision.hostIp),
  ]);
  findings.push(names, page, delegated);
  if (name !== undefined) findings.push(...(await oneService(config, decision, name)));
  return findings;
}

async function attempt(subject: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return good(subject, await look());
  } catch (error) {
    return failed(subject, error);
  }
}

function failed(subject: string, error: unknown): Finding {
  if (error instanceof HostError) return bad(subject, error.message, error.remedy ?? "see --debug");
  if (error instanceof ConfigError) return bad(subject, error.message, "edit the configuration file");
  throw error;
}

async function dockerFindings(config: Config): Promise<Finding[]> {
  let about: ReadonlyMap<string, unknown>;
  try {
    about = await connectDocker({ socket: config.dockerSocket, ...config.api }).about();
  } catch (error) {
    return [failed("Docker", error)];
  }
  const version = String(about.get("ServerVersion") ?? about.get("Version") ?? "unknown");
  const backend = about.get("FirewallBackend") as { Driver?: unknown } | undefined;
  const driver = typeof backend?.Driver === "string" ? backend.Driver : "iptables";
  const findings = [good("Docker", `engine ${clip(version)} at ${config.dockerSocket}`)];
  if (driver.startsWith("nftables")) {
    const line = '"firewall-backend": "iptables"';
    findings.push(
      bad(
        "Docker's firewall",
        `its backend is ${clip(driver)}, where an accept of ours is not final`,
        `set ${line} in /etc/docker/daemon.json and restart Docker`,
      ),
    );
  } else findings.push(good("Docker's firewall", `backend ${clip(driver)}`));
  return findings;
}

async function forwarding(): Promise<Finding> {
  const value = await readFile("/proc/sys/net/ipv4/ip_forward", "utf8").catch(() => "?");
  return value.trim() === "1"
    ? good("forwarding", "net.ipv4.ip_forward is 1")
    : bad(
        "forwarding",
        `net.ipv4.ip_forward is ${value.trim()}: nothing reaches a container`,
        "sysctl -w net.ipv4.ip_forward=1, and let Docker set it at its start",
      );
}

/** firewalld with StrictForwardPorts=yes rejects what it has not forwarded itself. */
async function firewalld(): Promise<Finding> {
  const text = await readFile("/etc/firewalld/firewalld.conf", "utf8").catch(() => "");
  return /^\s*StrictForwardPorts\s*=\s*(yes|true)/im.test(text)
    ? bad(
        "firewalld",
        "StrictForwardPorts=yes rejects every alias",
        "set StrictForwardPorts=no in /etc/firewalld/firewalld.conf and reload firewalld",
      )
    : good("firewalld", "does not stand in the way");
}

/** What a run would mend, link by link. */
function drift(config: Config, seen: Observation, decision: Decision): Finding[] {
  const { changes } = plan(seen.actual, decision.desired, config.zone);
  const link = (subject: string, pattern: RegExp, fine: string): Finding => {
    const lines = changes.filter((line) => pattern.test(line));
    return lines.length === 0
      ? good(subject, fine)
      : bad(
          subject,
          `${lines.length} to mend: ${lines.slice(0, 5).join("; ")}${lines.length > 5 ? "; ..." : ""}`,
          "run `ocdd`",
        );
  };
  const accept = seen.dockerUser ? "DOCKER-USER" : "FORWARD";
  const full = decision.unserved > 0;
  return [
    link(
      "leases",
      /^. (lease|conflict) /,
      `${decision.services.filter((s) => s.forward !== null).length} in use`,
    ),
    full
      ? bad(
          "range",
          `full: ${decision.unserved} containers are not served`,
          "ask IT for a larger range, or hide containers with ocdd.enable=false",
        )
      : good("range", "has addresses left or nobody needs one"),
    link(
      `forward accept (${accept})`,
      /filter\/(OCDD-FORWARD|DOCKER-USER|FORWARD)/,
      "in force before Docker's own rules",
    ),
    link("reject in INPUT", /filter\/(OCDD-INPUT|INPUT)/, "in force"),
    link("rules", /^. rule |nat\/|hairpin/, "in force before Docker's own"),
    link("aliases", /^. address/, `${decision.desired.aliases.length} on ${config.device}`),
    link("zone file", /^(. record|~ zone)/, config.zoneFile),
    link("index page", /^~ index/, config.indexFile),
  ];
}

async function nameServer(config: Config, host: string): Promise<Finding> {
  const subject = "name server";
  const address = config.dnsListen.map((listen) => (listen === "HOST_IP" ? host : listen))[0] ?? host;
  try {
    const soa = await asking(`${address}:${config.dnsPort}`).resolveSoa(config.zone);
    return good(
      subject,
      `${address} port ${config.dnsPort} answers for ${config.zone}, serial ${soa.serial}`,
    );
  } catch (error) {
    return bad(
      subject,
      `${address} port ${config.dnsPort} does not answer for ${config.zone} (${codeOf(error)})`,
      "start `ocdd serve`; when it runs, its log says who holds the port",
    );
  }
}

async function delegation(config: Config, host: string): Promise<Finding> {
  const parent = config.zone.split(".").slice(1).join(".");
  const apex = `${config.hostName}.${config.zone}`;
  const remedy = `ask IT to enter, in their zone ${parent}:  ${config.zone}. IN NS ${apex}.   and   ${apex}. IN A ${host}`;
  try {
    const [soa, addresses] = await Promise.all([asking().resolveSoa(config.zone), asking().resolve4(apex)]);
    if (soa.nsname.toLowerCase() === apex && addresses.includes(host)) {
      return good("delegation", `this host's resolver finds ${config.zone} at ${host}`);
    }
    return bad(
      "delegation",
      `${config.zone} is delegated to ${clip(soa.nsname)} (${addresses.join(", ")}), not to ${host}`,
      remedy,
    );
  } catch (error) {
    return bad("delegation", `this host's resolver finds no ${config.zone} (${codeOf(error)})`, remedy);
  }
}

function asking(server?: string): Resolver {
  const resolver = new Resolver({ timeout: PATIENCE, tries: 2 });
  if (server !== undefined) resolver.setServers([server]);
  return resolver;
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? "no reason given";
}

async function webServer(config: Config, host: string): Promise<Finding> {
  if (!config.webEnabled) return none("web server", "WEB_ENABLED is 0");
  const address = config.webListen.map((listen) => (listen === "HOST_IP" ? host : listen))[0] ?? host;
  const where = `http://${address}:${config.webPort}/`;
  const status = await new Promise<number | string>((resolve) => {
    const headers = { host: config.zone };
    const call = request(
      { host: address, port: config.webPort, path: "/", headers, timeout: PATIENCE },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    call.on("timeout", () => call.destroy(new Error("ETIMEDOUT")));
    call.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    call.end();
  });
  return status === 200
    ? good("web server", `${where} answers`)
    : bad(
        "web server",
        `${where} does not send the index page (${status})`,
        "start `ocdd serve`; when it runs, its log says who holds the port",
      );
}

async function oneService(config: Config, decision: Decision, name: string): Promise<Finding[]> {
  const wanted = name.toLowerCase().replace(new RegExp(`\\.?${config.zone.replaceAll(".", "\\.")}\\.?$`), "");
  const services = decision.services.filter((s) => s.names.includes(wanted) || s.container.name === name);
  if (services.length === 0) {
    const skipped = decision.skipped.find((s) => s.container === name);
    const why = skipped === undefined ? "no running container has that name" : skipped.reason;
    return [bad(`service ${clip(name)}`, `is not served: ${why}`, "see `ocdd list` for the names there are")];
  }
  const findings = await Promise.all(
    services.map((service) => checkService(config, decision.hostIp, service)),
  );
  return findings.flat();
}

async function checkService(config: Config, host: string, service: Service): Promise<Finding[]> {
  const subject = `service ${service.name}`;
  const { address } = service;
  const answer = await asking(`${host}:${config.dnsPort}`)
    .resolve4(service.fqdn)
    .catch((error: unknown) => codeOf(error));
  const findings: Finding[] = [
    answer.includes(address)
      ? good(`${subject}, name`, `${service.fqdn} is ${address}`)
      : bad(
          `${subject}, name`,
          `${service.fqdn} is ${String(answer)}, not ${address}`,
          "run `ocdd`, and see that `ocdd serve` runs",
        ),
  ];
  const ports = service.ports.filter((port) => port.protocol === "tcp");
  if (ports.length === 0)
    findings.push(none(`${subject}, ports`, "it exposes no TCP port that could be tried"));
  const knocks = await Promise.all(
    ports.map(async ({ port }) => {
      const inside = service.container.address;
      const [direct, alias] = await Promise.all([
        inside === null ? "open" : knock(inside, port),
        knock(address, port),
      ]);
      return { port, inside, direct, alias };
    }),
  );
  // an image may declare ports that its program does not open: only when it opens none is that a fault
  const someOpen = knocks.some(({ direct }) => direct === "open");
  for (const { port, inside, direct, alias } of knocks) {
    const here = `${subject}, port ${port}`;
    const silent = `nothing listens in the container: ${inside}:${port} says ${direct}`;
    if (direct !== "open" && someOpen) findings.push(none(here, silent));
    else if (direct !== "open")
      findings.push(bad(here, silent, `look at the program: docker logs ${clip(service.container.name)}`));
    else if (alias === "open")
      findings.push(good(here, `${address}:${port} leads to ${inside ?? "the host"}`));
    else
      findings.push(
        bad(
          here,
          `${address}:${port} says ${alias} though the container listens`,
          "run `ocdd`; see also the labels ocdd.ports and ocdd.allow",
        ),
      );
  }
  return findings;
}

/** `open`, or why there is no connection. */
function knock(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: PATIENCE });
    const end = (text: string): void => {
      socket.destroy();
      resolve(text);
    };
    socket.on("connect", () => end("open"));
    socket.on("timeout", () => end("ETIMEDOUT"));
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
