/** The list of services as text. */
import { clip } from "../clip.ts";
import type { Check } from "../methods/results.ts";
import type { Service } from "../model.ts";
import { age } from "../text.ts";
import { columns } from "./columns.ts";
import type { Listed } from "./filter.ts";
import { byState, type Paint, PLAIN } from "./paint.ts";
import { portsText, shownState } from "./report.ts";

const CHECKS = ["validate", "monitor"] as const;

export interface ListForm {
  /** With network, image, project, for how long it has run, and further names. */
  readonly wide?: boolean;
  readonly paint?: Paint;
}

/** One service a line, in columns; then those whose container has stopped. */
export function listText(
  { services, stopped = [], fresh }: Listed,
  { wide = false, paint = PLAIN }: ListForm = {},
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
    portsText(s.ports) || "-",
    shownState(s, pending),
    ...checks.map((method) => checkText(s.checks?.[method])),
    ...(wide ? wideCells(s) : []),
  ]);
  const blank = head.slice(6).map(() => "-");
  for (const { name, address, container } of stopped)
    rows.push([name, address, clip(container ?? "-"), "-", "-", "stopped", ...blank]);
  const states = new Set<string>(["STATE", ...checks.map((method) => method.toUpperCase())]);
  return columns(head, rows, (cell, title) => (states.has(title) ? byState(cell, paint) : cell));
}

/** The names alone, one a line. */
export const namesText = ({ services, stopped = [] }: Listed): string =>
  [...services, ...stopped].map(({ name }) => `${name}\n`).join("");

function wideCells({ instances, project, up, state, names }: Service): string[] {
  const [instance] = instances;
  return [
    clip(instance?.network ?? "-"),
    clip(instance?.image ?? "-"),
    clip(project ?? "-"),
    up === undefined || state === "asleep" ? "-" : age(up.least),
    names.slice(1).join(" ") || "-",
  ];
}

/** `passed 2026-11-29 06:21Z`. */
export const checkText = (check: Check<string> | undefined): string =>
  check === undefined ? "-" : `${check.result} ${check.at.slice(0, 16).replace("T", " ")}Z`;
