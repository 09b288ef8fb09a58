/** A host that contradicts its configuration: no new container is served, and all that is in force stays. */
import t from "tap";
import type { Config } from "../../src/core/config/config.ts";
import { ConfigError } from "../../src/core/errors.ts";
import { type Outcome, reconcile } from "../../src/director/reconcile.ts";
import { config, container, forward, HOST, ip, NOW, observation } from "../core/make.ts";
import { StillHost } from "./still-host.ts";

const USUAL = config({ IP_RANGE: "192.168.122.11-192.168.122.30" });
const one = container({ name: "one", at: "172.17.0.2" });
const two = container({ name: "two", at: "172.17.0.3" });

const run = (host: StillHost, conf: Config = USUAL, apply = true, yes = false): Promise<Outcome> =>
  reconcile(conf, host, { now: () => NOW, apply, yes, confirmationMs: 0 });

async function served(): Promise<StillHost> {
  const host = new StillHost();
  host.containers = [one, two];
  await run(host);
  return host;
}

const three = container({ name: "three", at: "172.17.0.4" });

const withoutAddress = { addresses: observation().addresses.filter((a) => a.address !== HOST) };

/** Ways to contradict. */
const REFUSALS: readonly (readonly [string, (host: StillHost) => Config | undefined])[] = [
  [
    "a device that has lost its address",
    (host) => {
      host.over = withoutAddress;
      return undefined;
    },
  ],
  ["a range without the leases", () => config({ IP_RANGE: "192.168.122.21-192.168.122.30" })],
];

for (const [what, contradict] of REFUSALS) {
  for (const apply of [true, false])
    t.test(`${what}, ${apply ? "a run" : "an observation alone"}: refused, nothing is applied`, async (t) => {
      const host = await served();
      const conf = contradict(host);
      host.containers = [one, three];
      const { actual, notedRuns } = host;
      await t.rejects(run(host, conf, apply), /range|address/);
      t.equal(host.actual, actual);
      t.equal(host.plans.length, 1, "the plan of the run before");
      t.equal(host.notedRuns, notedRuns, "it does not count as a run that ended well");
    });
}

t.test("the contradiction over: the waiting container is served by the next run", async (t) => {
  const host = await served();
  host.over = withoutAddress;
  host.containers = [one, two, three];
  await t.rejects(run(host), ConfigError);
  host.over = {};
  await run(host);
  t.strictSame(
    host.actual.dataPath.forwards.map(({ name, target }) => `${name} ${target}`),
    ["one 172.17.0.2", "two 172.17.0.3", "three 172.17.0.4"],
  );
});

t.test("a range without the leases, accepted with --yes: the services move", async (t) => {
  const host = await served();
  const conf = config({ IP_RANGE: "192.168.122.21-192.168.122.30" });
  await t.rejects(run(host, conf), /outside of the range/);
  await run(host, conf, true, true);
  t.strictSame(
    host.actual.aliases.map(({ address }) => address as string),
    ["192.168.122.21", "192.168.122.22"],
  );
});

t.test("an observation alone: a plan, and nothing applied", async (t) => {
  const host = await served();
  host.containers = [one];
  const { actual } = host;
  const { plan } = await run(host, USUAL, false);
  t.ok(plan.steps.length > 0);
  t.equal(host.actual, actual);
  t.equal(host.plans.length, 1);
});

t.test("a forward that the kernel refuses: a warning, and the run succeeds", async (t) => {
  const host = await served();
  const { alias } = forward(11, 2);
  host.refuses = [{ alias, message: "no chain by that name" }];
  const { warnings } = await run(host);
  t.match(warnings, [/192\.168\.122\.11 is not forwarded: no chain by that name/]);
  t.equal(host.notedRuns, 2);
});

t.test(
  "a new address that another machine answers for: the next one is given, and it is reported",
  async (t) => {
    const host = new StillHost();
    host.containers = [one];
    host.taken = new Set([ip("192.168.122.11"), ip("192.168.122.12")]);
    const { decision, warnings } = await run(host);
    t.equal(decision.services[0]?.address, "192.168.122.13");
    t.strictSame(
      decision.desired.table.conflicts.map(({ address }) => address as string),
      ["192.168.122.11", "192.168.122.12"],
    );
    t.match(warnings, [/192\.168\.122\.11 is in use by another machine/, /192\.168\.122\.12 is in use/]);
  },
);

const many = Array.from({ length: 6 }, (_, i) => container({ name: `c${i}`, at: `172.17.0.${i + 2}` }));

t.test("an empty list of Docker's, not confirmed by the next observation: nothing is removed", async (t) => {
  const host = new StillHost();
  host.containers = many;
  await run(host);
  host.containers = [];
  const observe = host.observe.bind(host);
  const before = host.scopes.length;
  host.observe = async (scope) => {
    const seen = await observe(scope);
    host.containers = many;
    return seen;
  };
  const { plan } = await run(host);
  t.strictSame(plan.steps, []);
  t.equal(host.scopes.length - before, 2);
});

t.test(
  "a mass removal: carried out after twelve more whole observations, or at once when Docker has announced it",
  async (t) => {
    for (const [announced, observations] of [
      [false, 13],
      [true, 1],
    ] as const) {
      const host = new StillHost();
      host.containers = many;
      await run(host);
      host.containers = many.slice(0, 2);
      host.over = announced ? { ended: new Set(many.slice(2).map(({ id }) => id)) } : {};
      host.scopes.length = 0;
      const options = { now: () => NOW, apply: true, yes: false, confirmationMs: 0, scope: { events: [] } };
      const { decision } = await reconcile(USUAL, host, options);
      t.equal(decision.services.length, 2);
      t.strictSame(host.scopes, [
        { events: [] },
        ...Array.from({ length: observations - 1 }, () => undefined),
      ]);
    }
  },
);
