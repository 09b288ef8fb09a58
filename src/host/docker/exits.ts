/** Who has died, as Docker's events tell it: its lists follow a moment later. */

/** Deaths that Docker announces, to whoever follows its events. */
export interface Deaths {
  /** One has been announced that no closer look knows of yet. */
  bereaved(): boolean;
  /** Calls `heard` at each, until the function it returns is called. */
  listen(heard: () => void): () => void;
}

export interface Register extends Deaths {
  /**
   * Takes an event down. An `old` one happened before anybody listened: Docker's list may not show it yet, and whoever
   * is back since is told of by a later one. True for a death that is news.
   */
  heard(event: { readonly action: string; readonly container: string }, old: boolean): boolean;
  /** Ids of who is not believed to run, also where they are on their way back. */
  dead(): ReadonlySet<string>;
  /** A look knows of all who are dead by now. */
  known(): void;
  /** A look that asks Docker begins; what it returns is called at its end, and gives the dead of it. */
  look(): () => ReadonlySet<string>;
}

/** Milliseconds for which an announced death is believed against Docker's list; the list follows within 200. */
const BELIEVED = 5_000;

export function makeRegister(): Register {
  /** Container id → when its death was announced. */
  const dying = new Map<string, number>();
  /** Container id → the number of its last death, until a whole look that began after it. */
  const died = new Map<string, number>();
  let deaths = 0;
  let bereaved = false;
  const mourners = new Set<() => void>();
  const dead = (): ReadonlySet<string> => {
    for (const [id, at] of dying) if (performance.now() - at > BELIEVED) dying.delete(id);
    return new Set([...dying.keys(), ...died.keys()]);
  };
  return {
    bereaved: () => bereaved,
    listen(heard) {
      mourners.add(heard);
      return () => void mourners.delete(heard);
    },
    heard({ action, container }, old) {
      // on its way back: its new address is its own
      if (action === "connect" || action === "start") dying.delete(container);
      if (action !== "die") return false;
      dying.set(container, performance.now());
      if (old) return false;
      deaths += 1;
      died.set(container, deaths);
      bereaved = true;
      for (const tell of mourners) tell();
      return true;
    },
    dead,
    known() {
      bereaved = false;
    },
    look() {
      const before = deaths;
      return () => {
        // who has died meanwhile may be on his way back, and what was asked of him may be of either life
        for (const [id, number] of died) if (number <= before) died.delete(id);
        bereaved = false;
        return dead();
      };
    },
  };
}
