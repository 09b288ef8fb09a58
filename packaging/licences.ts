/** Licences of what is shipped: the texts of the packages in the bundle, and the file of a package beside it. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** The ISC licence below its line of copyright, for packages that name it and hold no text of it. */
const ISC = `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby
granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.`;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly author?: string;
}

/** Name of a package's licence file in its directory; undefined when it has none. */
export async function licenceFile(directory: string): Promise<string | undefined> {
  return (await readdir(directory)).find((name) => /^licen[cs]e/i.test(name));
}

/**
 * Name, version, licence and its text of each package, given its directory; one text of all of them.
 * Throws for a package whose terms are not known: it may not be shipped.
 */
export async function licences(directories: readonly string[]): Promise<string> {
  const texts = directories.map(async (directory) => {
    const manifest = JSON.parse(await readFile(join(directory, "package.json"), "utf8")) as Manifest;
    const file = await licenceFile(directory);
    const terms = file === undefined ? termsOf(manifest) : await readFile(join(directory, file), "utf8");
    return `${manifest.name} ${manifest.version} (${manifest.license})\n\n${terms.trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${"-".repeat(72)}\n\n`);
}

function termsOf({ name, license, author }: Manifest): string {
  if (license !== "ISC" || author === undefined)
    throw new Error(`${name}: no licence file and "${license}" in package.json: its terms are not known`);
  return `Copyright (c) ${author}\n\n${ISC}`;
}
