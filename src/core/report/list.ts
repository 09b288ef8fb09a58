/** The list of services as text. */
import { clip } from "../clip.ts";
import type { Check } from "../methods/results.ts";
import type { Service } from "../model.ts";
import { age } from "../text.ts";
import { columns } from "./columns.ts";
import type { Listed } from "./filter.ts";
import { byState, type Paint, PLAIN } from "./paint.ts";
import { offeredText, shownState } from "./report.ts";
import { stoppedWord } from "./stopped.ts";

const CHECKS = ["validate", "monitor"] as const;

export interface ListForm {
  /** With network, image, project, for how long it has run, and further names. */
  readonly wide?: boolean;
  /** Seconds since the epoch, for how long a container has run. */
  readonly now?: number;
  readonly paint?: Paint;
}

/** One service a line, in columns; then those whose container has stopped. */
export function listText(
  { services, stopped = [], fresh }: Listed,
  { wide = false, now = 0, paint = PLAIN }: ListForm = {},
): string {
  const checks = CHECKS.filter((method) => services.some((one) => one.checks?.[method] !== undefined));
  const head = [
    ...["NAME", "ADDRESS", "CONTAINER", "CONTAINER ADDRESS", "PORTS", "STATE"],
    ...checks.map((method) => method.toUpperCase()),
    ...(wide ? ["NETWORK", "IMAGE", "PROJECT", "UP", "FURTHER NAMES"] : []),
  ];
  const pending: ReadonlySet<string> = new Set(fresh);
  const rows = services.map((s) => [
    s.name,
    s.address,
    clip(s.instances[0]?.name ?? "-"),
    s.instances[0]?.address ?? "-",
    offeredText(s) || "-",
    shownState(s, pending),
    ...checks.map((method) => checkText(s.checks?.[method])),
    ...(wide ? wideCells(s, now) : []),
  ]);
  const blank = head.slice(6).map(() => "-");
  for (const one of stopped) {
    const container = one.removed ? "-" : clip(one.container ?? "-");
    rows.push([one.name, one.address, container, "-", "-", stoppedWord(one), ...blank]);
  }
  const states = new Set<string>(["STATE", ...checks.map((method) => method.toUpperCase())]);
  return columns(head, rows, (cell, title) => (states.has(title) ? byState(cell, paint) : cell));
}

/** The names alone, one a line. */
export const namesText = ({ services, stopped = [] }: Listed): string =>
  [...services, ...stopped].map(({ name }) => `${name}\n`).join("");

function wideCells(service: Service, now: number): string[] {
  const { instances, project, names } = service;
  const [instance] = instances;
  return [
    clip(instance?.network ?? "-"),
    clip(instance?.image ?? "-"),
    clip(project ?? "-"),
    upText(service, now) ?? "-",
    names.slice(1).join(" ") || "-",
  ];
}

/** For how long its container has run, at least; null where it does not, or that is not known. `now`: seconds since the epoch. */
export const upText = ({ started, state }: Service, now: number): string | null =>
  started === undefined || state === "asleep" ? null : age(Math.max(0, now - started.latest));

/** `passed 2026-11-29 06:21Z`. */
export const checkText = (check: Check<string> | undefined): string =>
  check === undefined ? "-" : `${check.result} ${check.at.slice(0, 16).replace("T", " ")}Z`;
