/** The systemd units of this installation: the templates with its paths, and a socket for each endpoint of the server's. */
import { readdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import type { Config } from "../../core/config/config.ts";
import type { ListenAddress } from "../../core/config/values.ts";
import { HostError } from "../../core/errors.ts";
import { HOME } from "../../platform/home.ts";
import { plainPath, realPath } from "./real-path.ts";

export const TEMPLATES: string = `${HOME}/templates`;
const SOCKET_TEMPLATE = "ocdd-serve.socket";

/** The text for a template's `@NAME@`; a list is joined by blanks. */
export type Values = ReadonlyMap<string, string | readonly string[]>;

export interface Unit {
  readonly name: string;
  readonly text: string;
}

/**
 * A unit's text with this installation's values; a placeholder without one becomes empty. Throws HostError for a value that a
 * unit cannot hold.
 */
export function fillTemplate(text: string, values: Values): string {
  return text.replace(/@([A-Z_]+)@/g, (_, name: string) => {
    const value = values.get(name) ?? "";
    const parts = typeof value === "string" ? [value] : value;
    for (const part of parts) {
      if (/[\s"'\\%$]/.test(part)) {
        throw new HostError(
          "refused",
          `"${part}" cannot be used in a systemd unit: it holds a blank, quote, % or $`,
        );
      }
    }
    return parts.join(" ");
  });
}

/** Every unit of this installation; the services read the file that the configuration is of. Throws HostError as fillTemplate does. */
export async function unitsOf(config: Config, hostIp: Ipv4): Promise<Unit[]> {
  const named = [config.file, config.storageDir, config.tsigKeyFile];
  const [conf = "", storage = "", keys = ""] = await Promise.all(
    named.map((path) => (path === "" ? "" : plainPath(path))),
  );
  const [zone, index] = await Promise.all([directoriesOf(config.zoneFile), directoriesOf(config.indexFile)]);
  const endpoints = endpointsOf(config, hostIp);
  const used = [HOME, conf, storage, ...zone, ...index];
  const paths = [...used, ...(await Promise.all(used.map(realPath)))].map((path) => `${path}/`);
  const values: Values = new Map<string, string | readonly string[]>([
    ["HOME", HOME],
    ["CONF", conf],
    ["STORAGE_DIR", storage],
    ["ZONE_DIR", zone],
    ["INDEX_DIR", index],
    ["SYNC_INTERVAL", String(config.syncInterval)],
    // files in a home directory must stay visible to the services that read them
    ["PROTECT_HOME", paths.some((path) => /^\/(home|root)\//.test(path)) ? "read-only" : "yes"],
    ["CREDENTIAL", keys === "" ? "" : `LoadCredential=tsig:${keys}`],
    ["SOCKETS", endpoints.map(({ name }) => name)],
  ]);
  const names = (await readdir(TEMPLATES)).filter((name) => /\.(service|timer)$/.test(name));
  const units = names.map(async (name) => ({ name, text: fillTemplate(await template(name), values) }));
  const socket = await template(SOCKET_TEMPLATE);
  const sockets = endpoints.map(({ name, places }) => ({
    name,
    text: fillTemplate(socket, new Map([...values, ...places])),
  }));
  return [...(await Promise.all(units)), ...sockets];
}

/** The directory of a file, and for a symbolic link that of its target, which is the file that is written. */
async function directoriesOf(path: string): Promise<string[]> {
  return [...new Set([await plainPath(dirname(path)), dirname(await realPath(path))])];
}

const template = (name: string): Promise<string> => readFile(`${TEMPLATES}/${name}`, "utf8");

/**
 * The server's endpoints, a socket unit each: systemd opens all of a unit's sockets or none, and a port in use by
 * another program must affect that endpoint only.
 */
function endpointsOf(
  config: Config,
  hostIp: Ipv4,
): { readonly name: string; readonly places: readonly (readonly [string, string])[] }[] {
  const addresses = (listen: readonly ListenAddress[]): string[] => [
    ...new Set(listen.map((address) => (address === "HOST_IP" ? hostIp : address))),
  ];
  const endpoint = (kind: "dns" | "web", address: string, port: number) => {
    const at = `${address}:${port}`;
    const places = [
      ["KIND", kind === "dns" ? "names" : "page"],
      ["AT", at],
      ["DATAGRAM", kind === "dns" ? `ListenDatagram=${at}` : ""],
    ] as const;
    return { name: `ocdd-serve-${kind}-${address}.socket`, places };
  };
  return [
    ...addresses(config.dnsListen).map((address) => endpoint("dns", address, config.dnsPort)),
    ...(config.webEnabled
      ? addresses(config.webListen).map((address) => endpoint("web", address, config.webPort))
      : []),
  ];
}
