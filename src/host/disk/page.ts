/** The files around the index page: what it is made with, and when the director last ran. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type PageTemplate, templateOf } from "../../core/page/template.ts";
import { HOME } from "../../platform/home.ts";
import { storageError } from "./file.ts";

const OWN = join(HOME, "templates");

/** The page's template: a site's own files, each one that it lacks from ours. Never throws: a page is no reason to stop. */
export async function readTemplate(siteDirectory: string): Promise<PageTemplate> {
  const problems: string[] = [];
  const read = async (name: string): Promise<string> => {
    if (siteDirectory !== "") {
      const file = join(siteDirectory, name);
      try {
        return await readFile(file, "utf8");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT")
          problems.push(`${storageError(file, "read", error).message}; the page's own ${name} is used`);
      }
    }
    return readFile(join(OWN, name), "utf8").catch(() => "");
  };
  const [index, style, script] = await Promise.all([read("index.html"), read("style.css"), read("app.js")]);
  return templateOf({ index, style, script }, problems);
}

/**
 * Leaves the time beside the page, as seconds since the epoch. It is no content of the page, which an idle run does not
 * change; without it nobody could tell an idle host from a dead director.
 */
export async function noteRun(file: string): Promise<void> {
  try {
    await writeFile(file, `${Math.floor(Date.now() / 1000)}\n`);
  } catch (error) {
    throw storageError(file, "write", error);
  }
}

/** When a run last ended well, in seconds since the epoch; null when none has. */
export async function lastRunOf(file: string): Promise<number | null> {
  return stat(file).then(
    (found) => Math.floor(found.mtimeMs / 1000),
    () => null,
  );
}
