/** Checks each component between a client and a container: OK, or what is wrong and the remedy. */
import { readFile } from "node:fs/promises";
import { parseCidr, subtract } from "../../core/addresses/ipv4.ts";
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { decide } from "../../core/decide.ts";
import { ConfigError, HostError } from "../../core/errors.ts";
import type { Part } from "../../core/forwards/forward.ts";
import type { Decision, Observation } from "../../core/model.ts";
import { plan, type Step } from "../../core/plan.ts";
import { UNGUARDED } from "../../core/report/status-rows.ts";
import { describe } from "../../core/report/steps.ts";
import { connectDocker } from "../../host/docker/client.ts";
import { openHost } from "../../host/host.ts";
import { requirePrivilege } from "../../host/install/privilege.ts";
import { programsOf, requirePrograms, type Writes } from "../../host/install/programs.ts";
import { delegation, forwarders, nameServer } from "./answers.ts";
import { dockerFirewall, readAcceptedMarks } from "./docker-firewall.ts";
import { udpEngine } from "./engine.ts";
import { bad, type Finding, good, none } from "./finding.ts";
import { firewalld, hostFirewall } from "./host-firewall.ts";
import { octoCopDD } from "./octocopdd.ts";
import { namesOfHost, pageNames, webServer } from "./page.ts";
import { NAME, oneService } from "./service.ts";
import { kernelQueues, sleepFinding } from "./sleep.ts";
import { watchFinding } from "./watch.ts";

/** Checks every component, and with a name that service end to end. Changes nothing. */
export async function diagnose(config: Config, name: string | undefined): Promise<Finding[]> {
  const docker = await dockerFindings(config);
  const programs = programsOf(config.firewall === "iptables" ? "iptables" : docker.filters);
  const findings: Finding[] = [
    await attempt("prerequisites", async () => {
      await requirePrograms(programs);
      return `${programs.join(", ")} are installed`;
    }),
    await attempt("privilege", async () => {
      await requirePrivilege();
      return "CAP_NET_ADMIN and CAP_NET_RAW are present";
    }),
    ...docker.findings,
    docker.filters === null
      ? none("forwarding", "not checked: Docker sets net.ipv4.ip_forward when it starts")
      : await forwarding(),
    await firewalld(),
  ];
  if (findings.some(({ ok }) => ok === false)) {
    return [...findings, none("other checks", "skipped: fix the above first")];
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
  findings.push(
    ...drift(config, seen, decision),
    await watchFinding(config, now),
    ...octoCopDD(config, seen),
    ...(await hostFirewall(config, decision.hostIp)),
    await sleepFinding(config, seen, decision, kernelQueues(), docker.filters),
  );
  const [names, engine, page, others, delegated, upstream] = await Promise.all([
    nameServer(config, decision.hostIp),
    udpEngine(config),
    webServer(config, decision.hostIp),
    namesOfHost(decision.hostIp).then((found) => pageNames(config, decision.hostIp, found)),
    delegation(config, decision.hostIp),
    forwarders(config, decision.hostIp),
  ]);
  const asked = names.ok === true;
  findings.push(names, engine, page, ...others, afterNameServer(delegated, asked), ...upstream);
  if (name !== undefined) {
    const service = await oneService(config, decision, name);
    findings.push(...service.map((one) => (one.subject.endsWith(NAME) ? afterNameServer(one, asked) : one)));
  }
  return findings;
}

/** What fails because the name server does not serve the zone says nothing about delegation or service. */
export function afterNameServer(finding: Finding, serves: boolean): Finding {
  return serves || finding.ok !== false
    ? finding
    : none(finding.subject, "not checked: the name server does not serve the zone");
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

/** The state of Docker; `filters`: its firewall backend, null where it does not answer. */
interface DockerFindings {
  readonly findings: readonly Finding[];
  readonly filters: Writes | null;
}

async function dockerFindings(config: Config): Promise<DockerFindings> {
  let about: ReadonlyMap<string, unknown>;
  try {
    about = await connectDocker({ socket: config.dockerSocket, ...config.api }).about();
  } catch (error) {
    return { findings: [failed("Docker", error)], filters: null };
  }
  const version = String(about.get("ServerVersion") ?? about.get("Version") ?? "unknown");
  const backend = about.get("FirewallBackend") as { Driver?: unknown } | undefined;
  const driver = typeof backend?.Driver === "string" ? backend.Driver : "iptables";
  const engine = dockerEngine(
    `engine ${clip(version)} at ${config.dockerSocket}`,
    about.get("SecurityOptions"),
  );
  const filters = driver.startsWith("nftables") ? "nft" : "iptables";
  try {
    const marks = filters === "nft" ? await readAcceptedMarks() : [];
    return { findings: [engine, dockerFirewall(config, driver, marks)], filters };
  } catch (error) {
    return { findings: [engine, failed("Docker's firewall", error)], filters };
  }
}

/** Containers of a rootless engine are in a network namespace of its own, where no rule of the host leads. */
export function dockerEngine(message: string, options: unknown): Finding {
  const rootless = Array.isArray(options) && options.some((one) => /^name=rootless\b/.test(String(one)));
  return rootless
    ? bad("Docker", `${message} is rootless: the host has no way to its containers`, "use Docker as root")
    : good("Docker", message);
}

async function forwarding(): Promise<Finding> {
  const value = await readFile("/proc/sys/net/ipv4/ip_forward", "utf8").catch(() => "?");
  return value.trim() === "1"
    ? good("forwarding", "net.ipv4.ip_forward is 1")
    : bad(
        "forwarding",
        `net.ipv4.ip_forward is ${value.trim()}: no packet reaches a container`,
        "sysctl -w net.ipv4.ip_forward=1; set it in /etc/sysctl.d to survive a reboot",
      );
}

/** What a run would repair, by component. */
export function drift(config: Config, seen: Observation, decision: Decision): Finding[] {
  const { steps } = plan(seen.actual, decision.desired, seen.leasesStale);
  const link = (subject: string, concerns: (step: Step) => boolean, fine: string): Finding => {
    const lines = steps.filter(concerns).flatMap(describe);
    const more = lines.length > NAMED ? "; ..." : "";
    return lines.length === 0
      ? good(subject, fine)
      : bad(subject, `${lines.length} to repair: ${lines.slice(0, NAMED).join("; ")}${more}`, "run `ocdd`");
  };
  const frame =
    (...parts: readonly Part[]) =>
    (step: Step): boolean =>
      step.kind === "frame" && parts.includes(step.part);
  const kinds =
    (...wanted: readonly Step["kind"][]) =>
    (step: Step): boolean =>
      wanted.includes(step.kind);
  const redirection = (step: Step): boolean =>
    kinds("rule", "hairpin")(step) || frame("redirect", "hairpin")(step);
  const served = decision.services.filter((s) => s.forward !== null).length;
  const { desired } = decision;
  return [
    link("leases", kinds("lease", "conflict", "leases"), `${served} in use`),
    range(config, seen, decision),
    link(
      "forward accept",
      frame("accept"),
      "packets to services are let through (FORWARD), after the operator's own rules",
    ),
    obstacles(seen),
    link(
      "unused ports",
      frame("refusal"),
      "what a service does not offer is refused, and no program of the host answers in its place (INPUT)",
    ),
    link("rules", redirection, "the address of each service leads to its container"),
    guard(
      seen,
      link(
        "guard",
        (step) => step.kind === "guard" || frame("guard")(step),
        "packets to a service reach its own container, or none",
      ),
    ),
    link("aliases", kinds("address"), `${desired.aliases.length} on ${config.device}`),
    link("zone file", kinds("record", "zone"), config.zoneFile),
    link("index page", kinds("page", "self"), config.indexFile),
  ];
}

/** Whether addresses are left, and whether clients reach them without a route. */
export function range(config: Config, seen: Observation, { unserved, range: use }: Decision): Finding {
  if (unserved > 0)
    return bad(
      "range",
      `full: ${unserved} containers are not served`,
      "ask IT for a larger range, or hide containers with ocdd.enable=false",
    );
  const networks = seen.addresses.flatMap(({ device, address, prefix }) =>
    device === config.device && prefix < 32 ? (parseCidr(`${address}/${prefix}`) ?? []) : [],
  );
  const outside = subtract(config.pool, networks)[0];
  const note =
    outside === undefined
      ? ""
      : `; ${outside.first}-${outside.last} is in no network of ${config.device}: clients need a route to it`;
  return good("range", `${use.free} of ${use.size} free${note}`);
}

/** Changes named in one line. */
const NAMED = 5;

/** The operator's own rules that refuse traffic to the aliases: they take precedence, and are reported. */
function obstacles({ firewall }: Observation): Finding {
  const [first] = firewall.obstacles;
  if (first === undefined) return good("operator's firewall", "does not drop traffic to the aliases");
  const more = firewall.obstacles.length > 1 ? ` (and ${firewall.obstacles.length - 1} more)` : "";
  return bad(
    "operator's firewall",
    `${clip(first, 120)}${more} comes before OCDD's accept`,
    "change that rule if the aliases are to be reached",
  );
}

function guard({ firewall }: Observation, drift: Finding): Finding {
  if (firewall.unguarded === null) return drift;
  return bad("guard", `not guarded: ${clip(firewall.unguarded, 120)}`, UNGUARDED);
}
