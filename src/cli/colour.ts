/** Colours for a terminal. */
import { styleText } from "node:util";
import { type Paint, PLAIN, type Tone } from "../core/report/paint.ts";

const COLOURS = { good: "green", warn: "yellow", bad: "red" } as const satisfies Record<Tone, string>;

/** No colours where they are not wanted, `stream` is no terminal, or NO_COLOR is set: `styleText` looks at the last two. */
export function colours(wanted: boolean, stream: NodeJS.WriteStream): Paint {
  return wanted ? (text, tone) => styleText(COLOURS[tone], text, { stream }) : PLAIN;
}
