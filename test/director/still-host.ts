/** A simulated host with the state that a test gives it; it carries out a plan by adopting the desired state. */
import type { Ipv4 } from "../../src/core/addresses/ipv4.ts";
import type { HostError } from "../../src/core/errors.ts";
import type { Container, Network, Observation, State } from "../../src/core/model.ts";
import type { Plan } from "../../src/core/plan.ts";
import type { Host } from "../../src/host/host.ts";
import type { Scope } from "../../src/host/observe.ts";
import { BARE, BRIDGE, observation } from "../core/make.ts";

type Refused = Awaited<ReturnType<Host["apply"]>>;

export class StillHost implements Host {
  actual: State = BARE;
  containers: readonly Container[] = [];
  networks: readonly Network[] = [BRIDGE];
  /** Added to the observation. */
  over: Partial<Observation> = {};
  /** Thrown when Docker is read. */
  dockerDown: HostError | undefined;
  /** Addresses that another machine answers for. */
  taken: ReadonlySet<Ipv4> = new Set();
  /** Forwards that the kernel refuses. */
  refuses: Refused = [];
  readonly scopes: (Scope | undefined)[] = [];
  readonly plans: Plan[] = [];
  notedRuns = 0;

  async observe(scope?: Scope): Promise<Observation> {
    this.scopes.push(scope);
    const blind = scope?.without?.includes("docker") === true;
    if (!blind && this.dockerDown !== undefined) throw this.dockerDown;
    return observation({
      actual: this.actual,
      containers: blind ? [] : this.containers,
      networks: blind ? [] : this.networks,
      ...this.over,
    });
  }

  async probe(addresses: readonly Ipv4[]): Promise<ReadonlySet<Ipv4>> {
    return new Set(addresses.filter((address) => this.taken.has(address)));
  }

  async apply(plan: Plan): Promise<Refused> {
    this.plans.push(plan);
    this.actual = plan.desired;
    return this.refuses;
  }

  async noteRun(): Promise<void> {
    this.notedRuns += 1;
  }

  unsettled(): readonly string[] {
    return [];
  }

  async revoke(): Promise<void> {}
  async withdraw(): Promise<void> {}
  async gate(): Promise<void> {}
  async stopHolding(): Promise<void> {}
  async admit(): Promise<void> {}
  invalidate(): void {}
  holds(): boolean {
    return false;
  }
  reassert(): Promise<void> {
    return Promise.resolve();
  }
  close(): void {}
}
