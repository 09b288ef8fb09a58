/** Checks each component between a client and a container: OK, or what is wrong and the remedy. */
import { readFile } from "node:fs/promises";
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { checkAgainstHost, GRANTED, rangeNotes, unusableRange } from "../../core/config/host-check.ts";
import { decide } from "../../core/decide.ts";
import { HostError } from "../../core/errors.ts";
import type { Decision, Observation } from "../../core/model.ts";
import { NO_UNITS, WRITE_UNITS } from "../../core/report/status-rows.ts";
import { refusal } from "../../director/confirm.ts";
import { type Host, openHost } from "../../host/host.ts";
import { requirePrivilege } from "../../host/install/privilege.ts";
import { programsOf, requirePrograms, type Writes } from "../../host/install/programs.ts";
import { serverState } from "../../host/install/unit-state.ts";
import { keyProblems } from "../key-problems.ts";
import { INITIALIZE, isSetUp, isUntouched, NOT_SET_UP, startsNothing } from "../set-up.ts";
import { delegation, forwarders, nameServer } from "./answers.ts";
import { dockerFindings } from "./docker.ts";
import { drift, obstacles } from "./drift.ts";
import { udpEngine } from "./engine.ts";
import { bad, type Finding, failed, good, none, subjectOf } from "./finding.ts";
import { firewalld, hostFirewall } from "./host-firewall.ts";
import { octoCopDD } from "./octocopdd.ts";
import { namesOfHost, pageNames, webServer } from "./page.ts";
import { NAME, oneService } from "./service.ts";
import { kernelQueues, sleepFinding } from "./sleep.ts";
import { watchFinding } from "./watch.ts";

/** Checks every component, and with a name that service end to end; what depends on a fault is left out. Changes nothing. */
export async function diagnose(config: Config, name: string | undefined): Promise<Finding[]> {
  const docker = await dockerFindings(config);
  const programs = programsOf(config.firewall === "iptables" ? "iptables" : docker.filters);
  const means = [
    await attempt("prerequisites", async () => {
      await requirePrograms(programs);
      return `${programs.join(", ")} are installed`;
    }),
    await attempt("privilege", async () => {
      await requirePrivilege();
      return "CAP_NET_ADMIN and CAP_NET_RAW are present";
    }),
  ];
  const network = [...docker.findings, await forwarding(docker.filters !== null), await firewalld()];
  const isFine = (findings: readonly Finding[]): boolean => findings.every(({ ok }) => ok !== false);
  const found = await ofHost(config, openHost(config), {
    docker: docker.filters,
    rules: isFine(means),
    unstarted: await startsNothing(config),
  });
  const findings = [...means, ...network, ...found.findings];
  if (found.servers === null) return [...findings, none("other checks", "skipped: fix the above first")];
  const servers = await ofServers(config, found.servers);
  const service =
    name === undefined ? [] : await ofService(config, name, isFine(network) ? found.decision : null);
  return [...findings, ...servers.map(afterServer(servers)), ...service.map(afterServer(servers))];
}

/** What is found on the host; `servers`: its address, null where they cannot be asked. `decision` is null where Docker or the set-up is missing, or a run is refused. */
export interface OfHost {
  readonly findings: readonly Finding[];
  readonly servers: Ipv4 | null;
  readonly decision: Decision | null;
}

/** What can be looked at: Docker's backend, null where it does not answer, and the rules. */
export interface Seeable {
  readonly docker: Writes | null;
  readonly rules: boolean;
  /** Nothing starts `watch` and `serve`. */
  readonly unstarted?: boolean;
}

/** The configuration, what is in force, and what keeps it so. */
export async function ofHost(
  config: Config,
  host: Pick<Host, "observe">,
  { docker, rules, unstarted = false }: Seeable,
): Promise<OfHost> {
  const without = [
    ...(docker === null ? (["docker"] as const) : []),
    ...(rules ? [] : (["firewall"] as const)),
  ];
  let seen: Observation;
  let hostIp: Ipv4;
  let decision: Decision | null;
  const now = Math.floor(Date.now() / 1000);
  try {
    seen = await host.observe({ without });
    hostIp = checkAgainstHost(config, seen);
    decision = docker === null ? null : decide(config, seen, now);
  } catch (error) {
    // the host cannot be read: what is missing has been said
    const isSaid = !rules && error instanceof HostError;
    return {
      findings: isSaid ? [] : [failed(subjectOf(error, "configuration"), error)],
      servers: null,
      decision: null,
    };
  }
  const device = good("device", `${config.device}, ${hostIp}`);
  const always = [
    ...octoCopDD(config, seen),
    ...(await hostFirewall(config, hostIp)),
    ...publishing(config, seen),
  ];
  const seenRules = rules ? [obstacles(seen)] : [];
  const setUp = await setUpFinding(config, seen, unstarted);
  if (setUp !== null && isUntouched(seen)) {
    return {
      findings: [device, ...rangeFinding(config, seen), ...seenRules, ...always, setUp],
      servers: null,
      decision: null,
    };
  }
  const watch = setUp ?? (await watchFinding(config, now));
  const servers = setUp === null ? hostIp : null;
  if (decision === null || !rules) {
    const why =
      decision === null ? "Docker does not answer" : "that needs the privilege and the programs above";
    const state = none("rules, aliases, zone file and page", `not checked: ${why}`);
    return {
      findings: [device, ...rangeFinding(config, seen), ...seenRules, state, watch, ...always],
      servers,
      decision,
    };
  }
  // without watch it fails in any case
  const sleep = setUp === null ? [await sleepFinding(config, seen, decision, kernelQueues(), docker)] : [];
  return {
    findings: [device, ...drift(config, seen, decision), watch, ...always, ...sleep],
    servers,
    // of one that is refused nothing is in force
    decision: refusal(decision) === null ? decision : null,
  };
}

/** What of the configuration page and name server leave out; nothing where it is all in use. */
function publishing(config: Config, seen: Observation): Finding[] {
  const found = (subject: string, problems: readonly string[], remedy: string): Finding[] =>
    problems.length === 0 ? [] : [bad(subject, problems.join("; "), remedy)];
  return [
    ...found(
      "page template",
      seen.template?.problems ?? [],
      "mend that, or set WEB_TEMPLATE_DIR to another directory",
    ),
    ...found(
      "TSIG keys",
      keyProblems(config),
      "mend that and restart `ocdd serve`, which reads the keys when it starts",
    ),
  ];
}

/** What is to be done first; null on a host that is set up. */
async function setUpFinding(config: Config, seen: Observation, unstarted: boolean): Promise<Finding | null> {
  if (!(await isSetUp(config, seen))) return bad("set-up", NOT_SET_UP, INITIALIZE);
  return unstarted ? bad("set-up", NO_UNITS, WRITE_UNITS) : null;
}

/** Where use of the range is not known. */
function rangeFinding(config: Config, seen: Observation): Finding[] {
  const unusable = unusableRange(config, seen);
  if (unusable !== null) return [bad("range", unusable, GRANTED)];
  return rangeNotes(config, seen).map((note) => none("range", note));
}

/** Name server and page, and the way to them. */
async function ofServers(config: Config, hostIp: Ipv4): Promise<Finding[]> {
  const [names, engine, page, others, delegated, upstream] = await Promise.all([
    nameServer(config, hostIp),
    udpEngine(config),
    webServer(config, hostIp),
    namesOfHost(hostIp).then((found) => pageNames(config, hostIp, found)),
    delegation(config, hostIp),
    forwarders(config, hostIp),
  ]);
  const silent = (one: Finding): boolean => one.ok === false && one.other !== true;
  const state = silent(names) || silent(page) ? await serverState(config) : null;
  const stated = (one: Finding): Finding =>
    state === null || !silent(one) ? one : { ...one, message: `${one.message}; ${state}` };
  return [stated(names), engine, stated(page), ...others, delegated, ...upstream];
}

/** `decision` is null where what leads to its container is at fault. */
async function ofService(config: Config, name: string, decision: Decision | null): Promise<Finding[]> {
  return decision === null
    ? [none(`service ${clip(name)}`, "not checked: fix the above first")]
    : await oneService(config, decision, name);
}

/** Applies `afterNameServer` to what asks it. */
const afterServer =
  (servers: readonly Finding[]) =>
  (one: Finding): Finding =>
    one.subject === "delegation" || one.subject.endsWith(NAME)
      ? afterNameServer(
          one,
          servers.some(({ subject, ok }) => subject === "name server" && ok === true),
        )
      : one;

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

/** `dockerRuns`: Docker sets it when it starts. */
async function forwarding(dockerRuns: boolean): Promise<Finding> {
  const value = await readFile("/proc/sys/net/ipv4/ip_forward", "utf8").catch(() => "?");
  if (value.trim() !== "1" && !dockerRuns)
    return none("forwarding", "not checked: Docker sets net.ipv4.ip_forward when it starts");
  return value.trim() === "1"
    ? good("forwarding", "net.ipv4.ip_forward is 1")
    : bad(
        "forwarding",
        `net.ipv4.ip_forward is ${value.trim()}: no packet reaches a container`,
        "sysctl -w net.ipv4.ip_forward=1; set it in /etc/sysctl.d to survive a reboot",
      );
}
