/** What a container's labels ask for about sleeping, waking and health. Labels are untrusted: every field is bounded. */

import { compareIpv4, parseCidr, toCidrs } from "../addresses/ipv4.ts";
import { clip } from "../clip.ts";
import type { Config } from "../config/config.ts";
import { parseDuration } from "../duration.ts";
import type { Port } from "../ports.ts";
import { readBoolean } from "../services/boolean.ts";
import { LIMITS, listOf, port } from "../services/labels.ts";
import { unknownLabels } from "../services/unknown-labels.ts";
import { type Health, readHealth } from "./health.ts";

export interface LifecycleSettings {
  /** Whether a visit starts it: ocdd.wake, else sablier.enable, else the configuration's WAKE. */
  readonly wake: boolean;
  /** Seconds without use after which it is stopped; null never stops it. */
  readonly idle: number | null;
  readonly idleAction: "stop" | "pause";
  /** Names of the services that are started before it. */
  readonly with: readonly string[];
  /** Containers of one group (sablier.group) are started together. */
  readonly group: string | null;
  /** Seconds that it may take to be ready. */
  readonly timeout: number;
  /** How many instances of its replica set a visit starts; null is all. */
  readonly scale: number | null;
  /** The ports that wake it; null where the labels name none. */
  readonly ports: readonly Port[] | null;
  /** CIDRs whose connections wake it; null is everywhere. */
  readonly from: readonly string[] | null;
  /** CIDRs whose traffic does not count as use. */
  readonly ignore: readonly string[];
  readonly health: Health | null;
  /** What shows that it is ready, in place of HEALTHCHECK, health and ports. */
  readonly ready: "validate" | null;
  /** Why it is not woken: a restriction that cannot be read never counts as no restriction. It is served all the same. */
  readonly refused: string | null;
  /** Values that cannot be read and are ignored. */
  readonly notes: readonly string[];
}

/** Reads the labels. Never throws. */
export function lifecycleOf(
  labels: ReadonlyMap<string, string>,
  config: Pick<Config, "wake" | "wakeTimeout" | "idleIgnore">,
): LifecycleSettings {
  const notes: string[] = [];
  const read = <T>(key: string, fallback: T, parse: (text: string) => T | undefined): T => {
    const text = labels.get(key);
    if (text === undefined) return fallback;
    const value = parse(text);
    if (value === undefined) notes.push(`label ${key} cannot be read and is ignored: "${clip(text)}"`);
    return value ?? fallback;
  };
  const wakeKey = labels.has("ocdd.wake") ? "ocdd.wake" : "sablier.enable";
  const wanted = labels.has(wakeKey) ? readBoolean(labels.get(wakeKey) ?? "") : config.wake === "all";
  const ports = listOf(labels.get("ocdd.wake.ports"), port);
  const from = cidrs(labels.get("ocdd.wake.from"));
  const unread = [
    ...(wanted === undefined ? [wakeKey] : []),
    ...(ports === undefined ? ["ocdd.wake.ports"] : []),
    ...(from === undefined ? ["ocdd.wake.from"] : []),
  ][0];
  const pairs = (ports?.length ?? 1) * (from?.length ?? 1);
  const refused =
    unread !== undefined
      ? `label ${unread} cannot be read: "${clip(labels.get(unread))}"`
      : pairs > LIMITS.rules
        ? `labels ocdd.wake.ports and ocdd.wake.from make ${pairs} rules, at most ${LIMITS.rules} are allowed`
        : unknownLabels(labels).notWoken;
  const idle = read<number | null | "off">("ocdd.idle", null, (text) =>
    text.trim().toLowerCase() === "off" ? "off" : parseDuration(text),
  );
  if (typeof idle === "number" && wanted === false && refused === null && config.wake !== "off")
    notes.push(
      "label ocdd.idle has no effect: nothing would start the container again; set ocdd.wake=true as well",
    );
  return {
    wake: config.wake !== "off" && wanted === true && refused === null,
    // nothing would start it again
    idle: refused !== null || idle === "off" ? null : idle,
    idleAction: read("ocdd.idle.action", "stop", action),
    with: read<readonly string[]>("ocdd.wake.with", [], (text) => listOf(text, serviceName) ?? undefined),
    group: wakeKey === "ocdd.wake" ? null : read<string | null>("sablier.group", null, group),
    timeout: read("ocdd.wake.timeout", config.wakeTimeout, parseDuration),
    scale: read<number | null>("ocdd.wake.scale", null, count),
    ports: ports ?? null,
    // where everywhere is named no comparison is needed
    from: from?.includes("0.0.0.0/0") ? null : (from ?? null),
    ignore: [
      ...config.idleIgnore,
      ...read<readonly string[]>("ocdd.idle.ignore", [], (text) => cidrs(text) ?? undefined),
    ],
    health: readHealth(labels, read),
    ready: read<"validate" | null>("ocdd.ready", null, (text) =>
      text.trim().toLowerCase() === "validate" ? "validate" : undefined,
    ),
    refused,
    notes,
  };
}

/** Null when the label is absent, undefined when it cannot be read. */
function cidrs(text: string | undefined): readonly string[] | null | undefined {
  const ranges = listOf(text, parseCidr);
  return ranges ? toCidrs([...ranges].sort((a, b) => compareIpv4(a.first, b.first))) : ranges;
}

function action(text: string): "stop" | "pause" | undefined {
  const word = text.trim().toLowerCase();
  return word === "stop" || word === "pause" ? word : undefined;
}

/** A name as Docker and compose accept it for containers and services. */
function serviceName(item: string): string | undefined {
  return /^[a-z0-9][a-z0-9_.-]{0,127}$/i.test(item) ? item : undefined;
}

function group(text: string): string | undefined {
  const name = text.trim();
  return /^[^\p{C}]{1,128}$/u.test(name) ? name : undefined;
}

function count(text: string): number | undefined {
  const n = /^\d{1,3}$/.test(text.trim()) ? Number(text) : 0;
  return n >= 1 ? n : undefined;
}
