/** `ocdd serve`: name server and web server side by side; a failure of one does not stop the other. */

import { hostname, networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../core/config/config.ts";
import type { Endpoint } from "../core/config/endpoints.ts";
import type { ListenAddress } from "../core/config/values.ts";
import { pathsOf } from "../core/paths.ts";
import { another } from "../daemon/another.ts";
import type { LogFormat, Say } from "../daemon/log.ts";
import { pausing } from "../platform/timer.ts";
import { type BindingState, endpointName, stateOf } from "./bind.ts";
import { ANSWER_BOUNDS } from "./dns/counters.ts";
import { HANG_MS } from "./dns/hang.ts";
import { type DnsOptions, type DnsServer, serveDns } from "./dns/server.ts";
import { logExit } from "./exit-log.ts";
import { serveHttp, type WebServer } from "./http/server.ts";
import type { ActivatedSockets } from "./socket-activation.ts";

/** Milliseconds between two polls for the device's address while it has none. */
const ADDRESS_POLL_MS = 2_000;

/** Milliseconds for which an earlier `serve` may still be ending. */
const PATIENCE_MS = 10_000;

/** What the service manager passes: sockets, and the TSIG keys where only root can read DNS_TSIG_KEY_FILE. */
export interface Given {
  readonly handed: ActivatedSockets;
  readonly tsigKeyFile?: string | undefined;
  /** Form of the log; default text. */
  readonly logFormat?: LogFormat;
  /** Milliseconds before a second `serve` ends; default PATIENCE_MS. */
  readonly patienceMs?: number;
}

/**
 * Serves until `stopped` is aborted or a signal ends it. It needs the ports and STORAGE_DIR, and no Docker. Throws HostError "busy" where
 * another `ocdd serve` has the ports after a time of patience.
 */
export async function serveAll(config: Config, say: Say, stopped: AbortSignal, given: Given): Promise<void> {
  const own = new AbortController();
  const exit = logExit(say, () => own.abort());
  try {
    await serveUntil(config, say, AbortSignal.any([stopped, own.signal]), given);
  } finally {
    exit.close();
  }
}

/** An orderly exit would wait for the thread that hangs. The supervisor starts a new process. */
function replaceProcess(say: Say, reason: string): void {
  say("error", `dns: ${reason}; killing this process, so that it is started again`);
  process.kill(process.pid, "SIGKILL");
}

async function serveUntil(config: Config, say: Say, signal: AbortSignal, given: Given): Promise<void> {
  const host = await hostAddress(config, say, signal);
  if (host === undefined) return;
  const addresses = (listen: readonly ListenAddress[]): string[] => [
    ...new Set(listen.map((address) => (address === "HOST_IP" ? host : address))),
  ];
  const dns = await serveDns({
    zone: config.zone,
    zoneFile: config.zoneFile,
    listen: addresses(config.dnsListen),
    port: config.dnsPort,
    allowTransfer: config.allowTransfer,
    ...(config.tsigKeyFile === "" ? {} : keysOf(config, given)),
    activated: given.handed,
    notify: config.notify,
    forwarders: config.forwarders,
    ...(config.reverse ? { reverse: reverseOf(config) } : {}),
    ...(config.nsid === "" ? {} : { nsid: config.nsid }),
    ...(config.version === "" ? {} : { version: config.version }),
    log: (level, message) => say(level, `dns: ${message}`),
    guard: { hangMs: HANG_MS, logFormat: given.logFormat ?? "text" },
    silent: (reason) => replaceProcess(say, reason),
  });
  const web = config.webEnabled
    ? await serveHttp({
        zone: config.zone,
        hostNames: [
          config.zone,
          ...[config.hostName, "www"].map((name) => `${name}.${config.zone}`),
          host,
          hostname(),
          ...config.webNames,
        ],
        listen: addresses(config.webListen),
        port: config.webPort,
        indexFile: config.indexFile,
        servicesFile: pathsOf(config).services,
        lastRunFile: pathsOf(config).lastRun,
        zoneFile: config.zoneFile,
        selfFile: pathsOf(config).self,
        allowTransfer: config.allowTransfer,
        fallbackUrl: config.fallbackUrl,
        activated: given.handed,
        log: (level, message) => say(level, `web: ${message}`),
      })
    : undefined;
  for (const endpoint of given.handed.unused())
    say(
      "warning",
      `${endpoint} was passed by systemd but the configuration does not list it: run \`ocdd initialize\` to write the units again`,
    );
  const bound = dns.endpoints.filter((endpoint) => endpoint.bound);
  const open = bound.map(({ address, protocol }) => endpointName(address, dns.port, protocol));
  const pages = (web?.bindings ?? []).filter((each) => each.bound());
  for (const { address } of pages) open.push(`http://${address}:${config.webPort}/`);
  if (open.length > 0) say("info", `listening on ${open.join(", ")}`);
  const health =
    config.metricsListen && (await openHealth(config.metricsListen, config.metricsAllow, dns, web, say));
  const state = (): BindingState[] => [...dns.endpoints, ...(web?.bindings ?? []).map(stateOf)];
  try {
    await pausing(given.patienceMs ?? PATIENCE_MS, signal);
    const first = firstServe(state());
    if (first !== undefined && !signal.aborted) throw another("serve", first);
    await aborted(signal);
  } finally {
    await Promise.all([dns.close(), web?.close(), health?.close()]);
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });

/** The process of an `ocdd serve` that has the ports; undefined while anything is bound here, or other programs have all of them. */
export function firstServe(endpoints: readonly BindingState[]): number | undefined {
  if (endpoints.some(({ bound }) => bound)) return undefined;
  return endpoints.find(({ holder }) => holder?.isServe === true)?.holder?.pid;
}

/** Metrics and health, one port above the director's. The library is loaded only when it is configured. */
async function openHealth(
  at: Endpoint,
  networks: readonly string[],
  dns: DnsServer,
  web: WebServer | undefined,
  say: Say,
): Promise<{ readonly close: () => Promise<void> }> {
  const { serverMetrics } = await import("../daemon/metrics.ts");
  const { serveHealth } = await import("../daemon/health.ts");
  const metrics = serverMetrics(() => {
    const { counters, zones, engine } = dns;
    const answers = { ...counters.answers, bounds: ANSWER_BOUNDS };
    return { ...counters, ...zones, answers, engine, statuses: web?.counters.statuses ?? {} };
  });
  const health = { live: () => dns.answering, ready: () => isReady(dns), metrics };
  return serveHealth({ ...at, port: at.port + 1 }, networks, health, say);
}

/** A zone is served at every address, and the server answers its own queries. */
export const isReady = ({
  loaded,
  answering,
  endpoints,
}: Pick<DnsServer, "loaded" | "answering" | "endpoints">): boolean =>
  loaded && answering && endpoints.every(({ bound }) => bound);

function keysOf(
  config: Config,
  { tsigKeyFile }: Given,
): Pick<DnsOptions, "tsigKeyFile" | "tsigKeyIsCredential"> {
  return tsigKeyFile === undefined
    ? { tsigKeyFile: config.tsigKeyFile }
    : { tsigKeyFile, tsigKeyIsCredential: true };
}

function reverseOf(config: Config): { ranges: (readonly [string, string])[]; zone?: string } {
  const ranges = config.pool.map(({ first, last }) => [first, last] as const);
  return config.reverseZone === null ? { ranges } : { ranges, zone: config.reverseZone };
}

/** HOST_IP, else the device's own first address: that one is no /32 as every alias is. Waits for it. */
async function hostAddress(config: Config, say: Say, signal: AbortSignal): Promise<string | undefined> {
  if (config.hostIp !== null) return config.hostIp;
  for (let logged = false; !signal.aborted; ) {
    const own = (networkInterfaces()[config.device] ?? []).filter((a) => a.family === "IPv4");
    const address = own.find((a) => !a.cidr?.endsWith("/32"))?.address ?? own[0]?.address;
    if (address !== undefined) return address;
    if (!logged) say("warning", `${config.device} has no IPv4 address yet; waiting for it`);
    logged = true;
    await sleep(ADDRESS_POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}
