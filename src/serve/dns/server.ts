/** The name server: zone, engines, transfers, notifications and limits joined. */
import { randomBytes } from "node:crypto";
import { connectionShare } from "../../daemon/connection-share.ts";
import type { Say } from "../../daemon/log.ts";
import type { ServerCounters } from "../../daemon/server-metrics.ts";
import { ANSWERS_PER_SECOND } from "../../dns/message/rate-limit.ts";
import type { Authority, Served } from "../../dns/zone/authority.ts";
import { serialOf } from "../../dns/zone/zone.ts";
import { type Binding, type BindingState, bindWithRetry, stateOf } from "../bind.ts";
import { type ActivatedSockets, NO_ACTIVATED_SOCKETS } from "../socket-activation.ts";
import { summarise } from "../summary.ts";
import { type CounterRow, countEvent, counterRow, type DnsCounters, readCounters } from "./counters.ts";
import type { ForwardTarget } from "./forward-ask.ts";
import { openForwarding } from "./forwarding.ts";
import { freePort } from "./free-port.ts";
import { readPermission, transferKeys } from "./networks.ts";
import { notifier, notifyTargets, zoneText } from "./notify.ts";
import { type ReverseOptions, reverseZones } from "./reverse-zones.ts";
import { runSelfCheck } from "./self-check.ts";
import { openTcp } from "./tcp.ts";
import { tcpAnswer } from "./tcp-answer.ts";
import { readTsigFile } from "./tsig-file.ts";
import { startUdp } from "./udp.ts";
import type { HangGuard } from "./udp-protocol.ts";
import { zoneLoader } from "./zone-loader.ts";

/** What to serve, and where: plain values, independent of the configuration's format. */
export interface DnsOptions {
  /** The zone's apex, with or without its trailing dot. */
  readonly zone: string;
  readonly zoneFile: string;
  /** Addresses, each bound by itself so that answers leave from the address that was asked. */
  readonly listen: readonly string[];
  /** UDP and TCP port; 0 picks a free one. */
  readonly port: number;
  /** Networks and `key:NAME` items that may transfer the zone. */
  readonly allowTransfer: readonly string[];
  /** TSIG keys in BIND's syntax, readable by the owner alone. */
  readonly tsigKeyFile?: string;
  /** The file is a credential of the service manager (systemd's LoadCredential=): its mode is not checked. */
  readonly tsigKeyIsCredential?: boolean;
  /** Secondaries to notify of changes: `192.0.2.53`, `192.0.2.53@5353`, `192.0.2.53 key:NAME`. */
  readonly notify?: readonly string[];
  /** Resolvers that questions outside of the zones go to, for clients in this host's own networks. */
  readonly forwarders?: readonly ForwardTarget[];
  /** Serve PTR for these addresses too. */
  readonly reverse?: ReverseOptions;
  /** Text for version.bind; refused without it. */
  readonly version?: string;
  /** Octets of NSID as text. */
  readonly nsid?: string;
  /** Seconds an idle TCP connection is kept; default 10. */
  readonly idleSeconds?: number;
  /** TCP connections at once; default 4096. */
  readonly connections?: number;
  /**
   * UDP answers a second of one kind to one network of clients (/24, /56), local or not; 0 is no limit.
   * Default: ANSWERS_PER_SECOND, without a limit for loopback.
   */
  readonly rateLimit?: number;
  /** `portable` forbids the fast UDP engine; it is the default where its library loads. */
  readonly engine?: "portable";
  /** Sockets that are bound already. */
  readonly activated?: ActivatedSockets;
  readonly log: Say;
  /** Makes the server query itself; called when it is silent for good and only a new process helps. */
  readonly silent?: (reason: string) => void;
  /** The UDP thread kills this process when the main thread hangs; only where a supervisor starts it again. */
  readonly guard?: HangGuard;
}

/** A running name server. */
export interface DnsServer {
  readonly port: number;
  /** Which UDP engine answers. */
  readonly engine: "fast" | "portable";
  readonly counters: DnsCounters;
  /** Endpoints and whether each is bound now. */
  readonly endpoints: readonly BindingState[];
  /** A version of the zone is served. */
  readonly loaded: boolean;
  /** The zone, then the reverse zones; its file; secondaries. */
  readonly zones: Pick<ServerCounters, "zones" | "loads" | "secondaries">;
  /** False while the server does not answer its own queries. */
  readonly answering: boolean;
  close(): Promise<void>;
}

/** Milliseconds after which a new cookie secret is taken; the previous one still counts (RFC 9018 §5). */
const COOKIE_ROLL_MS = 24 * 3600 * 1000;

/** Octets of memory that all TCP connections together may hold. */
const MAX_HELD_OCTETS = 64 << 20;

/**
 * Serve a zone over UDP and TCP. Resolves when every address was tried once; what could not be bound and a zone file
 * that does not exist are reported and tried again, and never end the server. Packets never end it either.
 */
export async function serveDns(options: DnsOptions): Promise<DnsServer> {
  const { log, activated = NO_ACTIVATED_SOCKETS } = options;
  const { permission, unknown } = readPermission(options.allowTransfer);
  for (const item of unknown)
    log("error", `${item} in DNS_ALLOW_TRANSFER: not a network, an address or key:NAME; left out`);
  const tsig =
    options.tsigKeyFile === undefined
      ? { keys: new Map(), problems: [] }
      : readTsigFile(options.tsigKeyFile, options.tsigKeyIsCredential);
  for (const problem of tsig.problems) log("error", `${problem}; no key is used`);
  const idleSeconds = options.idleSeconds ?? 10;
  const row = counterRow();
  let authority: Authority = {
    zones: [],
    idleSeconds,
    keys: tsig.keys,
    transferKeys: transferKeys(permission.keys, tsig.keys, log),
    cookieSecrets: [randomBytes(16)],
    ...(options.version === undefined ? {} : { version: options.version }),
    ...(options.nsid === undefined ? {} : { nsid: Buffer.from(options.nsid) }),
  };
  const reverse = reverseZones(options.reverse);
  const loader = zoneLoader(options.zone, options.zoneFile, log, {
    changed: () => publish(),
    settled: (served) => settled(served),
  });
  const secondaries = notifier(notifyTargets(options.notify ?? [], tsig.keys, log), tsig.keys, log);
  const zonesNow = () => [loader.served(), ...reverse.served()];
  const publish = (): void => {
    authority = { ...authority, zones: zonesNow() };
    use();
  };
  let notified: ReadonlySet<Served["zone"]> = new Set();
  const settled = ({ zone }: Served): void => {
    if (zone !== undefined) reverse.follow(zone);
    authority = { ...authority, zones: zonesNow() };
    // The journal is for transfers, which the main thread serves; new reverse zones are for all.
    if (reverse.served().length > 0) use();
    for (const { origin, zone } of authority.zones)
      if (zone !== undefined && !notified.has(zone)) secondaries.notify(origin, serialOf(zone));
    notified = new Set(authority.zones.map(({ zone }) => zone));
  };
  authority = { ...authority, zones: zonesNow() };
  const roll = setInterval(() => {
    const [current] = authority.cookieSecrets as [Uint8Array];
    authority = { ...authority, cookieSecrets: [randomBytes(16), current] };
    use();
  }, COOKIE_ROLL_MS);
  roll.unref();

  const rate =
    options.rateLimit === undefined
      ? { perSecond: ANSWERS_PER_SECOND.ROUTED, localPerSecond: ANSWERS_PER_SECOND.LOCAL }
      : { perSecond: options.rateLimit };
  const port = options.port === 0 ? await freePort(options.listen[0] ?? "127.0.0.1") : options.port;
  const forwarding = openForwarding(
    options.forwarders ?? [],
    { listen: options.listen, port },
    () => authority,
    row,
    log,
  );
  const rows: CounterRow[] = [row];
  const networks = options.allowTransfer;
  const { engine, guard } = options;
  const udp = startUdp({ rate, networks, permission, forwarding, engine, guard, log }, rows);
  const use = (): void => udp.use(authority);
  use();

  const share = connectionShare({
    idleSeconds,
    connections: options.connections ?? 4096,
    held: MAX_HELD_OCTETS,
  });
  const tcp = tcpAnswer(() => authority, permission, row, forwarding);
  // A zone file that exists is served from the first query on.
  loader.follow();
  const bindings: Binding[] = await Promise.all(
    options.listen.flatMap((address) => [
      bindWithRetry(
        "udp",
        address,
        port,
        () => udp.open(address, port, activated.of("udp", address, port)),
        log,
      ),
      bindWithRetry(
        "tcp",
        address,
        port,
        () => openTcp(address, port, share, tcp, activated.of("tcp", address, port)),
        log,
      ),
    ]),
  );
  const check =
    options.silent &&
    runSelfCheck(
      {
        addresses: options.listen,
        port,
        zone: loader.served().origin,
        bound: (address) =>
          bindings.some((each) => each.address === address && each.protocol === "udp" && each.bound()),
        received: () => readCounters(rows).events.udp,
      },
      { log, failed: options.silent, unanswered: () => countEvent(row, "unanswered") },
    );
  const summary = summarise(() => readCounters(rows), log);
  return {
    port,
    get engine() {
      return udp.engine;
    },
    get counters() {
      return readCounters(rows);
    },
    get endpoints() {
      return bindings.map(stateOf);
    },
    get loaded() {
      return loader.served().zone !== undefined;
    },
    get zones() {
      const serial = (zone: Served["zone"]) => (zone === undefined ? null : serialOf(zone));
      const zones = zonesNow().map(({ origin, zone }) => ({ zone: zoneText(origin), serial: serial(zone) }));
      return { zones, loads: loader.loads(), secondaries: secondaries.secondaries() };
    },
    get answering() {
      return check?.answering() ?? true;
    },
    async close() {
      clearInterval(roll);
      check?.close();
      summary.close();
      loader.close();
      secondaries.close();
      forwarding?.close();
      await Promise.all(bindings.map((binding) => binding.close()));
      share.close();
      await udp.close();
    },
  };
}
