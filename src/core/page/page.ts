/** The listing → the index page: complete without a script, nothing is loaded from another host. */

import { counted, escapeHtml } from "../text.ts";
import { ICONS, type Icon } from "./icon.ts";
import type { Listing } from "./listing.ts";
import { drawingOf, type Logo } from "./logo.ts";
import { marked } from "./mark.ts";
import {
  CONFLICT_ICON,
  groupsOf,
  isMeant,
  plainLines,
  problemRows,
  rows,
  SKIPPED_ICON,
  skippedRow,
  stoppedRow,
} from "./rows.ts";
import { countsOf, rangeOf, summaryOf } from "./summary.ts";
import { BARE_TEMPLATE, fill, type PageTemplate } from "./template.ts";

/** The page as a whole document. It changes only when its content does, so that an idle run writes nothing. */
export function renderPage(listing: Listing, template: PageTemplate = BARE_TEMPLATE): string {
  const sections = sectionsOf(listing);
  const html = fill(template.index, {
    title: escapeHtml(listing.title),
    zone: escapeHtml(listing.zone),
    host: escapeHtml(listing.host ?? "?"),
    version: listing.version,
    style: `${template.style}${iconStyle(listing)}`,
    script: template.script,
    summary: summaryOf(listing),
    counts: countsOf(listing),
    range: rangeOf(listing),
    groups: groupLinks(sections),
    services: sections.length === 0 ? EMPTY : services(sections, plainLines(listing)),
  });
  return marked(html, listing.version);
}

interface Section {
  readonly id: string;
  readonly heading: string;
  readonly list: readonly string[];
}

/** What needs attention, then the groups, then what is not meant to be reached. */
function sectionsOf(listing: Listing): Section[] {
  const { zone } = listing;
  const problems = problemRows(listing);
  // some services are listed above the groups
  const isApart = listing.services.some(({ tone }) => tone === "bad");
  const groups = groupsOf(listing).map(
    ({ name, services: members, stopped }, _, all): Omit<Section, "id"> => ({
      heading: name ?? (all.length === 1 && !isApart ? "Services" : "Other services"),
      list: [...rows(members, zone), ...stopped.map(stoppedRow)],
    }),
  );
  const meant = listing.skipped.filter(isMeant).map(skippedRow);
  if (meant.length > 0) groups.push({ heading: "Not served", list: meant });
  const first = { id: ATTENTION, heading: "Needs attention", list: problems };
  return [
    ...(problems.length === 0 ? [] : [first]),
    ...groups.map((group, i): Section => ({ id: `g-${i + 1}`, ...group })),
  ];
}

const ATTENTION = "attention";

function services(sections: readonly Section[], after: string): string {
  const last = sections.length - 1;
  return sections.map((one, i) => section(one, i === last ? after : "")).join("\n");
}

function section({ id, heading, list }: Section, after: string): string {
  return `<section id=${id}${id === ATTENTION ? " class=attention" : ""}><details open><summary><h2>${escapeHtml(heading)}</h2>${list.length}</summary><ul>${list.join("")}
</ul></details>${after}</section>`;
}

/** With fewer groups the page is short enough without links to them. */
const GROUPS_TO_LINK = 4;

function groupLinks(sections: readonly Section[]): string {
  if (sections.length < GROUPS_TO_LINK) return "";
  const links = sections.map(
    ({ id, heading, list }) => `<a href=#${id}>${escapeHtml(heading)} <span>${list.length}</span></a>`,
  );
  return `<details><summary>${counted(sections.length, "group")}</summary><nav aria-label=Groups>\n${links.join("\n")}\n</nav></details>`;
}

const EMPTY = `<div class="empty">
<h2>There are no services here</h2>
<p>Programs that run in containers on this host are listed here, each with a name and an address of its own.
This page shows them by itself as soon as there are any. Is something missing? Ask the administrator of this host.
<h2>For the administrator</h2>
<p>No containers found! Start one:
<pre><code>docker run -d --name web nginx</code></pre>
<p>Where <code>ocdd watch</code> runs it is listed here at once; elsewhere run <code>ocdd</code>. <code>ocdd doctor</code> shows what is wrong.
</div>`;

/** The icons in use, as masks: filled with a colour of the page, a logo with its own. */
function iconStyle(listing: Listing): string {
  const all = [...listing.services, ...listing.stopped];
  const logos = new Set<Logo>(all.flatMap(({ logo }) => logo ?? []));
  const icons = new Set<Icon>(all.flatMap(({ icon, logo }) => (logo === null ? [icon] : [])));
  if (listing.skipped.length > 0) icons.add(SKIPPED_ICON);
  if (listing.conflicts.length > 0) icons.add(CONFLICT_ICON);
  const lines = [
    ...[...icons].sort().map((icon) => `.${icon}{${mask(24, STROKE, ICONS[icon])}}\n`),
    ...[...logos].sort().map((logo) => {
      const { colour, path } = drawingOf(logo);
      return `.l-${logo}{--c:#${colour};${mask(240, "", path)}}\n`;
    }),
  ];
  return lines.join("");
}

const STROKE =
  " fill='none' stroke='%23000' stroke-width='1.75' stroke-linecap='round' stroke-linejoin='round'";

const mask = (grid: number, paint: string, path: string): string =>
  `--i:url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 ${grid} ${grid}'${paint}%3E%3Cpath d='${path}'/%3E%3C/svg%3E")`;
