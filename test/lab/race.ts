/**
 * The race for one address: two containers and a network with a single usable address, swapped as fast as the engine
 * can or after a moment, while clients on the LAN query both aliases and the director runs, is stopped, is killed, or all
 * of it at random.
 */

import { fileURLToPath } from "node:url";
import { dice } from "./dice.ts";
import { addresses, aliasOf, apply } from "./director.ts";
import { askDocker } from "./docker-api.ts";
import type { Lab } from "./handle.ts";
import { HOST_DEVICE } from "./network.ts";
import type { OcddOptions } from "./ocdd.ts";
import { type Daemon, signal, sleep, until } from "./process.ts";
import type { Asked } from "./race-asker.ts";

/** `kill`: SIGKILL for one and `start` for the other. `network`: both run; `disconnect` one, `connect` the other. */
export type Swap = "kill" | "network";

/** What happens to `ocdd watch` meanwhile; `chaos` stops it for up to 1.6 s or kills and replaces it, at random. */
export type Fate = "running" | "stopped" | "killed" | "chaos";

export interface Race {
  readonly swap: Swap;
  readonly director: Fate;
}

/** The combinations whose results differ. */
export const RACES: readonly Race[] = [
  { swap: "kill", director: "running" },
  { swap: "kill", director: "killed" },
  { swap: "kill", director: "chaos" },
  { swap: "network", director: "running" },
  { swap: "network", director: "stopped" },
  { swap: "network", director: "killed" },
  { swap: "network", director: "chaos" },
];

/** Whether a director runs at times, so that correct answers are expected. */
export const lives = ({ director }: Race): boolean => director === "running" || director === "chaos";

export interface Score extends Asked {
  /** How often the address has changed its owner. */
  readonly swaps: number;
  /** At the end, with a running director, the container with the address answers at its alias. */
  readonly converged: boolean;
}

const TINY = "172.30.0.0/30";
const BRIDGE = "tiny0";
const NAMES = ["ann", "bob"] as const;
const ASKER = fileURLToPath(new URL("race-asker.ts", import.meta.url));

/** Milliseconds that the address stays with its owner where it is not swapped on at once. */
const LONGEST_STAY_MS = 1_000;

/** Swaps that make a race, however slow the engine. */
const FEWEST_SWAPS = 5;

/** Seconds after which a race ends in any case. */
const LONGEST_S = 60;

/** A lab that is laid out for races: aliases of the two containers. */
export interface Course {
  readonly lab: Lab;
  readonly options: OcddOptions;
  readonly aliases: Readonly<Record<string, string>>;
  /** What the containers were made for, and which one has the address. */
  made?: { readonly swap: Swap; readonly holder: string };
}

/** Make the networks, give both containers their leases, and the clients neighbours that never expire. */
export async function layCourse(lab: Lab, options: OcddOptions = {}): Promise<Course> {
  await lab.docker(
    "network",
    "create",
    "--subnet",
    TINY,
    "-o",
    `com.docker.network.bridge.name=${BRIDGE}`,
    "tiny",
  );
  await holdCarrier(lab);
  await lab.docker("network", "create", "--internal", "--subnet", "172.31.0.0/24", "park");
  await makeBoth(lab, "network");
  const found: Record<string, string> = {};
  for (const name of NAMES) {
    await apply(lab, options);
    found[name] = aliasOf(await addresses(lab, options), name);
    await swapOnce(lab, "network", name === "ann" ? "ann" : "bob");
  }
  // a client that sends packets whether or not the alias exists at the moment
  const mac = await lab.mac("host", HOST_DEVICE);
  for (const alias of Object.values(found)) {
    const argv = ["ip", "neigh", "replace", alias, "lladdr", mac, "dev", "eth0", "nud", "permanent"];
    await lab.run("client", argv);
  }
  return { lab, options, aliases: found };
}

/** A bridge whose last port has gone lets nothing through for up to a second after the next one has come. */
async function holdCarrier(lab: Lab): Promise<void> {
  await lab.run("host", ["ip", "link", "add", "hold0", "type", "veth", "peer", "name", "hold1"]);
  await lab.run("host", ["ip", "link", "set", "hold1", "up"]);
  await lab.run("host", ["ip", "link", "set", "hold0", "master", BRIDGE, "up"]);
}

/** Both containers as a race wants them at its start, ann with the address. */
async function lineUp(course: Course, swap: Swap): Promise<void> {
  const { lab, made } = course;
  if (made?.swap !== swap) await makeBoth(lab, swap);
  else if (made.holder !== "ann") await swapOnce(lab, swap, made.holder);
}

async function makeBoth(lab: Lab, swap: Swap): Promise<void> {
  await lab.removeContainers();
  const what = { network: "park", labels: { "ocdd.network": "tiny" }, env: { UDP: "1" } };
  for (const name of NAMES) await lab.startContainer({ ...what, name, env: { UDP: "1", PAGE: name } });
  await lab.docker("network", "connect", "tiny", "ann");
  if (swap === "network") return;
  await lab.docker("kill", "bob");
  await lab.docker("network", "connect", "tiny", "bob");
}

/** Move the address from one to the other, as fast as the engine does it. */
async function swapOnce(lab: Lab, swap: Swap, from: string): Promise<string> {
  const to = from === "ann" ? "bob" : "ann";
  const post = (path: string, body?: object) => askDocker(lab.dockerSocket, "POST", path, body);
  const taken =
    swap === "kill"
      ? post(`/containers/${from}/kill`)
      : post("/networks/tiny/disconnect", { Container: from });
  await until(
    `${to} has the address`,
    async () => {
      const { status } = await (swap === "kill"
        ? post(`/containers/${to}/start`)
        : post("/networks/tiny/connect", { Container: to }));
      return status < 300; // 304 is one that has not ended yet
    },
    { pause: 1 },
  );
  await taken;
  return to;
}

/** A director that is stopped or killed as the race requires. */
class Director {
  readonly #course: Course;
  #daemon: Daemon;

  constructor(course: Course) {
    this.#course = course;
    this.#daemon = this.#start();
  }

  #start(): Daemon {
    return this.#course.lab.startOcdd(["watch"], this.#course.options);
  }

  async kill(): Promise<void> {
    await this.#daemon.stop("SIGKILL");
  }

  freeze(frozen: boolean): void {
    signal(this.#daemon.pid, frozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Runs again, whatever has happened to it. */
  revive(): void {
    this.freeze(false);
    if (!this.#daemon.running()) this.#daemon = this.#start();
  }

  output(): string {
    return this.#daemon.output();
  }

  /** Stop it for a while or replace it, at random, until `over`. */
  async chaos(over: () => boolean, seed: number): Promise<void> {
    const roll = dice(seed);
    while (!over()) {
      await sleep(50 + roll(950));
      if (roll(2) === 0) {
        this.freeze(true);
        await sleep(roll(1_600));
        this.freeze(false);
      } else {
        await this.kill();
        this.revive();
      }
    }
  }
}

/**
 * Run one race for `seconds`, or longer for its fewest swaps and, where the director runs, the first turn. Throws when
 * the first answer does not come.
 */
export async function runRace(course: Course, race: Race, seconds: number, seed = 7): Promise<Score> {
  const { lab, aliases } = course;
  await lineUp(course, race.swap);
  const director = new Director(course);
  const answers = (name: string): Promise<boolean> =>
    until(`${name} answers`, async () => (await lab.who(aliases[name] ?? "")) === name);
  await answers("ann").catch((error: Error) => {
    throw new Error(`${error.message}\n${director.output()}`);
  });
  if (race.director === "stopped") director.freeze(true);
  if (race.director === "killed") await director.kill();

  const pairs = Object.entries(aliases).map((pair) => pair.join("="));
  const asker = lab.spawn("client", [process.execPath, ASKER, ...pairs], { label: "race" });
  const asked = (): Asked | undefined => {
    const whole = asker.output().split("\n").at(-2);
    return whole === undefined ? undefined : (JSON.parse(whole) as Asked);
  };
  await until("the clients ask", () => asked() !== undefined);

  const began = performance.now();
  const passed = (): number => (performance.now() - began) / 1_000;
  let swaps = 0;
  const due = (): boolean =>
    swaps < FEWEST_SWAPS || (race.director === "running" && (asked()?.turns ?? 0) === 0);
  const over = (): boolean => passed() > (due() ? LONGEST_S : seconds);
  const chaos = race.director === "chaos" ? director.chaos(over, seed + 1) : undefined;
  let holder = "ann";
  const roll = dice(seed);
  for (; !over(); swaps++) {
    holder = await swapOnce(lab, race.swap, holder);
    // every second swap follows at once; after the others the director has time
    if (roll(2) === 0) await sleep(roll(LONGEST_STAY_MS));
  }
  course.made = { swap: race.swap, holder };
  await chaos;
  await sleep(600); // the clients report twice a second
  const score = asked();
  if (score === undefined) throw new Error(`the clients reported nothing:\n${asker.output()}`);
  await asker.stop();
  director.revive();
  const converged = await answers(holder).catch(() => false);
  await director.kill();
  return { ...score, swaps, converged };
}
