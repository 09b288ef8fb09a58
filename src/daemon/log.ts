/** Lines for the log of `watch` and `serve`: plain text, for journald, or JSON. */

export type Level = "info" | "warning" | "error";
export type Say = (level: Level, message: string) => void;
export type LogFormat = "text" | "journal" | "json";

/** Priorities of sd-daemon(3). */
const PRIORITY = { info: 6, warning: 4, error: 3 } as const;

/** One line, without its end. `now` is in milliseconds since the epoch. */
export function logLine(format: LogFormat, level: Level, message: string, now: number): string {
  // what reaches a message was clipped already; a line end left in it would make two lines of one
  const text = message.replace(/[\r\n]+/g, " ");
  if (format === "json") return JSON.stringify({ time: new Date(now).toISOString(), level, message: text });
  if (format === "journal") return `<${PRIORITY[level]}>level=${level} msg=${JSON.stringify(text)}`;
  return level === "info" ? text : `${level}: ${text}`;
}
