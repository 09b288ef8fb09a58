/** The head of the page in figures: services by state, and the use of the address range. */

import { counted, escapeHtml } from "../text.ts";
import type { Listing } from "./listing.ts";
import { isMeant } from "./rows.ts";

/** Counts, host and range: one slot for templates that have no place for each. */
export function summaryOf(listing: Listing): string {
  const { host } = listing;
  const where = host === null ? "" : `<p class="host">on host <code>${escapeHtml(host)}</code></p>\n`;
  return `${countsOf(listing)}\n${where}${rangeOf(listing)}`;
}

/** `14 services, 3 need attention, 1 stopped`; the script makes a filter of each state. */
export function countsOf({ services, stopped, skipped, conflicts }: Listing): string {
  const of = (tone: string): number => services.filter((row) => row.tone === tone).length;
  const bad = of("bad") + skipped.filter((one) => !isMeant(one)).length + conflicts.length;
  const states: readonly (readonly [state: string, count: number, words: string])[] = [
    ["warn", of("warn"), of("warn") === 1 ? "warning" : "warnings"],
    ["wait", of("wait"), "starting"],
    ["asleep", of("asleep"), "asleep"],
    ["off", stopped.length, "stopped"],
  ];
  const parts = [
    `<strong>${services.length === 0 && stopped.length > 0 ? "no service runs" : counted(services.length, "service")}</strong>`,
    ...(bad === 0
      ? []
      : [
          `<a class=bad href=#attention data-state=attention>${bad} ${bad === 1 ? "needs" : "need"} attention</a>`,
        ]),
    ...states.flatMap(([state, n, words]) =>
      n === 0 ? [] : [`<span data-state=${state}>${n} ${words}</span>`],
    ),
  ];
  return `<p class="counts">${parts.join(", ")}</p>`;
}

/** A bar of the addresses in each use, and the same in words. */
export function rangeOf({ range }: Listing): string {
  const { size, used, held, conflict, reserved, free } = range;
  const parts: readonly (readonly [string, number, string])[] = [
    ["used", used, "in use"],
    ["held", held, "on hold"],
    ["conflict", conflict, conflict === 1 ? "conflict" : "conflicts"],
    ["reserved", reserved, "reserved"],
    ["free", free, "free"],
  ];
  const shown = parts.filter(([kind, n]) => n > 0 || kind === "used" || kind === "free");
  let x = 0;
  const bars = shown.map(([kind, n]) => {
    const bar = kind === "free" || n === 0 ? "" : `<rect class="${kind}" x="${x}" width="${n}" height="1"/>`;
    x += n;
    return bar;
  });
  const words = shown.map(([kind, n, text]) => `<span class="${kind}">${n} ${text}</span>`).join(", ");
  const plain = shown.map(([, n, text]) => `${n} ${text}`).join(", ");
  const addresses = `${size} ${size === 1 ? "address" : "addresses"}`;
  return `<div class="range"><svg viewBox="0 0 ${Math.max(size, 1)} 1" preserveAspectRatio="none" role="img" aria-label="Of ${size} addresses ${plain}">${bars.join("")}</svg>
<p>${addresses}: ${words}</p></div>`;
}
