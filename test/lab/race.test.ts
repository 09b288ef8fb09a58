/**
 * An alias leads to its own container or to nothing, whatever the director does and however fast Docker gives an address
 * to another container. `npm run soak:race` is the same for a minute each.
 */

import t from "tap";
import { ENGINES, hasAll, initializedLab } from "./director.ts";
import { layCourse, lives, RACES, runRace } from "./race.ts";

t.setTimeout(1_200_000);

const SECONDS = Number(process.env.OCDD_RACE ?? 3);

for (const engine of ENGINES) {
  t.test(`two containers swap one address on ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `race-${engine}`, engine, dns: false });
    const course = await layCourse(lab);
    // without a director, or with one that stands still, it is the kernel that answers
    for (const race of hasAll(engine) ? RACES : RACES.filter(lives)) {
      const { right, wrong, none, swaps, converged, told } = await runRace(course, race, SECONDS);
      const what = `swap by ${race.swap}, director ${race.director}`;
      t.comment(`${what}: ${right} right, ${wrong} wrong, ${none} none, ${swaps} swaps`);
      t.same(told, [], `${what}: no answer of the other container`);
      t.equal(wrong, 0, `${what}: 0 wrong answers`);
      t.ok(swaps > 0, `${what}: the address has changed its owner`);
      if (lives(race)) t.ok(right > 0, `${what}: right answers`);
      t.ok(converged, `${what}: at the end the container with the address answers`);
    }
  });
}
