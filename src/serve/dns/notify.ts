import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { isIP } from "node:net";
import { tsigOfResponse } from "../../dns/message/query.ts";
import { signRequest, type TsigKeys, verifyTsig } from "../../dns/message/tsig.ts";
import { type Codec, loadCodec } from "../../dns/wire/codec.ts";
import { nameKey, parseName, type WireName } from "../../dns/wire/name.ts";
import { OPCODE } from "../../dns/wire/types.ts";
import type { BindLog } from "../bind.ts";
import { addressOctets } from "./networks.ts";

/** Milliseconds before the first retry; each next one waits twice as long, up to LONGEST (RFC 1996 §3.6 asks for patience). */
const FIRST = 500;
const LONGEST = 60_000;

/** A secondary to be told of changes. */
export interface NotifyTarget {
  readonly address: string;
  readonly port: number;
  /** Name of the TSIG key to sign with. */
  readonly key: string | undefined;
}

/** Read an item such as `192.0.2.53`, `2001:db8::53@5353` or `192.0.2.53 key:NAME`; undefined when it is none. */
export function parseNotifyTarget(item: string): NotifyTarget | undefined {
  const [, address = "", port = "53", key] =
    /^([0-9a-fA-F.:]+)(?:@([0-9]{1,5}))?(?:\s+key:(\S+))?$/.exec(item.trim()) ?? [];
  if (isIP(address) === 0 || Number(port) < 1 || Number(port) > 65535) return undefined;
  return { address, port: Number(port), key };
}

const now = (): number => Math.floor(Date.now() / 1000);

/** Tells secondaries of new serials until each has acknowledged. */
export interface Notifier {
  /** The zone has a new serial: tell everybody, and forget what was still to be told of older ones. */
  tell(zone: WireName, serial: number): void;
  close(): void;
}

/** A notifier for these targets; silence is reported once a target, and so is the answer that ends it. */
export function notifier(targets: readonly NotifyTarget[], keys: TsigKeys, log: BindLog): Notifier {
  const running = new Map<string, () => void>();
  let codec: Promise<Codec> | undefined;

  const tellOne = async (
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
    const key =
      target.key === undefined
        ? undefined
        : keys.get(nameKey(parseName(`${target.key.replace(/\.$/, "")}.`)));
    let id = 0;
    let mac: Uint8Array | undefined;
    const peer = `${addressOctets(target.address)}@${target.port}`;
    let wait = FIRST;
    let timer: NodeJS.Timeout | undefined;
    let silent = false;
    let unsigned = false;
    const stop = () => {
      signal.stopped = true;
      clearTimeout(timer);
      socket.close();
    };
    const send = () => {
      id = randomInt(0x10000);
      const out = new Uint8Array(1024);
      const message = notify(id, zone);
      out.set(message);
      let size = message.length;
      if (key !== undefined) ({ size, mac } = signRequest(key, out, size, now()));
      // An unreachable target is one that does not answer: tried again.
      socket.send(out.subarray(0, size), target.port, target.address, () => {});
      timer = setTimeout(() => {
        if (wait >= 8 * FIRST && !silent) {
          silent = true;
          log(
            "warn",
            `secondary ${name} does not acknowledge NOTIFY of serial ${serial}; tried again until it does`,
          );
        }
        wait = Math.min(LONGEST, wait * 2);
        send();
      }, wait);
    };
    running.set(`${name} ${nameKey(zone)}`, stop);
    socket.on("error", () => {});
    /** Whoever has the key says it with the key: an answer without it may be anybody's (RFC 8945 §5.4). */
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
            "warn",
            `secondary ${name} answers NOTIFY without the signature of key ${target.key} (rcode ${got.rcode}); tried again`,
          );
        unsigned = true;
        return;
      }
      // NOTIMP and REFUSED are answers too: it will not listen, and need not be told again (RFC 1996 §4.8).
      if (got.rcode !== 0) log("warn", `secondary ${name} refuses NOTIFY (rcode ${got.rcode})`);
      else if (silent) log("info", `secondary ${name} acknowledges NOTIFY of serial ${serial}`);
      running.delete(`${name} ${nameKey(zone)}`);
      stop();
    });
    send();
  };

  return {
    tell(zone, serial) {
      for (const target of targets) {
        const name = `${target.address}@${target.port} ${nameKey(zone)}`;
        running.get(name)?.();
        const signal = { stopped: false };
        running.set(name, () => {
          signal.stopped = true;
        });
        void tellOne(target, zone, serial, signal);
      }
    },
    close() {
      for (const stop of running.values()) stop();
      running.clear();
    },
  };
}
