/** Connections to a container's address that only find out whether it answers. */
import { request } from "node:http";
import { createConnection } from "node:net";
import type { Ipv4 } from "../core/addresses/ipv4.ts";

/** A port of a container. */
export interface ContainerPort {
  readonly address: Ipv4;
  readonly port: number;
}

/** The longest time that a timer of Node's counts. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * Whether a TCP connection is accepted within so many milliseconds; no octet is sent. False also when the signal is aborted.
 * The socket is closed when this resolves. Never rejects.
 */
export function accepts(to: ContainerPort, deadlineMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    let accepted = false;
    const socket = createConnection({ host: to.address, port: to.port, signal });
    const end = (): void => void socket.destroy();
    socket.setTimeout(deadlineMs, end);
    socket.once("connect", () => {
      accepted = true;
      end();
    });
    // refused, unreachable, aborted: not accepted
    socket.on("error", end);
    socket.once("close", () => resolve(accepted));
  });
}

/**
 * The status of a GET within so many milliseconds, whatever it is: no redirect is followed, no body is read. Undefined without
 * one, also when the signal is aborted. `path` is printable ASCII. The connection is closed when this resolves.
 */
export function httpStatus(
  to: ContainerPort & { readonly path: string; readonly host: string },
  deadlineMs: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  return new Promise((resolve) => {
    let status: number | undefined;
    const { address, port, path, host } = to;
    const headers = { Host: host, "User-Agent": "ocdd", Accept: "*/*", Connection: "close" };
    const asked = request({ host: address, port, path, headers, agent: false, signal });
    const end = (): void => void asked.destroy();
    const late = setTimeout(end, Math.min(deadlineMs, LONGEST_MS));
    asked.on("response", (response) => {
      status = response.statusCode;
      response.on("error", end);
      end();
    });
    asked.on("error", end);
    asked.once("close", () => {
      clearTimeout(late);
      resolve(status);
    });
    asked.end();
  });
}
