/** Untrusted text, made safe for one line of a terminal, log or page. */
export function clip(text: string | undefined, most = 60): string {
  const line = (text ?? "").slice(0, most + 1).replace(/[\p{C}\u2028\u2029]/gu, "\ufffd");
  return line.length > most ? `${line.slice(0, most)}…` : line;
}
