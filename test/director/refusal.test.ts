/** A host that contradicts its configuration: nobody new is served, whoever is served stays, and the dead go all the same. */
import t from "tap";
import type { Config } from "../../src/core/config/config.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { type Outcome, reconcile } from "../../src/director/reconcile.ts";
import { config, container, HOST, NOW, network } from "../core/make.ts";
import { FakeHost } from "../fake/host.ts";

const USUAL = config({ IP_RANGE: "192.168.122.11-192.168.122.30" });
const one = container({ name: "one", at: "172.17.0.2" });
const two = container({ name: "two", at: "172.17.0.3" });

const run = (host: FakeHost, conf: Config = USUAL): Promise<Outcome> =>
  reconcile(conf, host, { now: () => NOW, apply: true, yes: false, secondLook: 0 });

const aliases = (host: FakeHost): string[] =>
  host.addresses.filter((a) => a.label.endsWith(":ocdd")).map((a) => a.address);
const forwarded = (host: FakeHost): string[] =>
  [...host.rules.matchAll(/--to-destination (\S+)/g)].map((match) => match[1] ?? "");

async function served(): Promise<FakeHost> {
  const host = new FakeHost(USUAL);
  host.containers = [one, two];
  await run(host);
  return host;
}

/** Ways to contradict. */
const REFUSALS: readonly (readonly [string, (host: FakeHost) => Config | undefined])[] = [
  [
    "a Docker network over the range",
    (host) => {
      host.networks = [...host.networks, network({ name: "over", cidr: "192.168.122.0/27" })];
      return undefined;
    },
  ],
  [
    "the device has lost its address",
    (host) => {
      host.addresses = host.addresses.filter((a) => a.address !== HOST);
      return undefined;
    },
  ],
  ["a range without the leases", () => config({ IP_RANGE: "192.168.122.21-192.168.122.30" })],
];

for (const [what, contradict] of REFUSALS) {
  t.test(`${what}: refused, and all that is served stays`, async (t) => {
    const host = await served();
    const conf = contradict(host);
    const before = String(host);
    await t.rejects(run(host, conf));
    t.equal(String(host), before);
  });

  t.test(`${what}: who has died goes`, async (t) => {
    const host = await served();
    const conf = contradict(host);
    host.containers = [one];
    host.dead = new Set([two.id]);
    await t.rejects(run(host, conf));
    t.same(forwarded(host), ["172.17.0.2"]);
    t.same(aliases(host), ["192.168.122.11"]);
    const { leases } = host;
    t.equal(leases !== "torn" && leases?.leases.length, 2, "the leases stay");
  });

  t.test(`${what}: whoever has got another's address is not led to`, async (t) => {
    const host = await served();
    const conf = contradict(host);
    host.containers = [one, container({ name: "three", at: "172.17.0.3" })];
    await t.rejects(run(host, conf));
    t.same(forwarded(host), ["172.17.0.2"]);
  });
}

t.test("a look alone takes nobody down", async (t) => {
  const host = await served();
  host.networks = [...host.networks, network({ name: "over", cidr: "192.168.122.0/27" })];
  host.dead = new Set([two.id]);
  const before = String(host);
  const looking = { now: () => NOW, apply: false, yes: false, secondLook: 0 };
  await t.rejects(reconcile(USUAL, host, looking), ConfigError);
  t.equal(String(host), before);
});
