/** Pictures of pages. A run of the tests puts them where git ignores them, `npm run pictures` into the documentation. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "./chromium.ts";

/** Pictures that the documents show, with a slash at the end. */
export const DOCUMENTED: string = fileURLToPath(new URL("../../docs/pictures/", import.meta.url));
const IGNORED = fileURLToPath(new URL("pictures/", import.meta.url));
const directory = process.env.OCDD_PICTURES === "docs" ? DOCUMENTED : IGNORED;

/** Files that this process has written. */
export const taken: Set<string> = new Set();

/** Writes what a page shows in its window to `name`.png. */
export async function takePicture(page: Page, name: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  await page.screenshot({ path: `${directory}${name}.png` });
  taken.add(`${name}.png`);
}
