/** The files around the index page: its template, and when the director last ran. */

import { constants, stat } from "node:fs/promises";
import { join } from "node:path";
import { isStamp } from "../../core/config/outputs.ts";
import { HostError } from "../../core/errors.ts";
import { type PageTemplate, templateOf } from "../../core/page/template.ts";
import { HOME } from "../../platform/home.ts";
import { readRegular } from "../../platform/regular-file.ts";
import { inTime } from "./deadline.ts";
import { openOwn } from "./destination.ts";
import { storageError } from "./file.ts";
import { distrusted } from "./trusted-file.ts";

const OWN = join(HOME, "templates");

/** Files of a site's template directory. */
export const TEMPLATE_FILES = ["index.html", "style.css", "app.js"] as const;

/** The page's template: a site's own files, OCDD's for those that it lacks. Never throws: the page must not stop a run. */
export async function readTemplate(siteDirectory: string): Promise<PageTemplate> {
  const problems: string[] = [];
  if (
    siteDirectory !== "" &&
    !(await stat(siteDirectory).then(
      (found) => found.isDirectory(),
      () => false,
    ))
  )
    problems.push(
      `WEB_TEMPLATE_DIR ${siteDirectory} is no directory that can be read; the page's own files are used`,
    );
  const read = async (name: string): Promise<string> => {
    if (siteDirectory !== "") {
      const file = join(siteDirectory, name);
      try {
        const why = await distrusted(file);
        if (why === null) return await readRegular(file, "utf8");
        problems.push(`${why}; the page's own ${name} is used`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT")
          problems.push(`${storageError(file, "read", error).message}; the page's own ${name} is used`);
      }
    }
    return readRegular(join(OWN, name), "utf8").then(slim, () => "");
  };
  const [index = "", style = "", script = ""] = await Promise.all(TEMPLATE_FILES.map(read));
  return templateOf({ index, style, script }, problems);
}

/** Without comments and indentation: every visitor loads them. Only for OCDD's own files, which have them on lines of their own. */
function slim(text: string): string {
  return text.replace(/^[ \t]+/gm, "").replace(/^(\/\/.*|\/\*[^*]*\*\/)?\n/gm, "");
}

/** Octets of the file that are looked at; more than a time has. */
const STAMP_OCTETS = 32;

/**
 * Leaves the time beside the page, as seconds since the epoch. An idle run does not
 * change the page itself, so without this file an idle host looks like a stopped director.
 * Throws HostError "storage", also where the file holds something else.
 */
export async function noteRun(file: string): Promise<void> {
  try {
    await inTime(file, async () => {
      const note = await openOwn(file, constants.O_RDWR | constants.O_CREAT, 0o644);
      try {
        const { bytesRead, buffer } = await note.read(Buffer.alloc(STAMP_OCTETS), 0, STAMP_OCTETS, 0);
        if (bytesRead === STAMP_OCTETS || !isStamp(buffer.toString("latin1", 0, bytesRead)))
          throw new HostError("storage", `${file} holds something that OCDD did not write`, {
            remedy: "move it away, or set WEB_INDEX_FILE to another directory",
          });
        await note.truncate();
        await note.write(`${Math.floor(Date.now() / 1000)}\n`, 0);
      } finally {
        await note.close();
      }
    });
  } catch (error) {
    throw storageError(file, "write", error);
  }
}

/** Time of the last successful run, in seconds since the epoch; null without one. */
export async function lastRunOf(file: string): Promise<number | null> {
  return stat(file).then(
    (found) => Math.floor(found.mtimeMs / 1000),
    () => null,
  );
}
