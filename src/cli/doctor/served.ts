/** Whether the servers send what the files hold: another program may answer in their place. */
import { Resolver } from "node:dns/promises";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../../core/config/config.ts";
import { pathsOf } from "../../core/paths.ts";
import { readZoneOnDisk, zoneSettings } from "../../core/zone/records.ts";
import { readOctets } from "../../host/disk/file.ts";

/** Milliseconds that a server has to answer. */
export const ANSWER_TIMEOUT_MS = 2_000;

/** `current`: what the file holds, or there is no file. `kept` and `sent` are serials or versions. */
export type Served =
  | { readonly state: "current"; readonly sent: string }
  | { readonly state: "other"; readonly sent: string; readonly kept: string }
  | { readonly state: "silent"; readonly why: string };

/** An address with its port. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

/** The serial that the name server answers with, and that of the zone file. */
export function servedZone(config: Config, at: Place): Promise<Served> {
  return compared(
    async () => {
      const text = await readOctets(config.zoneFile).catch(() => undefined);
      const serial = text === undefined ? 0 : readZoneOnDisk(text, zoneSettings(config), []).serial;
      return serial === 0 ? undefined : String(serial);
    },
    async () => String((await asking(`${at.address}:${at.port}`).resolveSoa(config.zone)).serial),
  );
}

/** The version in the services.json that the web server sends, and in the file: a site's own page may carry none. */
export function servedPage(
  config: Pick<Config, "zone" | "indexFile" | "storageDir">,
  at: Place,
): Promise<Served> {
  return compared(
    async () => versionIn(await readOctets(pathsOf(config).services).catch(() => undefined)),
    async () => {
      const { status, start } = await page(at, config.zone, "/services.json");
      return versionIn(start) ?? `status ${status}`;
    },
  );
}

/** The start of services.json (docs/services-json.md). */
const versionIn = (text: string | undefined): string | undefined =>
  /^\{\s*"schemaVersion": ?\d+,\s*"version": ?"([0-9a-f]{14})"/.exec(text ?? "")?.[1];

/** A server follows a file within some milliseconds: before the two count as different they are compared so often. */
const COMPARISONS = 5;
const PAUSE_MS = 200;

async function compared(
  kept: () => Promise<string | undefined>,
  sent: () => Promise<string>,
): Promise<Served> {
  for (let times = 1; ; times++) {
    const want = await kept();
    let got: string;
    try {
      got = await sent();
    } catch (error) {
      return { state: "silent", why: codeOf(error) };
    }
    if (want === undefined || got === want) return { state: "current", sent: got };
    if (times === COMPARISONS) return { state: "other", sent: got, kept: want };
    await sleep(PAUSE_MS);
  }
}

/** Octets of a document that are read. */
const START = 4_096;

/** Status and first octets of a document, requested by this host name. Throws what the connection does. */
export function page(
  { address, port }: Place,
  host: string,
  path = "/",
): Promise<{ readonly status: number; readonly start: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host };
    const call = request({ host: address, port, path, headers, timeout: ANSWER_TIMEOUT_MS }, (response) => {
      let start = "";
      const end = (): void => {
        resolve({ status: response.statusCode ?? 0, start: start.slice(0, START) });
        response.destroy();
      };
      response.setEncoding("latin1");
      response.on("data", (chunk: string) => {
        start += chunk;
        if (start.length >= START) end();
      });
      response.on("end", end);
      response.on("error", reject);
    });
    call.on("timeout", () => call.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })));
    call.on("error", reject);
    call.end();
  });
}

/** This host's resolver, or the given server alone. */
export function asking(server?: string): Resolver {
  const resolver = new Resolver({ timeout: ANSWER_TIMEOUT_MS, tries: 2 });
  if (server !== undefined) resolver.setServers([server]);
  return resolver;
}

export function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? "no reason given";
}
