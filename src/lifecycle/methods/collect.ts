/** Collects the metrics of a container, by a command in it or by HTTP at its own address. */
import { type Family, MOST_EXPOSITION_OCTETS, readExposition } from "../../core/methods/exposition.ts";
import type { Method } from "../../core/methods/method.ts";
import { lines, tail } from "../../core/methods/output.ts";
import type { Task } from "../../core/methods/tasks.ts";
import { httpBody } from "../../host/connect.ts";
import type { DockerMethods } from "../../host/docker/methods.ts";

export interface Collected {
  readonly families: readonly Family[];
  readonly series: number;
  /** Characters of its text. */
  readonly length: number;
}

const ACCEPT = "text/plain;version=0.0.4;q=1,*/*;q=0.1";

/** Throws the reason in words where there are none. */
export async function collect(
  docker: Pick<DockerMethods, "execute">,
  { container, service, address }: Task,
  { action, timeout }: Method,
  signal: AbortSignal,
): Promise<Collected> {
  const octets =
    "argv" in action
      ? await printed(docker, { container, argv: action.argv, timeoutMs: timeout * 1000, signal })
      : await httpBody(
          { address, port: action.http.port, path: action.http.path, host: hostOf(action.http.url, address) },
          ACCEPT,
          { deadlineMs: timeout * 1000, octets: MOST_EXPOSITION_OCTETS },
          signal,
        );
  const read = readExposition(decoded(octets), service);
  if ("problem" in read) throw new Error(`its metrics cannot be read: ${read.problem}`);
  return read;
}

/** The URL's own host and port, or the address. */
function hostOf(url: string, address: string): string {
  const [, name = "", port = ""] = /^http:\/\/([^:/]*)(:\d+)?/i.exec(url) ?? [];
  return `${name || address}${port}`;
}

function decoded(octets: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch {
    throw new Error("its metrics are no UTF-8");
  }
}

interface Command {
  readonly container: string;
  readonly argv: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const TAIL = 1_000;

/** What a command has printed on its standard output; one that prints more than is read is ended. */
async function printed(docker: Pick<DockerMethods, "execute">, command: Command): Promise<Buffer> {
  const parts: Buffer[] = [];
  const said = tail(TAIL);
  const errors = lines(said.add);
  const full = new AbortController();
  let octets = 0;
  const end = (): void => full.abort();
  command.signal.addEventListener("abort", end, { once: true });
  if (command.signal.aborted) end();
  try {
    const { status, ended } = await docker.execute({
      ...command,
      signal: full.signal,
      onOutput({ stream, octets: part }) {
        if (stream === "stderr") return errors.push(part);
        octets += part.length;
        if (octets > MOST_EXPOSITION_OCTETS) end();
        else parts.push(Buffer.from(part));
      },
    });
    if (octets > MOST_EXPOSITION_OCTETS)
      throw new Error(`it printed more than ${MOST_EXPOSITION_OCTETS} octets`);
    if (ended === "timeout") throw new Error(`it was ended after ${command.timeoutMs / 1000} s`);
    errors.end();
    if (status !== 0)
      throw new Error(`it ended with status ${status}${said.last() === "" ? "" : `: ${said.last()}`}`);
    return Buffer.concat(parts);
  } finally {
    command.signal.removeEventListener("abort", end);
    end();
  }
}
