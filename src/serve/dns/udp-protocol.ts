/** Messages between the main thread and the UDP thread. */
import type { LogFormat } from "../../daemon/log.ts";
import type { Authority } from "../../dns/zone/authority.ts";
import type { Rate } from "./udp-answer.ts";

/** How the UDP thread checks the main thread. */
export interface HangGuard {
  /** Milliseconds without a heartbeat. */
  readonly hangMs: number;
  /** Form of the line that it logs by itself: the log's own writer is the main thread. */
  readonly logFormat: LogFormat;
}

/** Start parameters of the UDP thread. */
export interface UdpThreadStart {
  /** Shared words, see CONTROL. */
  readonly control: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  /** Becomes readable when a message waits. */
  readonly wake: number;
  readonly rate: Rate;
  readonly seed: number;
  readonly networks: readonly string[];
  /** Are questions of this host's own networks forwarded? */
  readonly forward: boolean;
  /** The thread ends the process when the main thread hangs. */
  readonly guard: HangGuard | undefined;
}

/** Octets of the shared control block. */
export const CONTROL_OCTETS = 20;

/** Words of the shared control block. */
export const CONTROL = {
  /** Messages sent to the thread. */
  SENT: 0,
  /** Sockets that the thread has closed, so that their addresses are free again. */
  CLOSED: 1,
  /** Sockets that it has begun to answer on. */
  OPENED: 2,
  /** Messages for a forwarder that the main thread has taken. */
  TAKEN: 3,
  /** Heartbeats of the main thread. */
  BEATS: 4,
} as const;

/** A zone as it crosses threads: the block is shared, not copied. */
export interface SentZone {
  readonly origin: Uint8Array;
  readonly buffer: SharedArrayBuffer | undefined;
}

/** A message to the UDP thread. */
export type UdpOrder =
  | {
      readonly kind: "authority";
      readonly authority: Omit<Authority, "zones">;
      readonly zones: readonly SentZone[];
    }
  /** `inherited`: the socket belongs to the service manager and is never closed. */
  | { readonly kind: "open"; readonly fd: number; readonly ipv6: boolean; readonly inherited: boolean }
  | { readonly kind: "close"; readonly fd: number }
  /** `to` is a struct sockaddr. */
  | {
      readonly kind: "send";
      readonly fd: number;
      readonly octets: Uint8Array;
      readonly to: Uint8Array;
    }
  | { readonly kind: "stop" };

/** A message from the UDP thread. */
export type UdpReport =
  /** A socket cannot be read any more. */
  | { readonly kind: "failure"; readonly fd: number; readonly reason: string }
  /** A forwarder is to be asked; `to` is the struct sockaddr for the answer. */
  | {
      readonly kind: "forward";
      readonly fd: number;
      readonly message: Uint8Array;
      readonly to: Uint8Array;
    };
