/** The name servers that this host uses. */

import { type Ipv4, parseIpv4 } from "../../core/addresses/ipv4.ts";
import { readText } from "./file.ts";

/** resolv.conf(5); the second names the servers of systemd-resolved where the first names only its stub. */
const FILES = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"] as const;

/** IPv4 addresses of the name servers, loopback left out. Never throws: a file that cannot be read names none. */
export async function readResolvers(files: readonly string[] = FILES): Promise<Ipv4[]> {
  const texts = await Promise.all(files.map((file) => readText(file).catch(() => undefined)));
  return [...new Set(texts.flatMap((text) => resolversOf(text ?? "")))];
}

/** Those of one file's text. */
export function resolversOf(text: string): Ipv4[] {
  return text.split("\n").flatMap((line) => {
    const address = parseIpv4(/^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? "");
    return address === undefined || address.startsWith("127.") ? [] : [address];
  });
}
