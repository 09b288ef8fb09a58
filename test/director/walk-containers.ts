/** What can happen to containers in the random walk. */

import fc from "fast-check";
import type { Container } from "../../src/core/model.ts";
import { composeLabels, id } from "../core/make.ts";
import type { World } from "./world.ts";

export type Step = fc.AsyncCommand<object, World>;

/** A command that can always be given. */
export function deed(name: string, run: (world: World) => void | Promise<void>): Step {
  return { check: () => true, run: async (_, world) => run(world), toString: () => name };
}

/** One of the host's containers, if there is any. */
const pick = (world: World, n: number): Container | undefined => {
  const { containers_: all } = world.floor.docker;
  return all[n % Math.max(1, all.length)];
};
export const withOne = async (
  world: World,
  n: number,
  run: (one: Container) => Promise<void>,
): Promise<void> => {
  const one = pick(world, n);
  if (one !== undefined) await run(one);
};

export const names = fc.constantFrom(
  "web",
  "db",
  "Web",
  "a_b",
  "a.b",
  "p_web_1",
  "q_web_1",
  "ns1",
  "10.0.0.1",
  "dockerhost",
  "printer",
  "x".repeat(80),
);
const labels = fc.oneof(
  { weight: 3, arbitrary: fc.constant(new Map<string, string>()) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom("p", "q"), fc.constantFrom("web", "db"), fc.integer({ min: 1, max: 3 }))
      .map(([p, s, n]) => composeLabels(p, s, n)),
  },
  {
    weight: 2,
    arbitrary: fc
      .integer({ min: 11, max: 32 })
      .map((octet) => new Map([["ocdd.address", `192.168.122.${octet}`]])),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      new Map([["ocdd.map", "80:8080"]]),
      new Map([["ocdd.ports", "80,53/udp"]]),
      new Map([["ocdd.allow", "10.0.0.0/8,192.168.122.50"]]),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .dictionary(
        fc.constantFrom(
          "ocdd.name",
          "ocdd.aliases",
          "ocdd.map",
          "ocdd.ports",
          "ocdd.allow",
          "ocdd.srv",
          "ocdd.address",
          "ocdd.enable",
        ),
        fc.constantFrom(
          "web",
          "db,web-1",
          "80:8080",
          "80,53/udp",
          "http:80,sip:5060/udp",
          "10.0.0.0/8",
          "false",
          "\n-A OCDD -j ACCEPT",
          "",
        ),
        { maxKeys: 2 },
      )
      .map((d) => new Map(Object.entries(d))),
  },
);
const modes = fc.oneof(
  { weight: 8, arbitrary: fc.constant("bridge") },
  { weight: 1, arbitrary: fc.constantFrom("host", "lan", "none", `container:${id("1-web")}`) },
);
export const late = fc.boolean();
export const lateness = (is: boolean): string => (is ? ", listed late" : "");
export const containers: fc.Arbitrary<Step>[] = [
  fc
    .tuple(names, labels, modes, late)
    .map(([n, l, m, is]) =>
      deed(`start ${n} ${JSON.stringify([...l])} ${m.slice(0, 12)}${lateness(is)}`, (w) =>
        w.start(n, l, m, is),
      ),
    ),
  fc
    .tuple(fc.nat(9), late)
    .map(([n, is]) => deed(`stop #${n}${lateness(is)}`, (w) => withOne(w, n, (one) => w.stop(one, is)))),
  fc
    .tuple(fc.nat(9), late)
    .map(([n, is]) =>
      deed(`recreate #${n}${lateness(is)}`, (w) =>
        withOne(w, n, (c) => w.start(c.name, c.labels, c.networkMode, is)),
      ),
    ),
  fc
    .tuple(fc.nat(9), late)
    .map(([n, is]) => deed(`restart #${n}${lateness(is)}`, (w) => withOne(w, n, (one) => w.again(one, is)))),
  fc.tuple(fc.nat(9), names).map(([n, to]) =>
    deed(`rename #${n} ${to}`, (w) =>
      withOne(w, n, async (one) => {
        const used = w.floor.docker.containers_.some((other) => other.name === to);
        if (!used) await w.change(one, { name: to }, "rename");
      }),
    ),
  ),
  fc
    .tuple(fc.nat(9), fc.constantFrom<Container["health"]>("healthy", "unhealthy", "starting"))
    .map(([n, health]) =>
      deed(`#${n} becomes ${health}`, (w) =>
        withOne(w, n, (one) => w.change(one, { health }, "health_status")),
      ),
    ),
  fc.constant(deed("Docker's list catches up", (w) => w.settle())),
];
