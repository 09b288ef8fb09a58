/**
 * Rows of the page. There may be hundreds: the markup is as short as HTML allows (optional end tags and quotes left out),
 * each row is one list item, formatted by the style sheet alone.
 */

import { toNumber } from "../addresses/ipv4.ts";
import { perObject } from "../memo.ts";
import { iso, isoMs } from "../moment.ts";
import { escapeHtml } from "../text.ts";
import type { Icon } from "./icon.ts";
import type { PortLink } from "./links.ts";
import type { Listing, Row, Stopped } from "./listing.ts";

export interface Group {
  /** Null for services without a project or group. */
  readonly name: string | null;
  readonly services: readonly Row[];
  readonly stopped: readonly Stopped[];
}

const byName = new Intl.Collator("en", { numeric: true });

/** The others by group, in alphabetical order; those without one last. */
export function groupsOf(listing: Listing): Group[] {
  const groups = new Map<string, { name: string | null; services: Row[]; stopped: Stopped[] }>();
  const at = (name: string | null) => {
    const key = name === null ? "b" : `a ${name.toLowerCase()}`;
    const group = groups.get(key) ?? { name, services: [], stopped: [] };
    groups.set(key, group);
    return group;
  };
  for (const row of listing.services) if (row.tone !== "bad") at(row.group).services.push(row);
  for (const one of listing.stopped) at(one.group).stopped.push(one);
  return [...groups].sort(([a], [b]) => byName.compare(a, b)).map(([, group]) => group);
}

/**
 * The lines `* - <fqdn>` of the bash script's page, for programs that read its text, in the order of addresses as there.
 * Hidden, since the rows have the same content.
 */
export function plainLines({ services }: Listing): string {
  const lines = services
    .map(({ address, fqdn }) => ({ at: toNumber(address), line: `* - ${escapeHtml(fqdn)}\n` }))
    .sort((a, b) => a.at - b.at || byName.compare(a.line, b.line))
    .map(({ line }) => line);
  return lines.length === 0 ? "" : `<pre hidden>\n${lines.join("")}</pre>`;
}

/** Services as list items. */
export function rows(services: readonly Row[], zone: string): string[] {
  return services.map((row) => rowHtml(row, zone, () => htmlOf(row, zone)));
}

/** What a visit does, where no container is behind the name. */
const VISIT: ReadonlyMap<string, string> = new Map([
  ["asleep", " <small>starts when visited</small>"],
  ["failed", " <small>a later visit tries again</small>"],
]);

const rowHtml = perObject<Row, string>();

function htmlOf(row: Row, zone: string): string {
  const { also, hover } = furtherNames(row, zone);
  const link = row.url === null ? "" : ` href=${attribute(row.url)}`;
  return `
<li id=s-${row.name} class="${row.tone} ${look(row)}"><p${hover}><a${link}>${escapeHtml(row.title ?? row.name)}</a>${below(row, row.description, also)}
${note(row.reason)}</p><code>${row.address}</code><em>${escapeHtml(row.status)}${VISIT.get(row.status) ?? ""}${checked(row)}</em>${since(row.since)}${ports(row.ports, row.fqdn, row.elsewhere)}${image(row)}${container(row)}`;
}

/** The class that gives a row its icon. */
export const look = ({ icon, logo }: Pick<Row, "icon" | "logo">): string =>
  logo === null ? icon : `logo l-${logo}`;

/** An attribute's value, without quotes where HTML needs none (HTML Standard, 13.1.2.3). */
const attribute = (text: string): string =>
  /^[\w:/.?&-]+$/.test(text) ? text.replaceAll("&", "&amp;") : `"${escapeHtml(text)}"`;

/** A stopped service whose address is on hold: no container answers there, so nothing is linked. */
export function stoppedRow(one: Stopped): string {
  const until = isoMs(one.until * 1000) ?? "";
  return `
<li id=s-${escapeHtml(one.name)} class="off ${look(one)}"><p><a>${escapeHtml(one.title ?? one.name)}</a>${below(one, null)}
</p><code>${escapeHtml(one.address)}</code><em>stopped</em><time class=until datetime="${until}">address reserved until ${until.slice(11, 16)} UTC</time><samp>${escapeHtml(one.image)}</samp>${container(one)}`;
}

/** Its container's name, where that is another one. */
const container = ({ container, name }: Pick<Row, "container" | "name">): string =>
  container === name ? "" : `<small>${escapeHtml(container)}</small>`;

export const SKIPPED_ICON: Icon = "box";
export const CONFLICT_ICON: Icon = "network";

type SkippedRow = Listing["skipped"][number];

/** True for a container without any network, which is not meant to be reached. */
export const isMeant = ({ code }: SkippedRow): boolean => code === "no-network";

/** A container that is not served. */
export const skippedRow = (one: SkippedRow): string => `
<li class="${isMeant(one) ? "unserved" : "bad"} ${SKIPPED_ICON} none"><p><a>${escapeHtml(one.container)}</a>
${note(one.reason)}</p><em>not served</em>`;

/** What needs attention, by name: services, out of their groups, containers that are not served, and addresses in conflict. */
export function problemRows(listing: Listing): string[] {
  const bad = listing.services.filter((row) => row.tone === "bad");
  const served = new Set<string>(listing.services.map(({ address }) => address));
  const given = (address: string): string =>
    served.has(address)
      ? "Another machine on the network uses this address as well: clients may reach that one."
      : "Another machine on the network uses this address; it is not given to a container.";
  const problems = [
    ...bad.map((row) => ({ name: row.title ?? row.name, html: rows([row], listing.zone) })),
    ...listing.skipped
      .filter((one) => !isMeant(one))
      .map((one) => ({ name: one.container, html: [skippedRow(one)] })),
    ...listing.conflicts.map((address) => ({
      name: address as string,
      html: [
        `
<li class="warn ${CONFLICT_ICON} none"><p><a>${escapeHtml(address)}</a>
${note(given(address))}</p><em>conflict</em>`,
      ],
    })),
  ];
  return problems.sort((a, b) => byName.compare(a.name, b.name)).flatMap(({ html }) => html);
}

/** Further names, without the zone. `name.project` can be derived: it is shown by pointing at the name. */
function furtherNames(row: Row, zone: string): { readonly also: string; readonly hover: string } {
  const short = row.names.map((name) => (name.endsWith(`.${zone}`) ? name.slice(0, -zone.length - 1) : name));
  const derived = short.filter((name) => name.startsWith(`${row.name}.`));
  const own = short.filter((name) => !derived.includes(name));
  return {
    also: own.length === 0 ? "" : `<u>also ${escapeHtml(own.join(", "))}</u>`,
    hover: derived.length === 0 ? "" : ` title="also ${escapeHtml(derived.join(", "))}"`,
  };
}

/** The line below the title: the name, where it is another text, what it is, and further names. */
function below({ title, name }: Pick<Row, "title" | "name">, description: string | null, also = ""): string {
  const own = title === null || title.toLowerCase() === name ? "" : `<b>${escapeHtml(name)}</b> `;
  const text = description === null ? "" : `<small>${escapeHtml(description)}</small>`;
  const line = `${own}${text}${also}`;
  return line === "" ? "" : `<br>${line}`;
}

function note(reason: string | null): string {
  return reason === null ? "" : `<mark>${escapeHtml(reason)}</mark>`;
}

/** A valid HTML time string, so that no attribute repeats it. */
function since(seconds: number | null): string {
  const time = iso(seconds);
  return time === null ? "" : `<time>${time.slice(0, 16).replace("T", " ")}Z</time>`;
}

function ports(list: readonly PortLink[], fqdn: string, elsewhere: string | null): string {
  const items = list.slice(0, MOST_PORTS).map((port) => {
    const text = port.protocol === "tcp" ? `${port.port}` : `${port.port}/${port.protocol}`;
    const whole = port.to === null ? text : `${text}<span> \u2192 ${port.to}</span>`;
    return port.url === null ? `<span>${whole}</span>` : `<a href=${attribute(port.url)}>${whole}</a>`;
  });
  if (list.length > MOST_PORTS) items.push(`<span>and ${list.length - MOST_PORTS} more</span>`);
  if (elsewhere !== null) {
    const { host } = new URL(elsewhere);
    if (host !== fqdn) items.push(`<a class=out href="${escapeHtml(elsewhere)}">${escapeHtml(host)}</a>`);
  }
  return items.length === 0 ? "" : `<div>${items.join("")}</div>`;
}

/** A mark with text: when it was last validated and monitored, where that went well; what went wrong is the row's reason. */
function checked({ validate, monitor }: Row): string {
  const marks = [
    ...(validate?.result === "passed" ? [["validated", validate] as const] : []),
    ...(monitor?.result === "OK" ? [["monitor OK", monitor] as const] : []),
  ];
  return marks
    .map(([text, { at }]) => ` <small>${text} <span>${at.slice(0, 16).replace("T", " ")}Z</span></small>`)
    .join("");
}

const MOST_PORTS = 12;

/**
 * `jenkins:2.452`; digest and registry host are left out here: the title has the whole. Without a tag the image's label says the
 * version; beside one it may be that of the image it is based on. An image without a name is shown as Docker prints its id.
 */
function image(row: Row): string {
  const id = /^sha256:([0-9a-f]{12})[0-9a-f]{52}$/.exec(row.image)?.[1];
  const bare = id ?? row.image.replace(/@sha256:[0-9a-f]+$/, "");
  const [, repository = bare, tag] = /^(.*?)(?::([^:/]+))?$/.exec(bare) ?? [];
  const short = repository.replace(/^(localhost|[^/]*[.:][^/]*)\//, "");
  const version = tag ?? (id === undefined ? row.version : null) ?? "";
  const text = `${escapeHtml(short)}${version === "" ? "" : `:${escapeHtml(version)}`}`;
  const whole = short === repository && id === undefined ? "" : ` title="${escapeHtml(row.image)}"`;
  return `<samp${whole}>${row.about === null ? text : `<a href="${escapeHtml(row.about)}">${text}</a>`}</samp>`;
}
