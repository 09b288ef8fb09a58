/**
 * The history of a churn and its check. Pure: notes in, violations out; times are milliseconds of one clock. A note is
 * written when the recorder is notified of a change, so at that moment or a little later.
 */

import { type Bounds, type Note, ofKind } from "./note.ts";
import { dueOf, sightOf } from "./sight.ts";
import { withdrawnAt } from "./withdrawal.ts";

/** Bounds for an idle machine; tests on busy ones set their own. */
export const BOUNDS: Bounds = { notice: 30, serverSwitch: 60, afterDeath: 250, misled: 0, untouched: [] };

interface Span {
  readonly from: number;
  to: number;
}

/** Everything that was wrong in a history, a line each; empty when it was right from its first note to its last. */
export function judge(notes: readonly Note[], bounds: Bounds = BOUNDS): string[] {
  const history = [...notes].sort((a, b) => a.at - b.at);
  return [
    ...misledForwards(history, bounds),
    ...lateGone(history, bounds),
    ...unbackedNames(history, bounds),
    ...wrongReplies(history, bounds),
    ...disturbed(history, bounds),
  ];
}

/**
 * At no moment does a rule lead to a container that is not its lease's owner, or exist without a lease, with or without a
 * running director: where it is killed, Docker's addresses must be fixed.
 */
function misledForwards(history: readonly Note[], bounds: Bounds): string[] {
  const found: string[] = [];
  let forwards = new Map<string, string>();
  let owners = new Map<string, string>();
  const holders = new Map<string, string>();
  const wrong = new Map<string, number>();
  const look = (at: number): void => {
    const now = new Set<string>();
    for (const [alias, target] of forwards) {
      const owner = owners.get(alias);
      const holder = holders.get(target);
      if (owner === undefined) now.add(`${alias} is forwarded to ${target} and leased to nobody`);
      else if (holder !== undefined && holder !== owner)
        now.add(`${alias} of ${owner} is forwarded to ${target}, which is ${holder}'s`);
    }
    for (const [what, since] of wrong) {
      if (now.has(what)) continue;
      wrong.delete(what);
      const lasted = at - since;
      const allowed = (what.includes("nobody") ? 0 : bounds.misled) + bounds.notice;
      if (lasted > allowed) found.push(`${since.toFixed(0)}: for ${lasted.toFixed(0)} ms ${what}`);
    }
    for (const what of now) if (!wrong.has(what)) wrong.set(what, at);
  };
  for (const note of history) {
    if (note.kind === "rules") forwards = new Map(note.forwards);
    else if (note.kind === "leases") owners = new Map(note.owners);
    else if (note.kind === "holds" && note.container !== null) holders.set(note.address, note.container);
    else if (note.kind === "holds") holders.delete(note.address);
    else continue;
    look(note.at);
  }
  forwards = new Map();
  look(history.at(-1)?.at ?? 0);
  return found;
}

/** Spans in which something existed, from the notes of its changes. */
function spans(changes: readonly { readonly at: number; readonly there: boolean }[], end: number): Span[] {
  const list: Span[] = [];
  let open: Span | undefined;
  for (const { at, there } of changes) {
    if (there && open === undefined) {
      open = { from: at, to: end };
      list.push(open);
    } else if (!there && open !== undefined) {
      open.to = at;
      open = undefined;
    }
  }
  return list;
}

/** When each alias was in force, as a rule and as an address on the device. */
function inForce(history: readonly Note[], alias: string): { rule: Span[]; address: Span[] } {
  const end = Number.POSITIVE_INFINITY;
  const rules = ofKind(history, "rules").map(({ at, forwards }) => ({
    at,
    there: forwards.some(([a]) => a === alias),
  }));
  const added = ofKind(history, "alias").filter(({ address }) => address === alias);
  return { rule: spans(rules, end), address: spans(added, end) };
}

/** An end that a director had to handle until `due`; the container was away for longer, until `until`. */
interface Death {
  readonly container: string;
  readonly at: number;
  readonly due: number;
  readonly until: number;
}

function actionable(history: readonly Note[], bounds: Bounds): Death[] {
  const sight = sightOf(history, bounds);
  const lives = ofKind(history, "life");
  const end = history.at(-1)?.at ?? 0;
  return lives.flatMap(({ container, at, alive }, i) => {
    if (alive) return [];
    const back = lives.slice(i + 1).find((life) => life.container === container && life.alive);
    const until = back?.at ?? end;
    const due = dueOf(at, sight, bounds);
    return due < until ? [{ container, at, due, until }] : [];
  });
}

/** How many ends of a history were checked: the others were cancelled by a start, or no director ran. */
export function judgedDeaths(notes: readonly Note[], bounds: Bounds): number {
  return actionable(
    [...notes].sort((a, b) => a.at - b.at),
    bounds,
  ).length;
}

/** Once a container has ended, its rule, alias and name are removed; a start before that cancels it. */
function lateGone(history: readonly Note[], bounds: Bounds): string[] {
  const found: string[] = [];
  const leases = ofKind(history, "leases").flatMap(({ owners }) => owners);
  const aliasOf = new Map(leases.map(([address, container]) => [container, address]));
  const deaths = actionable(history, bounds);
  for (const [container, alias] of aliasOf) {
    const { rule, address } = inForce(history, alias);
    const name = ofKind(history, "named")
      .filter((note) => note.container === container && note.value === alias)
      .map(({ first, last }) => ({ from: first[0], to: last[0] }));
    for (const { at, due, until } of deaths.filter((death) => death.container === container)) {
      for (const [what, there] of Object.entries({ rule, address, name })) {
        const late = there.find(({ from, to }) => from < due && to > due);
        if (late !== undefined) {
          const lasted = (Math.min(late.to, until) - at).toFixed(0);
          found.push(`${at.toFixed(0)}: ${container} has died, its ${what} stayed for ${lasted} ms`);
        }
      }
    }
  }
  return found;
}

/** A name answers only after address and rule are in force, and stops answering before they go. */
function unbackedNames(history: readonly Note[], bounds: Bounds): string[] {
  const cache = new Map<string, { rule: Span[]; address: Span[] }>();
  return ofKind(history, "named").flatMap(({ container, value, first, last }) => {
    if (value === null || value === "silence") return [];
    const backing = cache.get(value) ?? inForce(history, value);
    cache.set(value, backing);
    return Object.entries(backing).flatMap(([what, there]) => {
      // the time of an answer is known only between query and arrival, and notifications are read late: in doubt no fault
      const backed = there.some(
        ({ from, to }) =>
          from - bounds.notice <= first[1] &&
          first[1] <= to + bounds.serverSwitch &&
          (last[0] <= to + bounds.serverSwitch ||
            last[0] <= withdrawnAt(history, value, to, bounds) + bounds.serverSwitch),
      );
      if (backed) return [];
      const span = `${first[1].toFixed(0)} to ${last[0].toFixed(0)}`;
      return [`${span}: ${container} was answered as ${value} without its ${what} in force throughout`];
    });
  });
}

/** No request is ever answered by another container. */
function wrongReplies(history: readonly Note[], bounds: Bounds): string[] {
  const deaths = ofKind(history, "life").filter(({ alive }) => !alive);
  const justDied = (container: string, at: number): boolean =>
    deaths.some((d) => d.container === container && d.at <= at && at <= d.at + bounds.misled);
  return ofKind(history, "replies").flatMap(({ container, who, times }) =>
    who === null || who === container
      ? []
      : times
          .filter((at) => !(bounds.misled > 0 && justDied(container, at)))
          .map((at) => `${at.toFixed(0)}: ${container}'s address was answered by ${who}`),
  );
}

/** An unchanged container answers every request, and its name every query. */
function disturbed(history: readonly Note[], { untouched }: Bounds): string[] {
  return untouched.flatMap((container) => {
    const replies = ofKind(history, "replies").filter((note) => note.container === container);
    const names = ofKind(history, "named").filter((note) => note.container === container);
    const failed = replies.filter(({ who }) => who !== container);
    return [
      ...(replies.length === 0 ? [`${container} was asked nothing`] : []),
      ...failed.map(({ who, count, times }) => `${times[0]}: ${container}: ${count} answers of ${who}`),
      ...(names.length > 1
        ? names
            .slice(1)
            .map(({ value, first }) => `${first[0].toFixed(0)}: ${container}'s name became ${value}`)
        : []),
    ];
  });
}

/** Milliseconds by which names outlived their alias on a busy disk (withdrawal.ts). */
export function heldByDisk(notes: readonly Note[], bounds: Bounds = BOUNDS): number[] {
  const history = [...notes].sort((a, b) => a.at - b.at);
  const there = new Map<string, Span[]>();
  return ofKind(history, "named").flatMap(({ value, first, last }) => {
    if (value === null || value === "silence") return [];
    const spans = there.get(value) ?? inForce(history, value).address;
    there.set(value, spans);
    const gone = spans.find(({ from, to }) => from <= last[0] && first[0] <= to)?.to;
    const held = gone === undefined || last[0] <= gone ? 0 : withdrawnAt(history, value, gone, bounds) - gone;
    return held > 0 ? [Math.round(last[0] - (gone ?? 0))] : [];
  });
}

/** Milliseconds from each announced end until the rule was removed; a container that starts before that keeps its rule. */
export function deathsToRuleGone(notes: readonly Note[]): number[] {
  const history = [...notes].sort((a, b) => a.at - b.at);
  const owners = new Map(ofKind(history, "leases").flatMap((n) => n.owners.map(([a, c]) => [c, a] as const)));
  const cache = new Map<string, Span[]>();
  const lives = ofKind(history, "life");
  return lives.flatMap(({ at, container, alive }) => {
    const alias = owners.get(container);
    if (alive || alias === undefined) return [];
    const there = cache.get(alias) ?? inForce(history, alias).rule;
    cache.set(alias, there);
    const stood = there.find(({ from, to }) => from < at && to >= at - 1);
    const back = lives.find((life) => life.container === container && life.alive && life.at > at);
    const until = back?.at ?? Number.POSITIVE_INFINITY;
    return stood === undefined || stood.to === Number.POSITIVE_INFINITY || stood.to > until
      ? []
      : [Math.max(0, stood.to - at)];
  });
}

/** How much was recorded: an empty history proves nothing. */
export function summary(notes: readonly Note[]): Readonly<Record<string, number>> {
  const sum = (list: readonly { readonly count: number }[]): number => list.reduce((n, o) => n + o.count, 0);
  const replies = ofKind(notes, "replies");
  return {
    rules: ofKind(notes, "rules").length,
    aliases: ofKind(notes, "alias").length,
    deaths: ofKind(notes, "life").filter(({ alive }) => !alive).length,
    holds: ofKind(notes, "holds").length,
    questions: sum(ofKind(notes, "named")),
    replies: sum(replies.filter(({ who }) => who !== null)),
    unanswered: sum(replies.filter(({ who }) => who === null)),
  };
}
