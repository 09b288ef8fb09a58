/** Assigns names to containers: (claims, names held) → grants. A container keeps a name it holds in any order of start. */
import { perObject } from "../memo.ts";
import { fingerprint, type Name, suffixed } from "./name.ts";

/** The names that a container asks for. */
export interface Claim {
  readonly key: string;
  /** Containers of one compose service are one group and share its name. */
  readonly group: string;
  readonly wish: Name;
  readonly aliases: readonly Name[];
  readonly project: Name | null;
  readonly service: Name | null;
  /** Compose's number of the container in its service. */
  readonly number: number;
  /** Seconds since the epoch. */
  readonly created: number;
}

export interface Grant {
  /** The container's own name: no other container gets it. */
  readonly own: Name;
  /** All names, own first, dotted `service.project` last. */
  readonly names: readonly string[];
  /** Names that other containers of the group have as well. */
  readonly shared: readonly string[];
  /** Names to keep with the lease, the dotted one too. */
  readonly kept: readonly string[];
  /** Why the wish was not granted. */
  readonly renamed: string | null;
  /** Further names that were not granted, with the reason. */
  readonly notes: readonly string[];
}

interface Unit {
  readonly group: string;
  readonly wish: Name;
  readonly claims: readonly Claim[];
}

/**
 * Grants names. `held` gives the group that holds a name by a lease in use or on hold, `blocked` why no container may have it.
 * Runs until a further run would change nothing, so that the next run of the director changes nothing either.
 */
export function grantNames(
  claims: readonly Claim[],
  held: ReadonlyMap<string, string>,
  blocked: (name: string) => string | null,
): ReadonlyMap<string, Grant> {
  const units = unitsOf(claims);
  const present = new Set(units.map((unit) => unit.group));
  let holding = held;
  for (let round = 0; ; round++) {
    const grants = grantOnce(units, holding, blocked);
    const next = new Map([...held].filter(([, group]) => !present.has(group)));
    for (const claim of claims)
      for (const name of grants.get(claim.key)?.kept ?? []) next.set(name, claim.group);
    const settled =
      next.size === holding.size && [...next].every(([name, group]) => holding.get(name) === group);
    if (settled || round === 8) return grants;
    holding = next;
  }
}

/** Units in the order of their claim to a name: the oldest container first, so that a new one never takes a name away. */
function unitsOf(claims: readonly Claim[]): Unit[] {
  const units = new Map<string, Claim[]>();
  for (const claim of [...claims].sort((a, b) => a.created - b.created || (a.key < b.key ? -1 : 1))) {
    const id = `${claim.wish}\n${claim.group}`;
    const unit = units.get(id);
    if (unit === undefined) units.set(id, [claim]);
    else unit.push(claim);
  }
  return [...units.values()].map((members) => {
    const sorted = members.sort((a, b) => a.number - b.number || (a.key < b.key ? -1 : 1));
    return { group: sorted[0]?.group ?? "", wish: sorted[0]?.wish ?? ("" as Name), claims: sorted };
  });
}

function grantOnce(
  units: readonly Unit[],
  held: ReadonlyMap<string, string>,
  blocked: (name: string) => string | null,
): Map<string, Grant> {
  const granted = new Map<string, Unit>();
  /** Null when the unit now has the name, else why not. */
  const take = (name: string, unit: Unit): string | null => {
    const other = granted.get(name);
    if (other !== undefined) return other === unit ? null : `"${name}" belongs to ${printable(other.group)}`;
    const holder = held.get(name);
    if (holder !== undefined && holder !== unit.group) return `"${name}" is held by ${printable(holder)}`;
    const reason = blocked(name);
    if (reason === null) granted.set(name, unit);
    return reason;
  };
  // Three rounds over all units: a unit's name takes precedence over a numbered name, that over another container's alias.
  const bases = new Map<Unit, { base: Name; renamed: string | null }>();
  for (const unit of units) bases.set(unit, takeBase(unit, take));
  const owns = new Map<string, Name>();
  /** Own name → key of its container: within one unit, too, each belongs to one container. */
  const ownerOf = new Map<string, string>();
  const takeNew: Take = (name, unit) => (granted.has(name) ? `"${name}" is given` : take(name, unit));
  for (const unit of units) {
    const base = bases.get(unit)?.base ?? unit.wish;
    for (const claim of unit.claims) {
      const own = unit.claims.length > 1 ? takeOwn(claim, base, unit, takeNew) : base;
      owns.set(claim.key, own);
      ownerOf.set(own, claim.key);
    }
  }
  const grants = new Map<string, Grant>();
  for (const unit of units) {
    const { base, renamed } = bases.get(unit) ?? { base: unit.wish, renamed: null };
    const dotted = dottedName(unit);
    const dottedRefused = dotted === null ? null : take(dotted, unit);
    for (const claim of unit.claims) {
      const own = owns.get(claim.key) ?? base;
      const notes = dottedRefused === null ? [] : [dottedRefused];
      const aliases = claim.aliases.filter((alias) => {
        const sister = (ownerOf.get(alias) ?? claim.key) !== claim.key;
        const refused = take(alias, unit) ?? (sister ? `"${alias}" is another container's own name` : null);
        if (refused !== null) notes.push(refused);
        return refused === null;
      });
      const service = dotted !== null && dottedRefused === null ? [dotted] : [];
      const others = unit.claims.length > 1;
      const said = JSON.stringify([own, base, aliases, service, others, renamed, notes]);
      grants.set(
        claim.key,
        made(claim, said, () => {
          const names = [...new Set<string>([own, base, ...aliases, ...service])];
          const shared = others ? names.filter((name) => name !== own) : [];
          const kept = [...new Set([base, own, ...aliases, ...service])];
          return { own, names, shared, kept, renamed, notes };
        }),
      );
    }
  }
  return grants;
}

/** The same value as long as nothing of it changes: what follows from it is computed once. */
const made = perObject<Claim, Grant>();

type Take = (name: string, unit: Unit) => string | null;

function takeBase(unit: Unit, take: Take): { base: Name; renamed: string | null } {
  const refused = take(unit.wish, unit);
  if (refused === null) return { base: unit.wish, renamed: null };
  const first = unit.claims[0];
  const print = fingerprint(first?.key ?? "");
  const others = [
    ...(first?.project ? [suffixed(unit.wish, first.project)] : []),
    ...[4, 6, 8].map((digits) => suffixed(unit.wish, print.slice(0, digits))),
  ];
  const base = others.find((name) => take(name, unit) === null);
  // all 32 bits belong to another container: count on, so that a container is renamed but never left out
  for (let n = 2; base === undefined; n++) {
    const name = suffixed(unit.wish, `${print}-${n}`);
    if (take(name, unit) === null) return { base: name, renamed: refused };
  }
  return { base, renamed: refused };
}

/** `web-1` of a service with several containers. */
function takeOwn(claim: Claim, base: Name, unit: Unit, take: Take): Name {
  const print = fingerprint(claim.key);
  for (const suffix of [String(claim.number), print.slice(0, 4), print]) {
    const name = suffixed(base, suffix);
    if (take(name, unit) === null) return name;
  }
  for (let n = 2; ; n++) {
    const name = suffixed(base, `${print}-${n}`);
    if (take(name, unit) === null) return name;
  }
}

function dottedName(unit: Unit): string | null {
  const first = unit.claims[0];
  return first?.service && first.project ? `${first.service}.${first.project}` : null;
}

/** A group for people: keys hold untrusted text. */
function printable(group: string): string {
  const text = group.replace(/^(compose|swarm|container):/, "").replace(/[^\x20-\x7e]/g, "?");
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
