/** The product under test, run on the lab's host as its users run it. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { HOST_ADDRESS, ZONE } from "./network.ts";
import { type Daemon, type Outcome, run, until } from "./process.ts";

export interface OcddOptions {
  /** Keys on top of the example's, whose socket and storage directory are the lab's. */
  readonly conf?: Readonly<Record<string, string>>;
  /** The whole text of the configuration file instead. */
  readonly text?: string;
  /** True: the example's text as it is, where /opt and /var/run/docker.sock are the lab's; see `originalStorage`. */
  readonly original?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly input?: string;
}

/** What these functions need of a lab. */
interface HostOfLab {
  readonly dir: string;
  readonly dockerSocket: string;
  enterFully(place: string): string[];
  startOcdd(args: readonly string[], options?: OcddOptions): Daemon;
  run(where: string, argv: readonly string[], options?: { check?: boolean }): Promise<Outcome>;
}

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

/** Tests run the source; benchmarks (OCDD_INSTALLED) what `npm run build` made of it, as it is installed. */
const PROGRAM: readonly string[] =
  process.env.OCDD_INSTALLED === undefined
    ? [process.execPath, join(REPOSITORY, "src/cli/main.ts")]
    : [join(REPOSITORY, "bin/ocdd")];

/** Where the lab's OCDD keeps its files. */
export const storage = (lab: { readonly dir: string }): string => join(lab.dir, "storage");

/** The same for runs with the original's configuration. */
export const originalStorage = (lab: { readonly dir: string }): string => join(lab.dir, "original/opt/ocdd");

/** The example's configuration file as users have it, byte for byte. */
export const exampleConf = (): string => readFileSync(join(REPOSITORY, "ocdd.conf.example"), "utf8");

/**
 * Write a configuration file: the example's lines, the lab's socket and storage, the caller's keys. Without one of theirs `watch`
 * makes no full run after its first, which would hide that an event was lost.
 */
export function writeConf(lab: HostOfLab, options: OcddOptions = {}): string {
  const keys = {
    DOCKER_SOCKET: lab.dockerSocket,
    SERVICES: "none",
    SYNC_INTERVAL: "86400",
    ...options.conf,
  };
  const text =
    options.text ??
    (options.original ? exampleConf() : undefined) ??
    [
      // STORAGE_DIR in its place: later lines of the example refer to it
      exampleConf().replace(/^STORAGE_DIR=.*$/m, `STORAGE_DIR=${options.conf?.STORAGE_DIR ?? storage(lab)}`),
      ...Object.entries(keys).map(([key, value]) => `${key}='${value}'`),
      "",
    ].join("\n");
  mkdirSync(join(lab.dir, "conf"), { recursive: true });
  // One file a configuration: parallel runs do not overwrite each other's.
  const file = join(lab.dir, "conf", `${hash(text)}.conf`);
  writeFileSync(file, text);
  return file;
}

/** The argument vector of `ocdd ARGS` on the host. */
export function ocddCommand(lab: HostOfLab, args: readonly string[], options: OcddOptions = {}): string[] {
  const paths = options.original ? ["sh", join(REPOSITORY, "test/lab/original-paths.sh"), lab.dir] : [];
  return [...lab.enterFully("host"), ...paths, ...PROGRAM, "--config", writeConf(lab, options), ...args];
}

/** Its environment: whatever the file says, nothing is installed on the machine itself, and no configuration of the developer is read. */
export const ocddEnvironment = (options: OcddOptions = {}): Record<string, string> => ({
  OCDD_CONF: "",
  OCDD_SERVICES: "none",
  NO_COLOR: "1",
  ...options.env,
});

/** Run it to its end; a status other than 0 is a result, not an error. */
export function ocdd(lab: HostOfLab, args: readonly string[], options: OcddOptions): Promise<Outcome> {
  return run(ocddCommand(lab, args, options), {
    check: false,
    cwd: lab.dir, // no ./ocdd.conf of a developer's
    timeout: options.timeout ?? 600_000,
    ...(options.input === undefined ? {} : { input: options.input }),
    env: ocddEnvironment(options),
  });
}

/** Start `ocdd serve`; returns when its DNS answers for the zone. */
export async function serve(lab: HostOfLab, options: OcddOptions): Promise<Daemon> {
  const daemon = lab.startOcdd(["serve"], options);
  const port = options.conf?.DNS_PORT ?? "53";
  const zone = options.conf?.TOOLBOX_SUBDOMAIN_NAME ?? ZONE;
  const dig = ["dig", "+short", "+time=1", "+tries=1", "-p", port, `@${HOST_ADDRESS}`, zone, "SOA"];
  await until("ocdd serve answers", async () => {
    if (!daemon.running()) throw new Error(`ocdd serve has ended:\n${daemon.output()}`);
    return (await lab.run("client", dig, { check: false })).stdout.includes(zone);
  });
  return daemon;
}

/** A short name for a text, the same for the same. */
function hash(text: string): string {
  let value = 0;
  for (const char of text) value = (Math.imul(value, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return value.toString(16).padStart(8, "0");
}
