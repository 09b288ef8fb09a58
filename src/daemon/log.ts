/** Lines for the log of `watch` and `serve`: plain text, for journald, or JSON. */
import { clip } from "../core/clip.ts";

export type Level = "info" | "warning" | "error";
export type Say = (level: Level, message: string) => void;
export type LogFormat = "text" | "journal" | "json";

/** Priorities of sd-daemon(3). */
const PRIORITY = { info: 6, warning: 4, error: 3 } as const;

/** Characters of a message at most. */
const LONGEST = 4_096;

/**
 * One line, without its end. Whatever text of containers, files or the network is in the message: the line has no control
 * characters, which would change a terminal, and an end. `now` is in milliseconds since the epoch.
 */
export function logLine(format: LogFormat, level: Level, message: string, now: number): string {
  const text = clip(message.slice(0, 2 * LONGEST).replace(/[\t\r\n]+/g, " "), LONGEST);
  if (format === "json") return JSON.stringify({ time: new Date(now).toISOString(), level, message: text });
  if (format === "journal") return `<${PRIORITY[level]}>level=${level} msg=${JSON.stringify(text)}`;
  return level === "info" ? text : `${level}: ${text}`;
}
