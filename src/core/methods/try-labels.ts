/** The labels of a container that `ocdd try` creates. */
import { seemsMeant } from "../services/unknown-labels.ts";

/** What limits the service, says where it is reached, when it is ready, and whether it is valid. */
const KEPT: ReadonlySet<string> = new Set([
  "ocdd.ports",
  "ocdd.allow",
  "ocdd.map",
  "ocdd.network",
  "ocdd.health",
  "ocdd.health.status",
  "ocdd.health.timeout",
  "ocdd.health.interval",
  "ocdd.validate",
  "ocdd.validate.timeout",
  "health-check",
  "healthcheck",
]);

/** What would have it started, stopped or run at other times, or named as another service is. */
const OFF: ReadonlyMap<string, string> = new Map([
  ["ocdd.wake", "false"],
  ["ocdd.idle", "off"],
  ["sablier.enable", "false"],
  ["ocdd.aliases", ""],
]);

/** Labels of those who count a container as one of their own. */
const IDENTITY = /^com\.docker\.(compose|swarm|stack)\./;
/** What runs something in it on a schedule. */
const SCHEDULE = /^ocdd\.(cron\..*|(update|validate|monitor|metrics)\.interval)$/s;

/** Docker has no way to leave out a label of the image: one that must not count is set to this. */
const NOTHING = "";

/**
 * The labels to create it with. `labels` are those of the container that it is like, `image` those of its image, which Docker adds
 * where they are not set. A label that seems meant for OCDD and is not known is kept: it may be a misspelt restriction.
 */
export function tryLabels(
  name: string,
  labels: ReadonlyMap<string, string>,
  image: ReadonlyMap<string, string>,
): Record<string, string> {
  const isKept = (key: string): boolean => KEPT.has(key) || seemsMeant(key);
  const overridden = [...image.keys()].flatMap((key): [string, string][] => {
    if (IDENTITY.test(key)) return [[key, NOTHING]];
    if (SCHEDULE.test(key)) return [[key, "off"]];
    const off = OFF.get(key);
    return off === undefined ? [] : [[key, off]];
  });
  return Object.fromEntries([
    ...[...labels].filter(([key]) => isKept(key)),
    ...overridden,
    ["ocdd.wake", "false"],
    ["ocdd.idle", "off"],
    ["ocdd.enable", "true"],
    // the page is for users, and would list it for as long as its address is on hold
    ["ocdd.hide", "true"],
    ["ocdd.name", name],
    ["ocdd.try", name],
  ]);
}
