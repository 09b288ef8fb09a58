/** What tests of sleep and wake do with services of a lab, and what they see of them. */
import type { Lab, Where } from "./handle.ts";
import { until } from "./process.ts";

export const WAKE = { "ocdd.wake": "true" } as const;

/** Seconds for which a visitor waits: longer than `watch` does for a container that starts, and so never the first to give up. */
export const PATIENT = 100;
export const REFUSED = /Failed to connect|Connection refused|Could not connect/;

/** One field of `docker inspect`, as a Go template has it. */
export const inspected = async (lab: Lab, name: string, field: string): Promise<string> =>
  (await lab.docker("inspect", "--format", `{{${field}}}`, name)).trim();

/** Docker's word for a container's state. */
export const stateOf = (lab: Lab, name: string): Promise<string> => inspected(lab, name, ".State.Status");

/** Milliseconds since the epoch, by Docker. */
export const startedAt = async (lab: Lab, name: string): Promise<number> =>
  Date.parse((await inspected(lab, name, ".State.StartedAt")).replace(/(\.\d{3})\d*/, "$1"));

export interface Row {
  readonly name: string;
  readonly address: string;
  readonly state: string;
  readonly failure?: string;
  readonly container: { readonly name: string };
}

/** The row of a container in `ocdd list`. */
export async function listed(lab: Lab, container: string): Promise<Row | undefined> {
  const { stdout } = await lab.ocdd(["list", "--json"]);
  return (JSON.parse(stdout) as { services: Row[] }).services.find((one) => one.container.name === container);
}

export async function addressOf(lab: Lab, container: string): Promise<string> {
  let found: string | undefined;
  await until(`${container} has an address`, async () => {
    found = (await listed(lab, container))?.address;
    return found !== undefined;
  });
  return found ?? "";
}

const WAITS = "-g OCDD-ASLEEP";
const LEADS = "--to-destination";

/** The rules of an alias come to be so: `waits` when first packets do, `leads` when a port leads anywhere, to the page too. */
async function ruled(
  lab: Lab,
  address: string,
  what: string,
  fits: (found: { readonly waits: boolean; readonly leads: boolean }) => boolean,
): Promise<void> {
  await until(`${address} ${what}`, async () => {
    const { stdout } = await lab.run("host", ["iptables-save", "-t", "nat"]);
    const rules = stdout.split("\n").filter((line) => line.includes(`-d ${address}/32`));
    const has = (target: string): boolean => rules.some((line) => line.includes(target));
    return fits({ waits: has(WAITS), leads: has(LEADS) });
  });
}

/** First packets to the alias wait. */
export const holds = (lab: Lab, address: string): Promise<void> =>
  ruled(lab, address, "waits", ({ waits }) => waits);

export const leads = (lab: Lab, address: string): Promise<void> =>
  ruled(lab, address, "leads to its container", ({ waits, leads }) => leads && !waits);

/** A visit is answered: for a container that a short `ocdd.idle` may already have stopped. */
export const inForce = (lab: Lab, address: string): Promise<void> =>
  ruled(lab, address, "leads to its container, or waits", ({ waits, leads }) => leads || waits);

/** `watch` reads the queue. */
export const queues = (lab: Lab): Promise<unknown> =>
  until("packets wait", async () => {
    const { stdout } = await lab.run("host", ["cat", "/proc/net/netfilter/nfnetlink_queue"]);
    return stdout.includes("47053");
  });

/** Stopped by hand, and `watch` holds its alias. */
export async function asleep(lab: Lab, name: string, address: string): Promise<void> {
  await lab.docker("stop", name);
  await holds(lab, address);
}

/** Docker shows this state. */
export const reaches = (lab: Lab, name: string, state: string): Promise<true> =>
  until(`${name} is ${state}`, async () => (await stateOf(lab, name)) === state);

/** One request whose first packet may wait, or is sent on by the page: the answer, or curl's words. */
export async function visit(
  lab: Lab,
  address: string,
  from: Where = "client",
  port = 80,
  path = "/",
): Promise<string> {
  const argv = ["curl", "-sSL", "--max-time", String(PATIENT), `http://${address}:${port}${path}`];
  const { stdout, stderr } = await lab.run(from, argv, { check: false });
  return stdout.trim() || stderr.trim();
}
