/** Files inside a container, read through Docker: it need not run, and no program of it is run. */
import { Readable } from "node:stream";
import { extract } from "tar-stream";
import { HostError } from "../../core/errors.ts";
import type { Engine } from "./engine.ts";
import { orNone } from "./error.ts";
import { isContainerId, number, record, string } from "./json.ts";

export interface FileLimits {
  /** Octets of one file, of all together, and files. */
  readonly octets: number;
  readonly total: number;
  readonly files: number;
}

export interface FilesRead {
  /** Name within the directory → UTF-8 text. In no order. */
  readonly files: ReadonlyMap<string, string>;
  /** Names of files that were left out: too large, too many, or no regular file. Untrusted. */
  readonly leftOut: readonly string[];
  /** What is there in place of the directory; null where it is one, or nothing is there. */
  readonly instead: "link" | "file" | null;
}

/** Names of files that were left out which are kept. */
const MOST_NAMES = 16;
const DEADLINE_MS = 10_000;

/**
 * Regular files of one directory whose names end in `suffix`; links are not followed, nor is the directory itself where it is one;
 * directories in it are not entered. None where there is no such directory. Throws HostError.
 */
export async function readDirectory(
  engine: Engine,
  container: string,
  directory: string,
  suffix: string,
  limits: FileLimits,
): Promise<FilesRead> {
  const request = { path: archivePath(container), query: { path: directory } };
  const read = (body: Readable): Promise<FilesRead> => readTar(body, suffix, limits);
  const found = await engine.ask(request, read, { deadline: DEADLINE_MS, again: true }).catch(orNone(404));
  return found ?? { files: new Map(), leftOut: [], instead: null };
}

async function readTar(body: Readable, suffix: string, limits: FileLimits): Promise<FilesRead> {
  const files = new Map<string, string>();
  const leftOut: string[] = [];
  let instead: FilesRead["instead"] = null;
  const leave = (name: string): void => void (leftOut.length < MOST_NAMES && leftOut.push(name));
  const entries = extract();
  const source = Readable.from(bounded(body, limits.total));
  source.on("error", (error) => entries.destroy(error));
  source.pipe(entries);
  try {
    for await (const entry of entries) {
      const { name: path, type, size = 0 } = entry.header;
      // what was asked for comes by its own name, without a directory before it
      if (!path.includes("/") && type !== "directory") instead = type === "symlink" ? "link" : "file";
      const [, name = ""] = /^[^/]*\/([^/]+)$/.exec(path) ?? [];
      const wanted = name.endsWith(suffix);
      const fits = type === "file" && size <= limits.octets && files.size < limits.files;
      const parts: Buffer[] = [];
      for await (const part of entry) if (wanted && fits) parts.push(part as Buffer);
      if (wanted && fits) files.set(name, Buffer.concat(parts).toString("utf8"));
      else if (wanted) leave(name);
    }
  } finally {
    // the connection stays open for as long as its answer is not read to the end
    source.destroy();
    body.destroy();
  }
  return { files, leftOut, instead };
}

async function* bounded(body: AsyncIterable<Buffer>, most: number): AsyncGenerator<Buffer> {
  let octets = 0;
  for await (const part of body) {
    octets += part.length;
    if (octets > most) throw new HostError("refused", `its files are larger than ${most} octets together`);
    yield part;
  }
}

/** Bits of Go's file mode, which Docker gives: a symbolic link, a directory, and the right to execute. */
const MODE_LINK = 2 ** 27;
const MODE_DIRECTORY = 2 ** 31;
const MODE_EXECUTE = 0o111;

/** Whether a path in a container is a file that may be executed, or a link, which may lead to one. Throws HostError. */
export async function isExecutable(engine: Engine, container: string, path: string): Promise<boolean> {
  const request = { method: "HEAD", path: archivePath(container), query: { path } } as const;
  const read = async (body: Readable): Promise<boolean> => {
    body.resume();
    const { headers = {} } = body as { headers?: Record<string, unknown> };
    const stat = Buffer.from(string(headers["x-docker-container-path-stat"]), "base64").toString("utf8");
    const mode = number(record(parsed(stat)).mode);
    const has = (bits: number): boolean => Math.floor(mode / bits) % 2 === 1;
    return !has(MODE_DIRECTORY) && (has(MODE_LINK) || (mode & MODE_EXECUTE) !== 0);
  };
  return (await engine.ask(request, read, { again: true }).catch(orNone(404))) ?? false;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function archivePath(container: string): string {
  if (!isContainerId(container)) throw new HostError("docker", "no container id");
  return `/containers/${container}/archive`;
}
