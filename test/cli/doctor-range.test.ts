/** `ocdd doctor` of the range. */
import t from "tap";
import { onThisHost } from "../../src/cli/configuration.ts";
import { ofHost } from "../../src/cli/doctor/doctor.ts";
import { range } from "../../src/cli/doctor/drift.ts";
import { decide } from "../../src/core/decide.ts";
import { config, NOW, observation } from "../core/make.ts";
import { StillHost } from "../director/still-host.ts";

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

t.test("a range of which no address can be handed out: doctor and config say so", async (t) => {
  for (const pool of ["192.168.122.200", "192.168.122.255", "192.168.122.200, 192.168.122.0"]) {
    t.match(found(pool), { ok: false, message: /^no address of the range can be handed out/, remedy: /IT/ });
    const conf = config({ IP_RANGE: pool, STORAGE_DIR: t.testdir({}) });
    const { findings } = await ofHost(conf, new StillHost(), { docker: "iptables", rules: true });
    t.match(
      findings.find(({ subject }) => subject === "range"),
      { ok: false },
      "not set up either",
    );
    t.match((await onThisHost(conf, { observe: async () => observation() })).warnings, [/^no address/]);
  }
  t.match(found("192.168.122.199-192.168.122.200"), { ok: true, message: /^1 of 2 free$/ });
});
