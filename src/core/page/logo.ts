/** Which program's logo a service gets: what its labels name, else what its image's name says. */

import { ICONS, plain } from "./icon.ts";
import { LOGOS } from "./logos.ts";
import { type Logo, PROGRAMS } from "./programs.ts";

export type { Logo } from "./programs.ts";

/** Words by which a program is known → its logo. */
const KNOWN: ReadonlyMap<string, Logo> = new Map(
  (Object.entries(PROGRAMS) as [Logo, string][]).flatMap(([logo, words]) =>
    [logo, ...words.split(" ").filter((word) => word !== "")].map((word): [string, Logo] => [word, logo]),
  ),
);

/** The logo, or null for a line icon: a label that names one of these is followed, also where the program has a logo. */
export function logoOf(own: string | undefined, foreign: string | undefined, image: string): Logo | null {
  for (const text of [plain(own), plain(foreign).replace(/^(mdi|si|sh|fa)-/, "")]) {
    const known = KNOWN.get(text);
    if (Object.hasOwn(ICONS, text)) return null;
    if (known !== undefined) return known;
  }
  return byImage(image);
}

/** By the last part of the image's name, then a word in it, then the part before: `grafana/loki` is of Grafana. */
function byImage(image: string): Logo | null {
  const parts = image
    .slice(0, 512)
    .toLowerCase()
    .replace(/[:@][^/]*$/, "")
    .split("/");
  const [last = "", before = ""] = parts.toReversed();
  const candidates = [last, ...last.split(/[^a-z0-9]+/), before];
  return candidates.flatMap((word) => KNOWN.get(word) ?? [])[0] ?? null;
}

/** A logo that is stored, if there is one of this name. */
export const logoNamed = (name: unknown): Logo | null =>
  typeof name === "string" && Object.hasOwn(LOGOS, name) ? (name as Logo) : null;

/** Its colour as six hexadecimal digits, and its shape on a grid of 240. */
export function drawingOf(logo: Logo): { readonly colour: string; readonly path: string } {
  const text = LOGOS[logo];
  return { colour: text.slice(0, 6), path: text.slice(7) };
}
