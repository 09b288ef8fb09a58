/** The labels a container carries → what it asks for. Labels are untrusted: every field is bounded. */

import { compareIpv4, type Ipv4, parseCidr, parseIpv4, toCidrs } from "../addresses/ipv4.ts";
import { clip } from "../clip.ts";
import type { NamedPort, Port, PortMap, Protocol } from "../ports.ts";
import { readBoolean } from "./boolean.ts";
import { type Name, wishedName } from "./name.ts";
import { unknownLabels } from "./unknown-labels.ts";

export interface Wishes {
  /** The text of ocdd.name, or null. */
  readonly name: string | null;
  readonly aliases: readonly Name[];
  readonly network: string | null;
  /** The address of the range that it asks for. */
  readonly address: Ipv4 | null;
  readonly map: readonly PortMap[];
  readonly ports: readonly Port[] | null;
  readonly allow: readonly string[] | null;
  /** Ports with their service names, for SRV records. */
  readonly srv: readonly NamedPort[];
  /** Whether `watch` tries connections to its ports. */
  readonly check: boolean;
  /** Why the container must not be served: a restriction that cannot be read never counts as no restriction. */
  readonly refused: string | null;
  readonly notes: readonly string[];
}

/** Bounds of one container's labels. What a restriction holds beyond them is not cut off: the container is not served. */
export const LIMITS = {
  /** Characters of a label that holds a list. */
  listLength: 2_000,
  /** Items of ocdd.ports, ocdd.map, ocdd.allow, ocdd.srv and ocdd.aliases, each. */
  items: 32,
  /** Firewall rules: ports and maps, times the networks of ocdd.allow. */
  rules: 128,
} as const;
const PROTOCOLS = new Set(["tcp", "udp", "sctp"]);

/** Reads the `ocdd.*` labels. Never throws. */
export function readLabels(labels: ReadonlyMap<string, string>): Wishes {
  const unknown = unknownLabels(labels);
  const notes: string[] = [...unknown.notes];
  const map = listOf(labels.get("ocdd.map"), portMap);
  if (map === undefined)
    notes.push(`label ocdd.map cannot be read and is ignored: "${clip(labels.get("ocdd.map"))}"`);
  const srv = listOf(labels.get("ocdd.srv"), srvPort);
  if (srv === undefined)
    notes.push(`label ocdd.srv cannot be read and is ignored: "${clip(labels.get("ocdd.srv"))}"`);
  const address = addressIn(labels.get("ocdd.address"), notes);
  const ports = listOf(labels.get("ocdd.ports"), port);
  const allow = listOf(labels.get("ocdd.allow"), parseCidr);
  const cidrs = allow ? toCidrs([...allow].sort((a, b) => compareIpv4(a.first, b.first))) : null;
  // iptables cannot express "from everywhere"
  const sources = cidrs?.includes("0.0.0.0/0") ? null : cidrs;
  const rules = (sources?.length ?? 1) * ((ports?.length ?? 1) + (map?.length ?? 0));
  const unread: (keyof typeof FORMS)[] = [
    ...(ports === undefined ? ["ocdd.ports" as const] : []),
    ...(allow === undefined ? ["ocdd.allow" as const] : []),
    ...BOOLEANS.filter((key) => labels.has(key) && readBoolean(labels.get(key) ?? "") === undefined),
  ];
  const bad = unread[0];
  return {
    name: labels.get("ocdd.name") ?? null,
    aliases: aliases(labels.get("ocdd.aliases"), notes),
    network: labels.get("ocdd.network") || null,
    address,
    map: map ?? [],
    ports: ports ?? null,
    allow: sources,
    srv: srv ?? [],
    check: checkIn(labels.get("ocdd.check"), notes),
    refused:
      bad !== undefined
        ? `label ${bad} cannot be read: "${clip(labels.get(bad))}" is not ${FORMS[bad]}`
        : rules > LIMITS.rules
          ? `labels ocdd.ports, ocdd.map and ocdd.allow make ${rules} rules, at most ${LIMITS.rules} are allowed`
          : unknown.refused,
    notes,
  };
}

function addressIn(text: string | undefined, notes: string[]): Ipv4 | null {
  if (text === undefined) return null;
  const address = parseIpv4(text.trim());
  if (address === undefined)
    notes.push(`label ocdd.address cannot be read and is ignored: "${clip(text)}" is no IPv4 address`);
  return address ?? null;
}

function checkIn(text: string | undefined, notes: string[]): boolean {
  const wanted = text === undefined ? true : readBoolean(text);
  if (wanted === undefined)
    notes.push(`label ocdd.check cannot be read and is ignored: "${clip(text)}" is not true or false`);
  return wanted ?? true;
}

/** What a restriction has to be. */
const FORMS = {
  "ocdd.ports": "a list of ports such as 80,443/tcp,53/udp",
  "ocdd.allow": "a list of networks such as 10.0.0.0/8,192.168.1.50",
  "ocdd.enable": "true or false",
  "ocdd.hide": "true or false",
} as const;

const BOOLEANS = ["ocdd.enable", "ocdd.hide"] as const;

/**
 * Whether the operator's EXPOSE and the container's ocdd.enable let it be shown. One whose label cannot be read is shown too:
 * readLabels gives the reason why it is not served.
 */
export function isShown(labels: ReadonlyMap<string, string>, expose: "all" | "labelled"): boolean {
  const enable = labels.get("ocdd.enable");
  if (enable !== undefined) return readBoolean(enable) ?? true;
  return expose === "all" || unknownLabels(labels).meant.has("enable");
}

/** The items of a list. Null when the label is absent, undefined when any item of it cannot be read. */
export function listOf<T>(
  text: string | undefined,
  parse: (item: string) => T | undefined,
): T[] | null | undefined {
  if (text === undefined) return null;
  if (text.length > LIMITS.listLength) return undefined;
  const items = text.split(",").map((item) => parse(item.trim()));
  if (items.length > LIMITS.items || items.some((item) => item === undefined)) return undefined;
  return items as T[];
}

function portNumber(text: string | undefined): number | undefined {
  const n = /^\d{1,5}$/.test(text ?? "") ? Number(text) : 0;
  return n >= 1 && n <= 65_535 ? n : undefined;
}

function protocol(text: string | undefined): Protocol | undefined {
  const word = (text ?? "tcp").toLowerCase();
  return PROTOCOLS.has(word) ? (word as Protocol) : undefined;
}

/** `80` or `53/udp`. */
export function port(item: string): Port | undefined {
  const [number, proto, more] = item.split("/");
  const n = portNumber(number);
  const p = protocol(proto);
  return n === undefined || p === undefined || more !== undefined ? undefined : { protocol: p, port: n };
}

/** `80:8080` or `443:8443/tcp`. */
function portMap(item: string): PortMap | undefined {
  const [from, target, more] = item.split(":");
  const to = port(target ?? "");
  const n = portNumber(from);
  return n === undefined || to === undefined || more !== undefined
    ? undefined
    : { protocol: to.protocol, port: n, to: to.port };
}

/** `http:80` or `sip:5060/udp`. */
function srvPort(item: string): NamedPort | undefined {
  const [service = "", target, more] = item.split(":");
  const at = port(target ?? "");
  // RFC 6335 §5.1: a service's name has a letter, and hyphens within it only, one at a time
  const named = /^(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/i.test(service) && service.length <= 15;
  return at === undefined || !named || more !== undefined
    ? undefined
    : { ...at, service: service.toLowerCase() };
}

function aliases(text: string | undefined, notes: string[]): Name[] {
  if ((text?.length ?? 0) > LIMITS.listLength) {
    notes.push(`label ocdd.aliases is longer than ${LIMITS.listLength} characters and is ignored`);
    return [];
  }
  const items = (text ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  if (items.length > LIMITS.items)
    notes.push(`label ocdd.aliases holds ${items.length} names, the first ${LIMITS.items} are used`);
  const names = new Set<Name>();
  for (const item of items.slice(0, LIMITS.items)) {
    const name = wishedName(item);
    // a name for DNS is meant as it is written: changed, it could be the name of another container
    if (name !== undefined && name === item.toLowerCase().replaceAll("_", "-")) names.add(name);
    else
      notes.push(
        `label ocdd.aliases: "${clip(item)}" is no name of letters, digits and hyphens${/^xn--/i.test(item) ? ", or no internationalized name of one script" : ""}`,
      );
  }
  return [...names];
}
