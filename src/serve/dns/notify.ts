/** NOTIFY (RFC 1996) to secondaries. */
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { isIP } from "node:net";
import { addressOctets } from "../../daemon/address-octets.ts";
import type { Say } from "../../daemon/log.ts";
import { tsigOfResponse } from "../../dns/message/query.ts";
import { signRequest, type TsigKeys, verifyTsig } from "../../dns/message/tsig.ts";
import { type NotifyTarget, parseNotifyTarget } from "../../dns/text/peers.ts";
import { type Codec, loadCodec } from "../../dns/wire/codec.ts";
import { formatName, nameKey, type WireName } from "../../dns/wire/name.ts";
import { OPCODE } from "../../dns/wire/types.ts";
import { after } from "../../platform/timer.ts";
import { tsigKeyId } from "./networks.ts";

/** Milliseconds before the first retry; each next one waits twice as long, up to MAX_RETRY_MS (RFC 1996 §3.6). */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 60_000;

/** Read the items of DNS_NOTIFY; one that cannot be used is logged and left out. */
export function notifyTargets(items: readonly string[], keys: TsigKeys, log: Say): NotifyTarget[] {
  return items.flatMap((item) => {
    const target = parseNotifyTarget(item);
    if (target !== undefined && (target.key === undefined || keys.has(tsigKeyId(target.key))))
      return [target];
    const why =
      target === undefined
        ? "not an address, address@port or address key:NAME"
        : "no such key in DNS_TSIG_KEY_FILE";
    log("error", `${item} in DNS_NOTIFY: ${why}; left out`);
    return [];
  });
}

const now = (): number => Math.floor(Date.now() / 1000);

/** What is known of a secondary. */
export interface SecondaryState {
  /** `192.0.2.53@53`. */
  readonly secondary: string;
  readonly zone: string;
  /** It has not acknowledged the zone's serial of now, or has refused to. */
  readonly behind: boolean;
}

/** Notifies secondaries of new serials until each has acknowledged. */
export interface Notifier {
  /** The zone has a new serial: notify all, and stop retries for older serials. */
  notify(zone: WireName, serial: number): void;
  secondaries(): readonly SecondaryState[];
  close(): void;
}

const stateOf = ({ address, port }: NotifyTarget, zone: WireName, behind: boolean): SecondaryState => ({
  secondary: `${address}@${port}`,
  zone: zoneText(zone),
  behind,
});

/** A zone's name without the dot at its end, as in the configuration. */
export const zoneText = (zone: WireName): string => formatName(zone).replace(/(?<=.)\.$/, "");

/** A notifier for these targets; a target without an answer is logged once, and so is the answer that follows. */
export function notifier(targets: readonly NotifyTarget[], keys: TsigKeys, log: Say): Notifier {
  const running = new Map<string, () => void>();
  const states = new Map<string, SecondaryState>();
  let codec: Promise<Codec> | undefined;

  const notifyOne = async (
    target: NotifyTarget,
    zone: WireName,
    serial: number,
    signal: { stopped: boolean },
  ): Promise<void> => {
    codec ??= loadCodec();
    const { notify, response } = await codec;
    if (signal.stopped) return;
    const name = `${target.address}@${target.port}`;
    const socket = createSocket(isIP(target.address) === 6 ? "udp6" : "udp4");
    const key = target.key === undefined ? undefined : keys.get(tsigKeyId(target.key));
    let id = 0;
    let mac: Uint8Array | undefined;
    const peer = `${addressOctets(target.address)}@${target.port}`;
    let wait = FIRST_RETRY_MS;
    let cancel = (): void => undefined;
    let silent = false;
    let unsigned = false;
    const stop = () => {
      signal.stopped = true;
      cancel();
      socket.close();
    };
    const send = () => {
      id = randomInt(0x10000);
      const out = new Uint8Array(1024);
      const message = notify(id, zone);
      out.set(message);
      let size = message.length;
      if (key !== undefined) ({ size, mac } = signRequest(key, out, size, now()));
      // An unreachable target is retried like one that does not answer.
      socket.send(out.subarray(0, size), target.port, target.address, () => {});
      cancel = after(wait, () => {
        if (wait >= 8 * FIRST_RETRY_MS && !silent) {
          silent = true;
          log(
            "warning",
            `secondary ${name} does not acknowledge NOTIFY of serial ${serial}; retrying until it does`,
          );
        }
        wait = Math.min(MAX_RETRY_MS, wait * 2);
        send();
      });
    };
    running.set(`${name} ${nameKey(zone)}`, stop);
    socket.on("error", () => {});
    /** With a key the answer must be signed by it: an unsigned one may be forged (RFC 8945 §5.4). */
    const isSigned = (message: Uint8Array): boolean => {
      const at = tsigOfResponse(message);
      return at > 0 && verifyTsig(message, at, keys, now(), mac).key === key;
    };
    socket.on("message", (message, from) => {
      if (`${addressOctets(from.address)}@${from.port}` !== peer) return;
      const got = response(message);
      if (got === undefined || got.id !== id || got.opcode !== OPCODE.NOTIFY) return;
      if (key !== undefined && !isSigned(message)) {
        if (!unsigned)
          log(
            "warning",
            `secondary ${name} answers NOTIFY without the signature of key ${target.key} (rcode ${got.rcode}); retrying`,
          );
        unsigned = true;
        return;
      }
      // NOTIMP and REFUSED are answers too: a retry would change nothing (RFC 1996 §4.8).
      if (got.rcode !== 0) log("warning", `secondary ${name} refuses NOTIFY (rcode ${got.rcode})`);
      else states.set(`${name} ${nameKey(zone)}`, stateOf(target, zone, false));
      if (got.rcode === 0 && silent) log("info", `secondary ${name} acknowledges NOTIFY of serial ${serial}`);
      running.delete(`${name} ${nameKey(zone)}`);
      stop();
    });
    send();
  };

  return {
    notify(zone, serial) {
      for (const target of targets) {
        const name = `${target.address}@${target.port} ${nameKey(zone)}`;
        running.get(name)?.();
        states.set(name, stateOf(target, zone, true));
        const signal = { stopped: false };
        running.set(name, () => {
          signal.stopped = true;
        });
        void notifyOne(target, zone, serial, signal);
      }
    },
    secondaries: () => [...states.values()],
    close() {
      for (const stop of running.values()) stop();
      running.clear();
    },
  };
}
