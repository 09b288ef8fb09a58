/** Steps of a plan in words, for people. */
import { clip } from "../clip.ts";
import type { Forward } from "../forwards/forward.ts";
import type { Change, Step } from "../plan.ts";
import { counted } from "../text.ts";

/** What hairpin mode of a bridge port, and its rules, are for. */
const HAIRPIN = "for connections of a container to its own address";

const SIGNS: Readonly<Record<Change, string>> = { add: "+", change: "~", remove: "-" };

/** Lines for a step; a forward of single ports has one for each. */
export function describe(step: Step): string[] {
  switch (step.kind) {
    case "lease": {
      const { address, names, releasedAt } = step.lease;
      const hold = releasedAt === null ? "" : " on hold";
      return [`${SIGNS[step.change]} lease ${address} ${names[0] ?? "(no name)"}${hold}`];
    }
    case "conflict":
      return [`${SIGNS[step.change]} conflict ${step.address}`];
    case "leases":
      return ["~ leases file"];
    case "rule":
      return forwardLines(step.forward).map((line) => `${SIGNS[step.change]} ${line}`);
    case "guard": {
      const { name, alias, bridgePort } = step.forward;
      return [`~ guard ${name} ${alias} ${bridgePort === null ? "closed" : `by ${clip(bridgePort)}`}`];
    }
    case "frame":
      return [`${SIGNS[step.change]} rules for ${PARTS[step.part]}`];
    case "address":
      return [`${SIGNS[step.change]} address ${step.alias.address}`];
    case "hairpin":
      return [`${SIGNS[step.change]} hairpin ${clip(step.port)}, ${HAIRPIN}`];
    case "record":
      return [`${SIGNS[step.change]} record ${step.record.owner} ${step.record.type} ${step.record.rdata}`];
    case "zone":
      return [`~ zone file, serial ${step.serial}`];
    case "page":
      return ["~ index page"];
    case "self":
      return ["~ what containers are told of themselves"];
  }
}

const PARTS = {
  accept: "accepting forwarded traffic",
  refusal: "refusing ports without a container",
  hairpin: `hairpin traffic, ${HAIRPIN}`,
  redirect: "redirecting aliases",
  guard: "the guard",
} as const;

/** All steps in words. */
export const describeAll = (steps: readonly Step[]): string[] => steps.flatMap(describe);

/** What a teardown has removed, counted. */
export function removedText(steps: readonly Step[]): string {
  const count = (...kinds: readonly Step["kind"][]): number =>
    steps
      .filter((step) => kinds.includes(step.kind))
      .flatMap(describe)
      .filter((line) => line.startsWith("-")).length;
  const removed = [
    [count("address"), "address", "addresses"],
    [count("rule", "frame", "hairpin"), "rule", "rules"],
    [count("record"), "record of the zone", "records of the zone"],
  ] as const;
  const some = removed.flatMap(([n, one, many]) => (n === 0 ? [] : [counted(n, one, many)]));
  return some.length === 0 ? "no address, no rule and no record was there" : `removed: ${some.join(", ")}`;
}

/** `rule jenkins 192.168.122.12 tcp/80 -> 172.18.0.3:8080`. */
export function forwardLines({ name, alias, target: address, waits, map, ports, allow }: Forward): string[] {
  const target = waits === true || address === null ? "(waits)" : address;
  const sources = allow === null ? [""] : allow.map((cidr) => ` from ${cidr}`);
  const offered = (protocol: string, port: number): boolean =>
    ports === null || ports.some((p) => p.protocol === protocol && p.port === port);
  const mapped = map.filter((m) => offered(m.protocol, m.port));
  const single = (ports ?? []).filter(
    (p) => !mapped.some((m) => m.protocol === p.protocol && m.port === p.port),
  );
  return [
    ...mapped.map((m) => [` ${m.protocol}/${m.port}`, `${target}:${m.to}`] as const),
    ...single.map((p) => [` ${p.protocol}/${p.port}`, target] as const),
    ...(ports === null ? [["", target] as const] : []),
  ].flatMap(([what, to]) => sources.map((source) => `rule ${name} ${alias}${what}${source} -> ${to}`));
}
