/** URLs of pages in the configuration. */
import { Bad } from "./values.ts";

/** An absolute URL for browsers, as they would write it; empty is none. */
export function webUrl(value: string): string {
  if (value === "") return "";
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new Bad(`is "${value}", must be an http or https URL without a user name`);
  return url.href;
}
