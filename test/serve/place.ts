import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Test } from "tap";
import { readConfig } from "../../src/core/config/config.ts";
import type { Say } from "../../src/daemon/log.ts";
import { serveAll } from "../../src/serve/serve.ts";
import { NO_ACTIVATED_SOCKETS } from "../../src/serve/socket-activation.ts";
import { freePorts } from "./peers.ts";

/** Where a whole `ocdd serve` runs on loopback: a zone, a page, and a configuration for ports that are free. */
export interface Place {
  readonly dir: string;
  readonly dns: number;
  readonly web: number;
  readonly conf: string;
}

/** Made for `zone`, whose file holds `text`; `keys` come on top. The caller removes its directory. */
export async function makePlace(
  zone: string,
  text: string,
  keys: Readonly<Record<string, string>> = {},
): Promise<Place> {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-place-"));
  const [dns, web] = (await freePorts(2)) as [number, number];
  for (const name of ["dns", "www"]) mkdirSync(join(dir, name));
  writeFileSync(join(dir, `dns/${zone}.zone`), text);
  writeFileSync(join(dir, "www/index.html"), "<title>page</title>\n");
  const conf = join(dir, "ocdd.conf");
  const all = {
    NETWORK_DEVICE: "lo",
    HOST_IP: "127.0.0.1",
    IP_RANGE: "10.9.0.1-10.9.0.9",
    TOOLBOX_SUBDOMAIN_NAME: zone,
    STORAGE_DIR: dir,
    DNS_LISTEN: "127.0.0.1",
    DNS_PORT: String(dns),
    WEB_LISTEN: "127.0.0.1",
    WEB_PORT: String(web),
    ...keys,
  };
  const lines = Object.entries(all).map(([key, value]) => `${key}='${value}'\n`);
  writeFileSync(conf, lines.join(""));
  return { dir, dns, web, conf };
}

/** Runs `ocdd serve` there, in this process, until the test ends; then the directory is removed. Resolves when it listens. */
export async function serveAt(t: Test, { dir, conf }: Place): Promise<void> {
  const sources = { file: conf, text: readFileSync(conf, "utf8"), environment: new Map(), flags: [] };
  const over = new AbortController();
  const listening = Promise.withResolvers<void>();
  const say: Say = (_, text) => {
    if (text.startsWith("listening on ")) listening.resolve();
  };
  const served = serveAll(readConfig(sources), say, over.signal, { handed: NO_ACTIVATED_SOCKETS });
  t.teardown(async () => {
    over.abort();
    await served;
    rmSync(dir, { recursive: true });
  });
  await Promise.race([listening.promise, served]);
}
