/** The listing → the index page: complete without a script, nothing is loaded from another host. */

import { escapeHtml } from "../text.ts";
import { ICONS, type Icon } from "./icon.ts";
import type { Listing } from "./listing.ts";
import {
  attention,
  CONFLICT_ICON,
  groupsOf,
  plainLines,
  rows,
  SKIPPED_ICON,
  skippedRows,
  stoppedRow,
} from "./rows.ts";
import { BARE_TEMPLATE, fill, type PageTemplate } from "./template.ts";

/** The page as a whole document. It changes only when its content does, so that an idle run writes nothing. */
export function renderPage(listing: Listing, template: PageTemplate = BARE_TEMPLATE): string {
  return fill(template.index, {
    title: escapeHtml(listing.title),
    zone: escapeHtml(listing.zone),
    host: escapeHtml(listing.host ?? ""),
    version: listing.version,
    style: `${template.style}${iconStyle(listing)}`,
    script: template.script,
    summary: summary(listing),
    services: services(listing),
  });
}

function services(listing: Listing): string {
  const { zone } = listing;
  const problems = [...rows(attention(listing), zone), ...skippedRows(listing)];
  const groups = groupsOf(listing).map(
    ({ name, services: members, stopped }): Section => ({
      heading: name ?? "Other services",
      list: [...rows(members, zone), ...stopped.map((one) => stoppedRow(one, zone))],
      attribute: "",
    }),
  );
  const first = { heading: "Needs attention", list: problems, attribute: " class=attention" };
  const sections = problems.length > 0 ? [first, ...groups] : groups;
  if (sections.length === 0) return EMPTY;
  const last = sections.length - 1;
  return sections.map((one, i) => section(one, i === last ? plainLines(listing) : "")).join("\n");
}

interface Section {
  readonly heading: string;
  readonly list: readonly string[];
  readonly attribute: string;
}

function section({ heading, list, attribute }: Section, after: string): string {
  return `<section${attribute}><h2>${escapeHtml(heading)}</h2><ul>${list.join("")}
</ul>${after}</section>`;
}

const EMPTY = `<div class="empty">
<h2>No containers found!</h2>
<p>A container that runs gets a name and an address of its own, and is listed here.
<p>Start one, then run OCDD:
<pre><code>docker run -d --name web nginx
ocdd</code></pre>
<p><code>ocdd watch</code> does this by itself when a container starts or stops. <code>ocdd doctor</code> shows what is wrong.
</div>`;

function summary({ services: list, stopped, skipped, conflicts, range, host }: Listing): string {
  const asleep = list.filter((row) => row.tone === "asleep").length;
  const bad = list.filter((row) => row.tone === "bad").length + skipped.length + conflicts.length;
  const { size, used, held, conflict, reserved, free } = range;
  const parts: readonly (readonly [string, number, string])[] = [
    ["used", used, "in use"],
    ["held", held, "on hold"],
    ["conflict", conflict, "conflicts"],
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
  return `<p class="counts"><strong>${count(list.length, "service")}</strong>${
    bad > 0 ? `, <span class="bad">${bad} ${bad === 1 ? "needs" : "need"} attention</span>` : ""
  }${asleep > 0 ? `, ${asleep} asleep` : ""}${stopped.length > 0 ? `, ${stopped.length} stopped` : ""}${
    host === null ? "" : ` <span class="host">on host <code>${escapeHtml(host)}</code></span>`
  }</p>
<div class="range"><svg viewBox="0 0 ${Math.max(size, 1)} 1" preserveAspectRatio="none" role="img" aria-label="Of ${size} addresses ${plain}">${bars.join("")}</svg>
<p>${count(size, "address", "addresses")}: ${words}</p></div>`;
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** The icons in use, as masks: filled with a colour of the page. */
function iconStyle(listing: Listing): string {
  const used = new Set<Icon>([...listing.services, ...listing.stopped].map((row) => row.icon));
  if (listing.skipped.length > 0) used.add(SKIPPED_ICON);
  if (listing.conflicts.length > 0) used.add(CONFLICT_ICON);
  return [...used]
    .sort()
    .map((icon) => {
      const svg = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%23000' stroke-width='1.75' stroke-linecap='round' stroke-linejoin='round'><path d='${ICONS[icon]}'/></svg>`;
      return `.${icon}{--i:url("data:image/svg+xml,${svg.replaceAll("<", "%3C").replaceAll(">", "%3E")}")}\n`;
    })
    .join("");
}
