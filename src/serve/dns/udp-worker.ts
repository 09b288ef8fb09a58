/** The UDP thread: waits in poll(), receives up to 64 datagrams a call, answers them in place, sends them in one call. */
import { writeSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { logLine } from "../../daemon/log.ts";
import { openZone, type Zone } from "../../dns/zone/zone.ts";
import { loadSockets, type SocketCalls } from "../../platform/libc.ts";
import { collectAfter, LARGE_ZONE_OCTETS } from "../collect.ts";
import { hangCheck } from "./hang.ts";
import { addressText, isAllowed, readPermission } from "./networks.ts";
import { ownNetworks } from "./own-networks.ts";
import { udpResponder } from "./udp-answer.ts";
import { batch } from "./udp-batch.ts";
import {
  CONTROL,
  type HangGuard,
  type UdpOrder,
  type UdpReport,
  type UdpThreadStart,
} from "./udp-protocol.ts";

const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
/** Rounds without a datagram before the thread sleeps in poll(). */
const EMPTY_ROUNDS = 2;

/** Milliseconds that it sleeps there, and without a datagram until a pause in the traffic is assumed. */
const POLL_MS = 1000;
const QUIET_MS = 20;
/** Octets of zones no longer answered from that are collected even under traffic. */
const MAX_GARBAGE_OCTETS = 64 << 20;

/** Questions for a forwarder that the main thread has not taken yet. */
const MAX_UNTAKEN = 1024;

interface Endpoint {
  readonly fd: number;
  readonly ipv6: boolean;
  /** Never closed here: it could not be opened again, and the portable engine may have to take over. */
  readonly inherited: boolean;
}

/** The supervisor starts a new process; an orderly exit would need the main thread. */
function replaceHung({ hangMs, logFormat }: HangGuard): void {
  const text = `dns: the main thread has hung for ${hangMs / 1000} s; killing this process, so that it is started again`;
  try {
    writeSync(2, `${logLine(logFormat, "error", text, Date.now())}\n`);
  } catch {
    // a log that cannot be written must not keep the process running
  }
  process.kill(process.pid, "SIGKILL");
}

function run(calls: SocketCalls, start: UdpThreadStart): void {
  const control = new Int32Array(start.control);
  const { permission } = readPermission(start.networks);
  const responder = udpResponder(new Float64Array(start.counters), start.rate, start.seed, {
    mayTransfer: (client) => isAllowed(permission, addressText(client)),
    mayAsk: start.forward ? ownNetworks() : undefined,
  });
  let forwarded = 0;
  const io = batch(calls, (fd, message, to) => {
    // A busy main thread does not collect questions without limit: their clients ask again.
    if (((forwarded - Atomics.load(control, CONTROL.TAKEN)) | 0) >= MAX_UNTAKEN) return;
    forwarded = (forwarded + 1) | 0;
    parentPort?.postMessage({ kind: "forward", fd, message, to } satisfies UdpReport);
  });
  const zones = new Map<SharedArrayBuffer, Zone>();
  let endpoints: Endpoint[] = [];
  let pollfds = new Uint8Array(8);
  let seen = 0;
  let running = true;
  /** Octets of zones no longer answered from and not collected yet. */
  let replaced = 0;
  const drain = new Uint8Array(8);

  const leave = (gone: readonly Endpoint[]): void => {
    endpoints = endpoints.filter((endpoint) => !gone.includes(endpoint));
    for (const { fd, inherited } of gone) if (!inherited) calls.close(fd);
  };

  const execute = (order: UdpOrder): void => {
    switch (order.kind) {
      case "authority": {
        const known = new Map(zones);
        zones.clear();
        const served = order.zones.map(({ origin, buffer }) => {
          if (buffer === undefined) return { origin, zone: undefined };
          const zone = known.get(buffer) ?? openZone(buffer);
          zones.set(buffer, zone);
          return { origin, zone };
        });
        responder.use({ ...order.authority, zones: served });
        replaced = [...known].reduce(
          (sum, [buffer]) => sum + (zones.has(buffer) ? 0 : buffer.byteLength),
          replaced,
        );
        break;
      }
      case "open":
        endpoints = [...endpoints, { fd: order.fd, ipv6: order.ipv6, inherited: order.inherited }];
        Atomics.add(control, CONTROL.OPENED, 1);
        Atomics.notify(control, CONTROL.OPENED);
        break;
      case "close":
        leave(endpoints.filter(({ fd }) => fd === order.fd));
        Atomics.add(control, CONTROL.CLOSED, 1);
        Atomics.notify(control, CONTROL.CLOSED);
        break;
      case "send":
        if (endpoints.some(({ fd }) => fd === order.fd))
          calls.sendto(order.fd, order.octets, order.octets.length, MSG_DONTWAIT, order.to, order.to.length);
        // the sockets are the same
        return;
      case "stop":
        leave(endpoints);
        running = false;
        break;
    }
    pollfds = new Uint8Array(8 * (endpoints.length + 1));
    const view = new DataView(pollfds.buffer);
    for (const [i, fd] of [start.wake, ...endpoints.map((endpoint) => endpoint.fd)].entries()) {
      view.setInt32(8 * i, fd, true);
      view.setInt16(8 * i + 4, POLLIN, true);
    }
  };

  const listen = (): void => {
    seen = Atomics.load(control, CONTROL.SENT);
    for (let got = port.receiveMessageOnPort(); got !== undefined; got = port.receiveMessageOnPort())
      execute(got.message as UdpOrder);
  };

  const hangs = start.guard && hangCheck(start.guard.hangMs, performance.now());
  let quiet = 0;
  listen();
  for (;;) {
    if (Atomics.load(control, CONTROL.SENT) !== seen) listen();
    if (!running) break;
    if (start.guard !== undefined && hangs?.(performance.now(), Atomics.load(control, CONTROL.BEATS)))
      replaceHung(start.guard);
    let taken = 0;
    for (const endpoint of endpoints) {
      const { fd, ipv6 } = endpoint;
      const got = io.round(fd, ipv6, MSG_DONTWAIT, responder);
      if (got > 0) taken += got;
      else if (got < 0) {
        const reason = calls.failure();
        leave([endpoint]);
        parentPort?.postMessage({ kind: "failure", fd, reason } satisfies UdpReport);
      }
    }
    quiet = taken > 0 ? 0 : quiet + 1;
    if (quiet < EMPTY_ROUNDS) continue;
    const waiting = replaced >= LARGE_ZONE_OCTETS ? QUIET_MS : POLL_MS;
    const ready = calls.poll(pollfds, endpoints.length + 1, waiting);
    // In a pause of the traffic, or when too many have accumulated.
    if (replaced >= LARGE_ZONE_OCTETS && (ready === 0 || replaced > MAX_GARBAGE_OCTETS)) {
      collectAfter(replaced);
      replaced = 0;
    }
    if ((pollfds[6] as number) & POLLIN) calls.read(start.wake, drain, 8);
  }
}

const port = {
  receiveMessageOnPort: () => (parentPort === null ? undefined : receiveMessageOnPort(parentPort)),
};

const libc = loadSockets();
if ("calls" in libc) run(libc.calls, workerData as UdpThreadStart);
else throw new Error(libc.reason);
