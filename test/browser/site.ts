/** A decision served on loopback by the product's own web server, for tests of the page that need no lab. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Decision } from "../../src/core/model.ts";
import { type HttpOptions, serveHttp, type WebServer } from "../../src/serve/http/server.ts";
import { ZONE } from "../core/make.ts";

export interface Site {
  readonly url: string;
  readonly server: WebServer;
  /** Writes as the director does: the services first, each file whole by rename. */
  show(decision: Decision): void;
  /** When the director last ran, in seconds since the epoch. */
  ran(at: number): void;
  close(): Promise<void>;
}

/** Below the ports that the kernel gives to connections. */
let nextPort = 22_000 + (process.pid % 10_000);

export async function openSite(
  decision: Decision,
  options: Pick<HttpOptions, "fallbackUrl"> = {},
): Promise<Site> {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-site-"));
  const port = nextPort++;
  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, `${name}.new`), text);
    renameSync(join(directory, `${name}.new`), join(directory, name));
  };
  const show = ({ desired }: Decision): void => {
    write("services.json", desired.page.services);
    write("index.html", desired.page.html);
    write("zone", desired.zone.text);
  };
  const ran = (at: number): void => write("last-run", `${at}\n`);
  show(decision);
  ran(Math.floor(Date.now() / 1000));
  const server = await serveHttp({
    zone: ZONE,
    hostNames: [],
    listen: ["127.0.0.1"],
    port,
    indexFile: join(directory, "index.html"),
    servicesFile: join(directory, "services.json"),
    lastRunFile: join(directory, "last-run"),
    zoneFile: join(directory, "zone"),
    selfFile: join(directory, "self.json"),
    log: () => undefined,
    ...options,
  });
  return {
    url: `http://127.0.0.1:${port}/`,
    server,
    show,
    ran,
    async close() {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
