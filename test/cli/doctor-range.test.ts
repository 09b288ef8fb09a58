import t from "tap";
import { range } from "../../src/cli/doctor/drift.ts";
import { decide } from "../../src/core/decide.ts";
import { config, NOW, observation } from "../core/make.ts";

const found = (pool: string) => {
  const [settings, seen] = [config({ IP_RANGE: pool }), observation()];
  return range(settings, seen, decide(settings, seen, NOW));
};

t.test("a range within the device's network, beside it, and partly outside: doctor reports it", async (t) => {
  t.match(found("192.168.122.11-192.168.122.30"), { ok: true, message: /^20 of 20 free$/ });
  for (const [pool, part] of [
    ["192.168.112.11-192.168.112.30", "192.168.112.11-192.168.112.30"],
    ["192.168.122.30-192.168.123.4", "192.168.123.0-192.168.123.4"],
  ] as const)
    t.match(found(pool), { ok: true, message: new RegExp(`free; ${part} is in no network of ens3`) });
});
