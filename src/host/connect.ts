/** Connections to a container's address that only find out whether it answers. */
import { request } from "node:http";
import { createConnection } from "node:net";
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import { after } from "../platform/timer.ts";

/** A port of a container. */
export interface ContainerPort {
  readonly address: Ipv4;
  readonly port: number;
}

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
    const cancel = after(deadlineMs, end);
    asked.on("response", (response) => {
      status = response.statusCode;
      response.on("error", end);
      end();
    });
    asked.on("error", end);
    asked.once("close", () => {
      cancel();
      resolve(status);
    });
    asked.end();
  });
}

export interface BodyLimits {
  /** Milliseconds until the whole answer must be there. */
  readonly deadlineMs: number;
  readonly octets: number;
}

/**
 * The body of the answer to a GET: status 200, no redirect is followed, no content coding. Rejects with the reason in words, also when
 * the signal is aborted. `path` is printable ASCII.
 */
export function httpBody(
  to: ContainerPort & { readonly path: string; readonly host: string },
  accept: string,
  { deadlineMs, octets }: BodyLimits,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { address, port, path, host } = to;
    const headers = { Host: host, "User-Agent": "ocdd", Accept: accept, Connection: "close" };
    const asked = request({ host: address, port, path, headers, agent: false, signal });
    const fail = (reason: string): void => void asked.destroy(new Error(reason));
    const cancel = after(deadlineMs, () => fail(`it did not answer within ${deadlineMs / 1000} s`));
    asked.on("response", (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on("error", reject);
      response.on("aborted", () => reject(new Error("its answer is cut off")));
      if (response.statusCode !== 200) return fail(`it answered with status ${response.statusCode}`);
      if (!/^(?:identity)?$/i.test(response.headers["content-encoding"] ?? ""))
        return fail("its answer has a content coding, which was not asked for");
      response.on("data", (part: Buffer) => {
        length += part.length;
        if (length > octets) fail(`its answer is larger than ${octets} octets`);
        else parts.push(part);
      });
      response.on("end", () => resolve(Buffer.concat(parts)));
    });
    asked.on("error", reject);
    asked.once("close", () => {
      cancel();
      reject(new Error("it closed the connection"));
    });
    asked.end();
  });
}
