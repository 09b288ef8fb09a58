/** What a recorder notes of a churn; times are milliseconds of one clock. */

/** One change or observation. Containers go by name. */
export type Note =
  /** The whole of nat/OCDD after a transaction: alias and target of each forward. */
  | { readonly kind: "rules"; readonly at: number; readonly forwards: readonly (readonly [string, string])[] }
  | { readonly kind: "alias"; readonly at: number; readonly address: string; readonly there: boolean }
  /** The leases on disk: address and container. */
  | { readonly kind: "leases"; readonly at: number; readonly owners: readonly (readonly [string, string])[] }
  /** The addresses in the zone file, from the moment it was renamed to its name; when its writing was begun. */
  | {
      readonly kind: "zone";
      readonly at: number;
      readonly begun: number;
      readonly addresses: readonly string[];
    }
  /** Another zone file was begun, and had not been renamed yet when it was seen. */
  | { readonly kind: "begun"; readonly at: number }
  /** Docker's own state: which container has an address of a network now; null for none. */
  | {
      readonly kind: "holds";
      readonly at: number;
      readonly address: string;
      readonly container: string | null;
    }
  | { readonly kind: "life"; readonly at: number; readonly container: string; readonly alive: boolean }
  /** A director was started, has recorded a successful run, or has ended; see sight.ts. */
  | {
      readonly kind: "director";
      readonly at: number;
      readonly did: "start" | "run" | "end";
      /** Of a start: it stays and watches. */
      readonly watches?: boolean;
    }
  /** How late the recorder's own timers were at most: how closely its times can be compared. */
  | { readonly kind: "late"; readonly at: number; readonly ms: number }
  /** The same answer to a series of queries: null is a name that does not exist, "silence" no answer. */
  | {
      readonly kind: "named";
      readonly at: number;
      readonly container: string;
      readonly value: string | null;
      /** When the first of them was asked and answered, and the last. */
      readonly first: readonly [number, number];
      readonly last: readonly [number, number];
      readonly count: number;
    }
  /** Which container answered connections to a container's alias, and how often; null is none. */
  | {
      readonly kind: "replies";
      readonly at: number;
      readonly container: string;
      readonly who: string | null;
      readonly count: number;
      readonly times: readonly number[];
    };

/** Tolerances in milliseconds, and the containers that must not be affected at all. */
export interface Bounds {
  /** The kernel's and Docker's notifications are read at most so much later: they are not compared more closely. */
  readonly notice: number;
  /** From the rename of a zone file until the server answers from it. */
  readonly serverSwitch: number;
  /** From the die event until rule, alias and name are removed: an end is not known before Docker reports it. */
  readonly afterDeath: number;
  /** How long after its container has ended a rule may lead to one that Docker has assigned the address at once. */
  readonly misled: number;
  /** Containers that stay unchanged: each request is answered, by them. */
  readonly untouched: readonly string[];
}

/**
 * The bounds of an idle machine, wider by how late the recorder itself was on this one: a note passes three programs, and the
 * director starts some more before an end is handled.
 */
export function asBusy(bounds: Bounds, notes: readonly Note[]): Bounds {
  const late = Math.max(0, ...ofKind(notes, "late").map(({ ms }) => ms));
  const { notice, serverSwitch, afterDeath } = bounds;
  return {
    ...bounds,
    notice: notice + 3 * late,
    serverSwitch: serverSwitch + 3 * late,
    afterDeath: afterDeath + 10 * late,
  };
}

/** The notes of one kind, in their order. */
export const ofKind = <K extends Note["kind"]>(
  notes: readonly Note[],
  kind: K,
): Extract<Note, { kind: K }>[] =>
  notes.filter((note): note is Extract<Note, { kind: K }> => note.kind === kind);
