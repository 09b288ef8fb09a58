/**
 * The cost of a visit to a service that sleeps. `npm run bench:wake` prints tables; real engines (ENGINES: debian,sid).
 *
 *     node bench/wake.ts delay   ROUNDS (100) visits a protocol, beside starts by hand of an equal container
 *     node bench/wake.ts crowd   SLEEPERS (100) visited at once by VISITORS (10) clients each
 *     node bench/wake.ts flood   a service that is awake beside RATE (20000) SYN a second to sleepers
 */
import { say } from "./report.ts";
import { measureCrowd } from "./wake-crowd.ts";
import { measureDelay } from "./wake-delay.ts";
import { measureFlood } from "./wake-flood.ts";
import { engines, raise } from "./wake-lab.ts";

const MEASURES = { delay: measureDelay, crowd: measureCrowd, flood: measureFlood } as const;

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(MEASURES);
for (const name of wanted) {
  if (!(name in MEASURES)) throw new Error("wake.ts [delay] [crowd] [flood]");
  for (const engine of engines()) {
    const { lab, version } = await raise(`bench-wake-${name}`, engine);
    await using _ = lab;
    say(`\n## ${name}, engine ${version}\n`);
    await MEASURES[name as keyof typeof MEASURES](lab);
  }
}
