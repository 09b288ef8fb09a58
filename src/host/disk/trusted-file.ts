/** Files that control what root does: only root and the caller may be able to change them. */
import { lstatSync, readlinkSync, statSync } from "node:fs";
import { lstat, readlink, realpath } from "node:fs/promises";
import { dirname, isAbsolute } from "node:path";
import { ConfigError, type Problem } from "../../core/errors.ts";
import { NotRegular, readRegularSync, requireRegular } from "../../platform/regular-file.ts";

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
const REGULAR = 0o100000;
const SYMBOLIC_LINK = 0o120000;

/** The limit of Linux itself. */
const MOST_LINKS = 40;

/**
 * Walks from / to a file, through symbolic links, as OpenSSH's StrictModes does: yields each path whose status is wanted,
 * and returns why another user could change what is read there, or null. With "links": why that user could have made one of the
 * links, which leaves aside what is behind the last one.
 */
export function* walk(
  path: string,
  caller: number,
  judged: "all" | "links" = "all",
): Generator<string, string | null, Status> {
  // not in its normal form: `..` behind a link leads to another place than by the text
  const pending = (isAbsolute(path) ? path : `${process.cwd()}/${path}`).split("/").slice(1);
  let at = "/";
  let links = 0;
  let why: string | null = null;
  let status = yield at;
  for (;;) {
    why ??= changeable(at, status, caller);
    if (why !== null && judged === "all") return `${why}: ${remedyFor(at, status, caller)}`;
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
    why ??= changeable(next, status, caller);
    if (why !== null)
      return judged === "all"
        ? `${why}: ${remedyFor(next, status, caller)}`
        : `${next} is a symbolic link that is not followed: ${why}`;
    links += 1;
    if (links > MOST_LINKS) return `${path} goes through more than ${MOST_LINKS} symbolic links`;
    pending.unshift(...status.link.split("/"));
    if (status.link.startsWith("/")) at = "/";
    status = yield at;
  }
}

/** Why a user other than root and the caller could change what is at `path`; or null. */
function changeable(path: string, { uid, mode, link }: Status, caller: number): string | null {
  const octal = (mode & 0o7777).toString(8).padStart(4, "0");
  const owner = uid === 0 ? "root" : `uid ${uid}`;
  const seen = `${path} (owner ${owner}, mode ${octal})`;
  if (isAnothers(uid, caller))
    return (mode & KIND) === REGULAR
      ? `${seen} must be owned by ${caller === 0 ? "root" : `root or uid ${caller}`}`
      : `${seen} is another user's`;
  // a link's own mode means nothing; in a sticky directory users can replace only their own entries, and each entry is checked
  const harmless = link !== null || ((mode & KIND) === DIRECTORY && (mode & STICKY) !== 0);
  if ((mode & OTHERS_WRITE) === 0 || harmless) return null;
  return (mode & KIND) === REGULAR
    ? `${seen} must not be writable by others`
    : `${seen} can be changed by other users`;
}

const isAnothers = (uid: number, caller: number): boolean => uid !== 0 && uid !== caller;

/** Only the file is OCDD's to change: a directory, link or device has its owner and mode for others who use it. */
function remedyFor(path: string, { uid, mode }: Status, caller: number): string {
  if ((mode & KIND) !== REGULAR)
    return "copy the file to a directory that only root can write to, such as /etc/ocdd";
  return isAnothers(uid, caller) ? `chown root ${path}` : `chmod go-w ${path}`;
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

/** The same without blocking the thread. `judged` as in `walk`. */
export async function distrusted(
  path: string,
  caller: number = self(),
  judged: "all" | "links" = "all",
): Promise<string | null> {
  const walking = walk(path, caller, judged);
  let step = walking.next();
  while (!step.done) {
    const { uid, mode } = await lstat(step.value);
    const link = (mode & KIND) === SYMBOLIC_LINK ? await readlink(step.value) : null;
    step = walking.next({ uid, mode, link });
  }
  return step.value;
}

/**
 * Why a symbolic link on the way to `path`, its end included, is not followed when root writes: another user could have made it. Null
 * where there is none. Nothing need exist at the path. Throws what the file system throws.
 */
export async function foreignLink(path: string): Promise<string | null> {
  // most paths lead through no link
  if ((await realpath(path).catch(() => undefined)) === path) return null;
  return distrusted(path, self(), "links").catch((error: NodeJS.ErrnoException) => {
    // every link before the part that is missing has been checked by then
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  });
}

/**
 * UTF-8 text of a file that controls what root does. Throws ConfigError when another user could have written it or it is no
 * file, and what the file system throws.
 */
export function readTrustedSync(path: string): string {
  try {
    // first: the owner and mode of a device or pipe are no fault, and not to be corrected
    requireRegular(statSync(path));
    const why = distrustedSync(path);
    if (why !== null) throw new ConfigError([refusal(path, why)]);
    return readRegularSync(path).toString("utf8");
  } catch (error) {
    if (!(error instanceof NotRegular)) throw error;
    const message = `is ${error.what}; write the text to a file, which can be read again later`;
    throw new ConfigError([{ where: path, message }]);
  }
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
      requireRegular(statSync(path));
      const why = distrustedSync(path);
      return why === null ? [] : [{ ...refusal(path, why), where, key }];
    } catch (error) {
      // the later read reports what cannot be read
      return error instanceof NotRegular ? [{ where, key, message: `${path} is ${error.what}` }] : [];
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
}

function refusal(path: string, why: string): Problem {
  return { where: path, message: `is not used: ${why}` };
}
