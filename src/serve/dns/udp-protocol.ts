/** Messages between the main thread and the UDP thread. */
import type { Authority } from "../../dns/zone/authority.ts";
import type { Rate } from "./udp-answer.ts";

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
}

/** Words of the shared control block. */
export const CONTROL = {
  /** Messages sent to the thread. */
  SENT: 0,
  /** Sockets that the thread has closed, so that their addresses are free again. */
  CLOSED: 1,
  /** Sockets that it has begun to answer on. */
  OPENED: 2,
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
  | { readonly kind: "stop" };

/** A message from the UDP thread: a socket that cannot be read any more. */
export interface UdpFailure {
  readonly fd: number;
  readonly reason: string;
}
