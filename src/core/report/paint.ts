/** Colours of words in text for a terminal. */

export type Tone = "good" | "warn" | "bad";

/** Text in the colour of a tone. */
export type Paint = (text: string, tone: Tone) => string;

/** No colours. */
export const PLAIN: Paint = (text) => text;

const TONES: ReadonlyMap<string, Tone> = new Map([
  ...["running", "healthy", "passed", "ok"].map((word) => [word, "good"] as const),
  ...["starting", "pending", "restarting", "paused", "warning", "unknown", "no answer"].map(
    (word) => [word, "warn"] as const,
  ),
  ...["unhealthy", "failed", "exited", "dead", "critical", "no packets"].map(
    (word) => [word, "bad"] as const,
  ),
]);

/** A text that begins with a state or a result, in its colour; any other as it is. */
export function byState(text: string, paint: Paint): string {
  const tone = TONES.get(text) ?? TONES.get(text.split(" ", 1)[0]?.toLowerCase() ?? "");
  return tone === undefined ? text : paint(text, tone);
}
