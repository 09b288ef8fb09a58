/** A host of the random walk: containers come and go on it, a director runs on it, and what must hold is checked. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Ipv4 } from "../../src/core/addresses/ipv4.ts";
import type { Config } from "../../src/core/config/config.ts";
import { HostError } from "../../src/core/errors.ts";
import type { Firewall } from "../../src/core/forwards/backend.ts";
import type { Container } from "../../src/core/model.ts";
import { candidatesOf } from "../../src/core/services/candidates.ts";
import { holdersOf } from "../../src/core/services/key-holder.ts";
import { type Outcome, reconcile } from "../../src/director/reconcile.ts";
import type { DockerEvent } from "../../src/host/docker/json.ts";
import { attachment, config, container, id, ip, NOW } from "../core/make.ts";
import { event } from "../fake/docker.ts";
import { type Director, Floor, type Moment } from "../fake/floor.ts";
import { Judge } from "./judge.ts";

const BY_HAND = "$TTL 300\nprinter IN A 192.168.122.150\nalias IN CNAME printer\n";

/** The parts in which hosts differ. */
export interface Kind {
  readonly firewall: Firewall;
  readonly nft: boolean;
  /** Elements of nftables are changed by netlink, else by the program. */
  readonly netlink: boolean;
  /** Docker filters with nftables, and iptables is not installed. */
  readonly docker29: boolean;
}

export const USUAL: Kind = { firewall: "auto", nft: true, netlink: false, docker29: false };

/** Without published ports: on an address of the host these lead to a container in any case. */
const DOCKER_29 = readFileSync(new URL("../recorded/docker-29.nft", import.meta.url), "utf8").replace(
  /.*(?:"DNAT"|"DROP DIRECT ACCESS"|dport 80.*accept)\n/g,
  "",
);

export class World {
  readonly floor: Floor = new Floor();
  readonly judge: Judge;
  config: Config;
  director: Director;
  now = NOW;
  runs = 0;
  #born = 0;
  /** The director was started while Docker's list was out of date. */
  #unheard = false;
  /** Events that Docker sends once its list shows what they are about. */
  #late: DockerEvent[] = [];
  /** Work that an event during a run has started. */
  #going: Promise<void>[] = [];

  readonly #kind: Kind;

  constructor(range: string, kind: Kind = USUAL) {
    this.#kind = kind;
    this.config = this.#configured(range);
    const { kernel } = this.floor;
    kernel.hasNft = kind.nft;
    this.floor.hasNetlink = kind.netlink;
    this.floor.clock = () => this.now * 1000;
    if (kind.docker29) {
      kernel.nft.apply(DOCKER_29);
      kernel.hasIptables = false;
      kernel.rules = "";
    }
    this.judge = new Judge(this.floor, { guarded: kind.nft });
    this.judge.byHand = BY_HAND;
    writeFileSync(this.config.zoneFile, BY_HAND);
    this.director = this.floor.start(this.config);
  }

  #configured(range: string): Config {
    const { firewall } = this.#kind;
    return config({ IP_RANGE: range, STORAGE_DIR: this.floor.directory, FIREWALL: firewall });
  }

  /** The director is started with this range. */
  reconfigure(range: string): void {
    this.config = this.#configured(range);
    this.restart();
  }

  restart(): void {
    this.director = this.floor.start(this.config);
    // a change that the list lacked then and no event announces later is found by the observation at the next interval
    this.#unheard = this.floor.docker.isLate();
  }

  /** `late`: Docker's list shows it only when it is up to date again. */
  async start(name: string, labels: ReadonlyMap<string, string>, mode: string, late = false): Promise<void> {
    const { docker } = this.floor;
    const before = docker.containers_.find((one) => one.name === name);
    if (before !== undefined) await this.stop(before, late);
    this.#born += 1;
    const number = this.#born;
    const own = id(`${number}-${name}`);
    await this.#begin(
      container({ name, id: own, labels: new Map(labels), networkMode: mode, created: NOW + number }),
      late,
    );
  }

  /** The same container once more, on any address that is free then. */
  async again(one: Container, late: boolean): Promise<void> {
    await this.#end(one, late);
    this.#born += 1;
    await this.#begin(one, late);
  }

  async #begin(one: Container, late: boolean): Promise<void> {
    const { docker, kernel } = this.floor;
    const { networkMode: mode } = one;
    const attachments =
      mode === "lan"
        ? [attachment("lan", `192.168.122.${100 + (this.#born % 50)}`)]
        : mode === "bridge"
          ? [attachment("bridge", freeAddress(docker.running(), this.#born % 3 === 0 ? 2 + this.#born : 2))]
          : [];
    const next = { ...one, attachments };
    if (late) docker.announce(next);
    docker.containers_ = [next, ...docker.containers_];
    if (mode === "bridge")
      kernel.bridgePorts = [
        ...kernel.bridgePorts,
        { name: `veth${this.#born}`, bridge: "docker0", hairpin: false, container: next.id },
      ];
    if (!late) docker.catchUp();
    if (mode === "bridge") await this.tell(event("connect", next));
    if (late) this.#late.push(event("start", next));
    else await this.tell(event("start", next));
  }

  /** It ends, and Docker removes it: announced when its list shows it no more. */
  async stop(one: Container, late = false): Promise<void> {
    await this.#end(one, late);
    const removal = event("destroy", one);
    if (late) this.#late.push(removal);
    else await this.tell(removal);
  }

  async #end(one: Container, late: boolean): Promise<void> {
    const { docker, kernel } = this.floor;
    docker.containers_ = docker.containers_.filter(({ id: own }) => own !== one.id);
    kernel.bridgePorts = kernel.bridgePorts.filter((port) => port.container !== one.id);
    this.#late = this.#late.filter((start) => start.container !== one.id);
    if (!late) docker.catchUp();
    await this.tell(event("die", one));
    await this.tell(event("disconnect", one));
  }

  /** A container's name or health changes. */
  async change(one: Container, over: Partial<Container>, action: string): Promise<void> {
    const { docker } = this.floor;
    docker.containers_ = docker.containers_.map((other) =>
      other.id === one.id ? { ...one, ...over } : other,
    );
    docker.catchUp();
    await this.tell(event(action, one));
  }

  async tell(event: DockerEvent): Promise<void> {
    await this.director.hear(event);
  }

  /** An event during a run; the run does not end before it. */
  meanwhile(happening: Promise<void>): void {
    this.#going.push(happening);
  }

  /** Another program has changed the kernel or a file; the director is notified of no more than that. */
  tampered(): void {
    this.#heard();
    this.judge.tampered();
  }

  #heard(): void {
    this.director.host.invalidate();
    this.director.pending.addAll();
  }

  /** Docker's list is up to date, and the director receives the events. */
  async settle(): Promise<void> {
    this.floor.docker.catchUp();
    this.director.lookAgain();
    if (this.#unheard) this.director.pending.addAll();
    this.#unheard = false;
    const late = this.#late;
    this.#late = [];
    for (const one of late) await this.tell(one);
  }

  /** `moment`: an event meanwhile. Throws HostError. */
  async run(moment?: Moment): Promise<Outcome | undefined> {
    const { director, judge } = this;
    this.runs += 1;
    judge.connect();
    director.at(moment);
    const { scope, more } = director.pending.take();
    const observe: Director["host"]["observe"] = async (what) => {
      const seen = await director.host.observe(what);
      const holders = holdersOf(seen, this.config, this.now);
      const candidates = candidatesOf(this.config, seen, holders);
      judge.keys = new Map(candidates.map((one) => [one.container.id, one.key]));
      return seen;
    };
    const options = { now: () => this.now, apply: true, yes: true, confirmationMs: 0 };
    try {
      const outcome = await director.as(() =>
        reconcile(
          this.config,
          { ...director.host, observe },
          { ...options, ...(scope === undefined ? {} : { scope }) },
        ),
      );
      const here = new Set(this.floor.kernel.addresses.map(({ address }) => address));
      // `ip monitor` reports an alias that was lost during the run
      if (outcome.decision.desired.aliases.some(({ address }) => !here.has(address))) this.#heard();
      return more ? await this.run() : outcome;
    } catch (error) {
      director.pending.addAll();
      if (!director.killed()) throw error;
      return undefined;
    } finally {
      director.at(undefined);
      // killed: a new one is started
      if (director.killed()) this.restart();
      await Promise.all(this.#going);
      this.#going = [];
      judge.checkLeases(this.now);
    }
  }

  /** A run that may fail because of the host. */
  async attempt(moment?: Moment): Promise<void> {
    try {
      await this.run(moment);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
    }
  }
}

/** As engines give them: the lowest that is free, or one that has not been used yet. */
function freeAddress(containers: readonly Container[], first: number): Ipv4 & string {
  const taken = new Set(containers.flatMap((c) => c.attachments.map((a) => a.address as string)));
  for (let n = first; ; n++) if (!taken.has(`172.17.0.${n}`)) return ip(`172.17.0.${n}`);
}
