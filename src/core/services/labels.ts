/** The labels a container carries → what it asks for. A label is a wish of a stranger: every field is bounded. */

import { compareIpv4, parseCidr, toCidrs } from "../addresses/ipv4.ts";
import { clip } from "../clip.ts";
import type { Service } from "../model.ts";
import type { Port, PortMap, Protocol } from "../ports.ts";
import { type Name, toName } from "./name.ts";

export interface Wishes {
  /** The text of ocdd.name, or null. */
  readonly name: string | null;
  readonly aliases: readonly Name[];
  readonly network: string | null;
  readonly map: readonly PortMap[];
  readonly ports: readonly Port[] | null;
  readonly allow: readonly string[] | null;
  /** Ports to be found by what they offer. */
  readonly srv: Service["srv"];
  /** Why the container must not be served: a restriction that cannot be read is never taken for none. */
  readonly refused: string | null;
  readonly notes: readonly string[];
}

const MOST = 32;
const PROTOCOLS = new Set(["tcp", "udp", "sctp"]);

/** Reads the `ocdd.*` labels. Never throws. */
export function readLabels(labels: ReadonlyMap<string, string>): Wishes {
  const notes: string[] = [];
  const map = listOf(labels.get("ocdd.map"), portMap);
  if (map === undefined)
    notes.push(`label ocdd.map cannot be read and is ignored: "${clip(labels.get("ocdd.map"))}"`);
  const srv = listOf(labels.get("ocdd.srv"), srvPort);
  if (srv === undefined)
    notes.push(`label ocdd.srv cannot be read and is ignored: "${clip(labels.get("ocdd.srv"))}"`);
  const ports = listOf(labels.get("ocdd.ports"), port);
  const allow = listOf(labels.get("ocdd.allow"), parseCidr);
  const bad = ports === undefined ? "ocdd.ports" : allow === undefined ? "ocdd.allow" : null;
  const cidrs = allow ? toCidrs([...allow].sort((a, b) => compareIpv4(a.first, b.first))) : null;
  return {
    name: labels.get("ocdd.name") ?? null,
    aliases: aliases(labels.get("ocdd.aliases"), notes),
    network: labels.get("ocdd.network") || null,
    map: map ?? [],
    ports: ports ?? null,
    // iptables has no spelling for "from everywhere"
    allow: cidrs?.includes("0.0.0.0/0") ? null : cidrs,
    srv: srv ?? [],
    refused: bad && `label ${bad} cannot be read: "${clip(labels.get(bad))}"`,
    notes,
  };
}

/** Whether the operator's EXPOSE and the container's ocdd.enable let it be seen. */
export function isShown(labels: ReadonlyMap<string, string>, expose: "all" | "labelled"): boolean {
  const enable = labels.get("ocdd.enable")?.trim().toLowerCase();
  return expose === "all" ? enable !== "false" : enable === "true";
}

/** Null when the label is absent, undefined when any item of it cannot be read. */
function listOf<T>(text: string | undefined, parse: (item: string) => T | undefined): T[] | null | undefined {
  if (text === undefined) return null;
  if (text.length > 2_000) return undefined;
  const items = text.split(",").map((item) => parse(item.trim()));
  if (items.length > MOST || items.some((item) => item === undefined)) return undefined;
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
function port(item: string): Port | undefined {
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
function srvPort(item: string): Service["srv"][number] | undefined {
  const [service = "", target, more] = item.split(":");
  const at = port(target ?? "");
  // RFC 6335 §5.1: a service's name has a letter, and hyphens within it only, one at a time
  const named = /^(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/i.test(service) && service.length <= 15;
  return at === undefined || !named || more !== undefined
    ? undefined
    : { ...at, service: service.toLowerCase() };
}

function aliases(text: string | undefined, notes: string[]): Name[] {
  const items = (text ?? "")
    .slice(0, 4_000)
    .split(",")
    .filter((item) => item.trim() !== "");
  if (items.length > MOST)
    notes.push(`label ocdd.aliases holds ${items.length} names, the first ${MOST} are used`);
  const names = items.slice(0, MOST).map((item) => toName(item.trim()));
  return [...new Set(names.filter((name) => name !== undefined))];
}
