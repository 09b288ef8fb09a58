/** Yes or no in a label, in the words that people write in compose files; undefined for any other word. */
export function readBoolean(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (TRUE.has(word)) return true;
  return FALSE.has(word) ? false : undefined;
}

const TRUE: ReadonlySet<string> = new Set(["true", "1", "yes", "on"]);
const FALSE: ReadonlySet<string> = new Set(["false", "0", "no", "off"]);
