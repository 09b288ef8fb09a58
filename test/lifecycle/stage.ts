/** A lifecycle for tests of the waiting page: the test says which alias waits for what. */
import { EventEmitter, once } from "node:events";
import { type Ipv4, parseIpv4 } from "../../src/core/addresses/ipv4.ts";
import type { Flow } from "../../src/core/lifecycle/flow.ts";
import type { WaitingFor } from "../../src/core/page/waiting.ts";
import {
  serveWaitingPage,
  type WaitingPage,
  type WaitingPageOptions,
} from "../../src/lifecycle/waiting-page.ts";

export interface Stage extends WaitingPage {
  /** The state of an alias from now on. */
  set(alias: string, state: WaitingFor | "ready" | undefined): void;
  /** Requests that are kept now. */
  kept(): number;
  /** The connection of each request, in their order. */
  readonly asks: readonly Flow[];
}

export function waitingFor(over: Partial<WaitingFor> = {}): WaitingFor {
  const fqdn = "jenkins.toolbox.example.com";
  return { name: "jenkins", fqdn, phase: "starting", reason: null, since: 3.2, retry: null, ...over };
}

/** Aliases are addresses of loopback. */
export async function openStage(
  limits: Pick<WaitingPageOptions, "connections" | "kept"> = {},
): Promise<Stage> {
  const states = new Map<Ipv4, WaitingFor | "ready">();
  const changes = new EventEmitter().setMaxListeners(0);
  const asks: Flow[] = [];
  let kept = 0;
  const server = await serveWaitingPage({
    waiting: (alias) => states.get(alias),
    asked: (flow) => void asks.push(flow),
    async changed(alias, signal) {
      kept++;
      await once(changes, alias, { signal }).finally(() => kept--);
    },
    ...limits,
  });
  return {
    ...server,
    kept: () => kept,
    asks,
    set(text, state) {
      const alias = parseIpv4(text);
      if (alias === undefined) throw new Error(`${text} is no address`);
      if (state === undefined) states.delete(alias);
      else states.set(alias, state);
      changes.emit(alias);
    },
  };
}
