/** Paths of the configuration for programs that take them by their text: systemd refuses `..`, which behind a symbolic link means another directory. */
import { realpath } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { normal } from "../../core/paths.ts";

/** Where a path leads: links are followed as far as there is something, and the rest is added. Absolute, without `.` and `..`. */
export async function realPath(path: string): Promise<string> {
  let at = "/";
  for (const part of path.split("/")) {
    const next = join(at, part);
    at = await realpath(next).catch(() => next);
  }
  return at;
}

/**
 * The same place by a path without `.` and `..`, from the working directory on where it is relative. Links stay in a path that has no `..`:
 * they may lead elsewhere later.
 */
export async function plainPath(path: string): Promise<string> {
  const whole = isAbsolute(path) ? path : `${process.cwd()}/${path}`;
  return whole.split("/").includes("..") ? realPath(whole) : normal(whole);
}
