/** DOCKER_API_URL: the parts of it that apply to a UNIX socket. */
import { Bad } from "./values.ts";

export interface ApiUrl {
  /** `v1.41`, or null to negotiate. */
  readonly version: string | null;
  /** Docker's `filters` parameter, as JSON text, or null. */
  readonly filters: string | null;
}

/**
 * `http://localhost[/v1.41]/containers/json[?filters={...}]`. Docker's socket has no host, and the bash script's curl took
 * any: the text before the path is ignored.
 */
export function apiUrl(value: string): ApiUrl {
  const wrong = new Bad(`is "${value}", must be like http://localhost/containers/json`);
  const match = /^http:[^?#]*?(?:\/+(v\d+\.\d+))?\/+containers\/json(?:\?(.*))?$/.exec(value);
  if (match === null) throw wrong;
  const filters = new URLSearchParams(match[2] ?? "").get("filters");
  if (filters !== null) {
    try {
      JSON.parse(filters);
    } catch {
      throw new Bad("has filters that are no JSON");
    }
  }
  return { version: match[1] ?? null, filters };
}
