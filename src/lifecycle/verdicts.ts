/** What becomes of the packets that wait for an alias. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Flow, flowKey } from "../core/lifecycle/flow.ts";
import type { Place } from "./place.ts";
import type { Acts } from "./waker-types.ts";

export interface Verdicts {
  /** Releases all that wait, a few at a time, and what comes meanwhile. The alias leads to the container already. */
  letIn(place: Place): Promise<void>;
  /** Refuses all that wait. */
  refuse(place: Place): void;
  /** Releases a packet that met the rules from before; drops one that comes back again and again. */
  release(place: Place, id: number, flow: Flow): void;
}

/** Packets released at once, and milliseconds between: a program that has just begun to listen has a short backlog. */
const SLICE = 8;
const SLICE_MS = 5;
/** Times a flow is released within a second: more, and it has met no rule. */
const MOST_RELEASES = 5;

/** `places` are all of them. */
export function verdictsOn(
  acts: Pick<Acts, "decide" | "look" | "now">,
  places: () => Iterable<Place>,
): Verdicts {
  let counted = acts.now();
  /** False for a flow that comes back although it was released: its rule is not in force. */
  const mayRelease = ({ released }: Place, flow: Flow): boolean => {
    if (acts.now() - counted > 1_000) {
      counted = acts.now();
      for (const one of places()) one.released.clear();
    }
    const key = flowKey(flow);
    const times = (released.get(key) ?? 0) + 1;
    released.set(key, times);
    return times <= MOST_RELEASES;
  };
  const letIn = async (place: Place): Promise<void> => {
    const ids = place.held.take();
    for (let at = 0; at < ids.length; at += SLICE) {
      if (at > 0) await sleep(SLICE_MS);
      for (const id of ids.slice(at, at + SLICE)) acts.decide(id, "release");
    }
    if (place.phase === "awake" && place.held.size > 0) await letIn(place);
  };
  return {
    letIn,
    refuse({ held }) {
      for (const id of held.take()) acts.decide(id, "refuse");
    },
    release(place, id, flow) {
      const may = mayRelease(place, flow);
      acts.decide(id, may ? "release" : "drop");
      if (!may) acts.look(place.service);
    },
  };
}
