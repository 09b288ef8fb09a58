/** Figures of both processes, with a value for every metric. */

import type { Family } from "../../src/core/methods/exposition.ts";
import type { MethodFigures } from "../../src/core/methods/figures.ts";
import { merged } from "../../src/core/methods/merge.ts";
import type { Decision } from "../../src/core/model.ts";
import { directorMetrics, serverMetrics } from "../../src/daemon/metrics.ts";
import type { ServerCounters } from "../../src/daemon/server-metrics.ts";

export const COUNTERS: ServerCounters = {
  types: { A: 1, TYPE65: 2 },
  rcodes: { NOERROR: 1, NXDOMAIN: 2 },
  events: { dropped: 1 },
  statuses: { 200: 1 },
  engine: "fast",
  answers: { bounds: [0.001, 0.01], counts: [3, 0, 1], seconds: 0.5 },
  zones: [
    { zone: "toolbox.example.com", serial: 7 },
    { zone: "122.168.192.in-addr.arpa", serial: null },
  ],
  loads: { ok: false, failures: 2 },
  secondaries: [{ secondary: "192.0.2.53@53", zone: "toolbox.example.com", behind: true }],
};

/** The server's text. */
export const serverText = (counters: ServerCounters = COUNTERS): Promise<string> =>
  serverMetrics(() => counters)();

/** The director's text after a run, a failed run and a visit, with metrics of these containers. */
export function directorText(
  containers: ReadonlyMap<string, readonly Family[]> = new Map(),
): Promise<string> {
  const methods = async (own: readonly Family[]): Promise<MethodFigures> => {
    const { text, leftOut } = merged(containers, own);
    return {
      last: [{ service: "web", method: "validate", ok: true, endedAt: 1_764_400_000, seconds: 0.2 }],
      monitor: new Map([["web", 1]]),
      runs: [{ method: "validate", result: "ok", n: 3 }],
      series: new Map([["web", 4]]),
      leftOut: new Map([["db", 1], ...leftOut]),
      text,
    };
  };
  const metrics = directorMetrics(() => ({ asleep: 1, held: 2 }), methods);
  const range = { size: 20, used: 3, held: 2, conflict: 1, reserved: 1, free: 13 };
  const skipped = [{ container: "sealed", code: "no-network", reason: "the container has no network" }];
  const services = [{ failure: "it ended" }, { health: "unhealthy" }, { unanswered: true }];
  const decision = { services, skipped, range } as unknown as Decision;
  const steps = [{ kind: "hairpin", change: "add", port: "veth1" }] as const;
  metrics.ran(0.02, decision, steps, steps);
  metrics.failed(1, "docker");
  metrics.inForce(0.1);
  metrics.woke(0.4);
  metrics.stopped();
  return metrics.text();
}

/** Names of the metrics in a text; of a histogram those of its series too. */
export const namesOf = (text: string): Set<string> =>
  new Set([...text.matchAll(/^(?:# TYPE )?([a-zA-Z_:][\w:]*)/gm)].map(([, name = ""]) => name));
