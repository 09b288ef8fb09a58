/** Files that control what root does: only root and the caller may be able to change them. */
import { lstatSync, readFileSync, readlinkSync } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ConfigError, type Problem } from "../../core/errors.ts";

/** The part of a file's status that decides which users can change it. */
export interface Status {
  readonly uid: number;
  readonly mode: number;
  readonly link: string | null;
}

const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
const KIND = 0o170000;
const DIRECTORY = 0o040000;
const SYMBOLIC_LINK = 0o120000;

/** The limit of Linux itself. */
const MOST_LINKS = 40;

/**
 * Walks from / to a file, through symbolic links, as OpenSSH's StrictModes does: yields each path whose status is wanted,
 * and returns why another user could change what is read there, or null.
 */
export function* walk(path: string, caller: number): Generator<string, string | null, Status> {
  const pending = resolve(path).split("/").slice(1);
  let at = "/";
  let links = 0;
  let status = yield at;
  for (;;) {
    const why = changeable(at, status, caller);
    if (why !== null) return why;
    const name = pending.shift();
    if (name === undefined) return null;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at = dirname(at);
      status = yield at;
      continue;
    }
    const next = at === "/" ? `/${name}` : `${at}/${name}`;
    status = yield next;
    if (status.link === null) {
      at = next;
      continue;
    }
    const refused = changeable(next, status, caller);
    if (refused !== null) return refused;
    links += 1;
    if (links > MOST_LINKS) return `${path} goes through more than ${MOST_LINKS} symbolic links`;
    pending.unshift(...status.link.split("/"));
    if (status.link.startsWith("/")) at = "/";
    status = yield at;
  }
}

/** Why a user other than root and the caller could change what is at `path`, with the remedy; or null. */
export function changeable(path: string, { uid, mode, link }: Status, caller: number): string | null {
  const octal = (mode & 0o7777).toString(8).padStart(4, "0");
  const owner = uid === 0 ? "root" : `uid ${uid}`;
  const seen = `${path} (owner ${owner}, mode ${octal})`;
  if (uid !== 0 && uid !== caller) {
    const wanted = caller === 0 ? "root" : `root or uid ${caller}`;
    return `${seen} must be owned by ${wanted}: chown root ${path}`;
  }
  // a link's own mode means nothing; in a sticky directory users can replace only their own entries, and each entry is checked
  const harmless = link !== null || ((mode & KIND) === DIRECTORY && (mode & STICKY) !== 0);
  return (mode & OTHERS_WRITE) === 0 || harmless
    ? null
    : `${seen} must not be writable by others: chmod go-w ${path}`;
}

/** Effective uid of this process. */
const self = (): number => process.geteuid?.() ?? 0;

/** Why the file at `path` is not trusted, or null. Throws what lstat throws. */
export function distrustedSync(path: string, caller: number = self()): string | null {
  const walking = walk(path, caller);
  let step = walking.next();
  while (!step.done) {
    const { uid, mode } = lstatSync(step.value);
    const link = (mode & KIND) === SYMBOLIC_LINK ? readlinkSync(step.value) : null;
    step = walking.next({ uid, mode, link });
  }
  return step.value;
}

/** The same without blocking the thread. */
export async function distrusted(path: string, caller: number = self()): Promise<string | null> {
  const walking = walk(path, caller);
  let step = walking.next();
  while (!step.done) {
    const { uid, mode } = await lstat(step.value);
    const link = (mode & KIND) === SYMBOLIC_LINK ? await readlink(step.value) : null;
    step = walking.next({ uid, mode, link });
  }
  return step.value;
}

/**
 * UTF-8 text of a file that controls what root does. Throws ConfigError when another user could have written it, and
 * what the file system throws.
 */
export function readTrustedSync(path: string): string {
  const why = distrustedSync(path);
  if (why !== null) throw new ConfigError([refusal(path, why)]);
  return readFileSync(path, "utf8");
}

/** A key of the configuration and the path it names; an empty path names none. */
export interface NamedPath {
  readonly key: string;
  readonly where: string;
  readonly path: string;
}

/** Throws one ConfigError for all paths that are not trusted. Missing and unreadable ones are skipped. */
export function requireTrusted(named: readonly NamedPath[]): void {
  const problems = named.flatMap(({ key, where, path }): Problem[] => {
    if (path === "") return [];
    try {
      const why = distrustedSync(path);
      return why === null ? [] : [{ ...refusal(path, why), where, key }];
    } catch {
      // the later read reports it
      return [];
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
}

function refusal(path: string, why: string): Problem {
  return { where: path, message: `is not used: ${why}` };
}
