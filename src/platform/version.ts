/** The version of OCDD that is installed. */
import { readFileSync } from "node:fs";
import { HOME } from "./home.ts";

/** As in package.json. */
export function version(): string {
  const text = readFileSync(`${HOME}/package.json`, "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
