/** What the director's lab tests share: a lab with the product on its host, and its answers in a shape to test. */

import { rmSync } from "node:fs";
import type { Test } from "tap";
import type { EngineKind } from "./engine.ts";
import type { Lab } from "./handle.ts";
import { type LabOptions, raiseLab } from "./lab.ts";
import { HOST_ADDRESS, ZONE } from "./network.ts";
import { type OcddOptions, storage } from "./ocdd.ts";
import { type Daemon, type Outcome, until } from "./process.ts";

export const ENGINES: readonly EngineKind[] = ["debian", "sid"];

/**
 * Whether tests run with this engine in which engines have no part: with one of them only, since that is half of the lab's time.
 * OCDD_ENGINES=all (`npm run test:engines`) has each run with both.
 */
export const hasAll = (engine: EngineKind): boolean =>
  engine === ENGINES[0] || process.env.OCDD_ENGINES === "all";

/** The fields of a service in `ocdd list --json` that tests use. */
export interface Listed {
  readonly name: string;
  readonly names: readonly string[];
  readonly fqdn: string;
  readonly address: string;
  readonly state: string;
  readonly container: {
    readonly id: string;
    readonly name: string;
    readonly address: string;
    readonly network: string;
  };
  readonly project?: string | null;
  readonly service?: string | null;
  readonly ports: readonly { readonly protocol: string; readonly port: number }[];
}

export interface Listing {
  readonly schemaVersion: number;
  readonly zone: string;
  readonly host: string;
  readonly services: readonly Listed[];
  readonly skipped: readonly { readonly container: string; readonly reason: string }[];
}

/** Raise a lab for a test; it is removed with the test. */
export async function labFor(t: Test, options: LabOptions): Promise<Lab> {
  t.setTimeout(1_200_000);
  const lab = await raiseLab(options);
  t.teardown(() => lab.down());
  return lab;
}

/** The same after `ocdd initialize`, as a user's host is. */
export async function initializedLab(t: Test, options: LabOptions): Promise<Lab> {
  const lab = await labFor(t, options);
  succeed(await lab.ocdd(["initialize"]), "ocdd initialize");
  return lab;
}

/** One run that must converge. */
export async function apply(
  lab: Lab,
  options: OcddOptions = {},
  args: readonly string[] = [],
): Promise<Outcome> {
  return succeed(await lab.ocdd(args, options), "ocdd");
}

/** Throws, with the run's output, when its status is not 0. */
export function succeed(outcome: Outcome, what: string): Outcome {
  if (outcome.code === 0) return outcome;
  throw new Error(`${what}: status ${outcome.code}\n${outcome.stdout}\n${outcome.stderr}`);
}

export async function list(lab: Lab, options: OcddOptions = {}): Promise<Listing> {
  const { stdout } = succeed(await lab.ocdd(["list", "--json"], options), "ocdd list");
  return JSON.parse(stdout) as Listing;
}

/** Name of container → its address, of all services. */
export async function addresses(lab: Lab, options: OcddOptions = {}): Promise<Record<string, string>> {
  const { services } = await list(lab, options);
  return Object.fromEntries(services.map((one) => [one.container.name, one.address]));
}

/** The alias of a container; throws when it has none. */
export function aliasOf(table: Readonly<Record<string, string>>, name: string): string {
  const address = table[name];
  if (address === undefined) throw new Error(`${name} has no address in ${JSON.stringify(table)}`);
  return address;
}

/** The aliases on the host's network device, sorted: every /32 there. */
export async function aliases(lab: Lab): Promise<string[]> {
  const { stdout } = await lab.run("host", ["ip", "-o", "-4", "addr", "show", "dev", "ens3"]);
  const found = [...stdout.matchAll(/inet (\S+?)(?:\/32)? /g)].map((one) => one[1] ?? "");
  return found.filter((one) => !one.includes("/")).sort();
}

/** Waits for what a daemon does by itself, long enough for a loaded machine; throws with its output. */
export const waiter =
  (daemon: Daemon) =>
  (what: string, ask: () => Promise<boolean>): Promise<boolean> =>
    until(what, ask).catch((error: Error) => {
      throw new Error(`${error.message}\n${daemon.output()}`);
    });

/** The host as it is after a first `initialize`: no container, no network of ours, no lease, no alias. */
export async function fresh(lab: Lab, options: OcddOptions = {}): Promise<void> {
  await lab.removeContainers();
  await lab.docker("network", "prune", "-f");
  succeed(await lab.ocdd(["teardown", "--yes"], options), "ocdd teardown");
  rmSync(storage(lab), { recursive: true, force: true });
  succeed(await lab.ocdd(["initialize"], options), "ocdd initialize");
}

/** Lines for comparison: runs of blanks become one, empty lines are left out. */
export const lines = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/\s+/g, " ").trim())
    .filter(Boolean);

/** The lines of one run over these services, as the original printed them. */
export function expectedRun(
  found: Readonly<Record<string, string>>,
  names: Readonly<Record<string, string>>,
): string[] {
  const records = Object.entries({ dockerhost: HOST_ADDRESS, ...names }).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    "Found containers with following (docker-private) IP addresses:",
    ...Object.entries(found).map(([name, address]) => `${name} ${address}`),
    `CONTAINER_COUNT on this docker host is ${Object.keys(found).length} .`,
    "Generating iptables rules and DNS entries for each container...",
    "-".repeat(85),
    `Here is how various hostnames and their IPs look like (in DNS) ${ZONE} :`,
    `${ZONE}. 60 IN A ${HOST_ADDRESS}`,
    ...records.map(([name, address]) => `${name}.${ZONE}. 60 IN A ${address}`),
  ];
}
