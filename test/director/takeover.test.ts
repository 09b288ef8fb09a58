/** The first run on a host: where the bash script was in force each service keeps its address; where nothing was, all is created. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { prepareFirstRun } from "../../src/cli/initialize.ts";
import { decide } from "../../src/core/decide.ts";
import type { Container, Decision } from "../../src/core/model.ts";
import { reconcile } from "../../src/director/reconcile.ts";
import { attachment, composeLabels, config, container, id, ip, NOW } from "../core/make.ts";
import { Floor } from "../fake/floor.ts";

/** The script's rule for an alias, by its last octet, to a container's address. */
const rule = (alias: number, name: string, target: string): string =>
  `-A DOCKER -d 192.168.122.${alias}/32 ! -i docker0 -m comment --comment "OCDD-${name}" -j DNAT --to-destination ${target}`;

/** A host with these containers on Docker's bridge, by address, and these rules of the script with their aliases. */
function floorWith(t: Test, containers: readonly Container[], rules: readonly string[] = []): Floor {
  const floor = new Floor();
  t.teardown(() => floor.remove());
  floor.docker.containers_ = [...containers];
  floor.docker.catchUp();
  const { kernel } = floor;
  kernel.bridgePorts = containers.map(({ id: own }, i) => ({
    name: `veth${i}`,
    bridge: "docker0",
    hairpin: false,
    container: own,
  }));
  kernel.rules = kernel.rules.replace(/(\*nat[\s\S]*?)COMMIT/, `$1${[...rules, "COMMIT"].join("\n")}`);
  for (const [, alias = ""] of rules.join("\n").matchAll(/-d (\S+)\/32/g))
    kernel.addresses.push({ device: "ens3", address: ip(alias), prefix: 32, label: "ens3" });
  return floor;
}

async function firstRun(floor: Floor, now = NOW): Promise<Decision> {
  const settings = config({ STORAGE_DIR: floor.directory });
  const director = floor.start(settings);
  const { decision } = await director.as(async () => {
    await prepareFirstRun(settings, director.host);
    const options = { now: () => now, apply: true, yes: false, confirmationMs: 0 };
    return reconcile(settings, director.host, options);
  });
  return decision;
}

const addresses = ({ services }: Decision): Record<string, string> =>
  Object.fromEntries(services.map(({ name, address }) => [name, address]));

t.test("rules of the bash script: each service keeps its address, and no address is on hold", async (t) => {
  const jenkins = container({
    name: "ci_jenkins_1",
    at: "172.17.0.3",
    labels: composeLabels("ci", "jenkins"),
  });
  const web = container({ name: "web", at: "172.17.0.4", created: NOW });
  const floor = floorWith(
    t,
    [web, jenkins],
    [rule(13, "jenkins", "172.17.0.3"), rule(12, "web", "172.17.0.4")],
  );
  const decision = await firstRun(floor);
  t.strictSame(addresses(decision), { jenkins: "192.168.122.13", web: "192.168.122.12" });
  t.strictSame(decision.range, { size: 20, used: 2, held: 0, conflict: 0, reserved: 0, free: 18 });
  t.strictSame(decision.warnings, []);
  t.notOk(
    floor.calls.some((call) => call.startsWith("ip -batch") && /addr (replace|del)/.test(call)),
    "the aliases are not changed",
  );
  t.notMatch(floor.kernel.rules, /-A DOCKER -d/, "the script's rules have gone");
  const zone = readFileSync(join(floor.directory, "dns/toolbox.example.com.zone"), "utf8");
  t.match(zone, /^jenkins\S*\s.*192\.168\.122\.13/m);
  const again = await firstRun(floor, NOW + 1);
  t.strictSame(addresses(again), addresses(decision), "the next run reads it in the leases");
});

t.test("a rule of the bash script that is out of date: its name counts, not its target", async (t) => {
  const web = container({ name: "web", at: "172.17.0.3" });
  const jenkins = container({ name: "jenkins", at: "172.17.0.4" });
  const rules = [
    rule(11, "jenkins", "172.17.0.3"),
    rule(12, "web", "172.17.0.4"),
    rule(13, "gone", "172.17.0.9"),
  ];
  const decision = await firstRun(floorWith(t, [web, jenkins], rules));
  t.strictSame(addresses(decision), { web: "192.168.122.12", jenkins: "192.168.122.11" });
  t.equal(decision.range.held, 1, "the address whose container is gone");
});

t.test("two rules of the bash script with the same name: each keeps its container", async (t) => {
  const containers = ["a", "b"].map((project, i) =>
    container({
      name: `${project}_web_1`,
      id: id(project),
      labels: composeLabels(project, "web"),
      attachments: [attachment("bridge", `172.17.0.${3 + i}`)],
    }),
  );
  const rules = [rule(11, "web", "172.17.0.4"), rule(12, "web", "172.17.0.3")];
  const { services } = await firstRun(floorWith(t, containers, rules));
  const byProject = Object.fromEntries(services.map(({ project, address }) => [project, address]));
  t.strictSame(byProject, { a: "192.168.122.12", b: "192.168.122.11" });
});

t.test("an address of the bash script that another machine uses: the run ends", async (t) => {
  const floor = floorWith(
    t,
    [container({ name: "web" }), container({ name: "new", at: "172.17.0.3" })],
    [rule(12, "web", "172.17.0.2")],
  );
  floor.neighbours.add(ip("192.168.122.11"));
  t.strictSame(addresses(await firstRun(floor)), { web: "192.168.122.12", new: "192.168.122.13" });
});

t.test("a run on a host without storage: it is created as by initialize", async (t) => {
  const floor = floorWith(t, [container({ name: "web" })]);
  rmSync(floor.directory, { recursive: true });
  t.strictSame(addresses(await firstRun(floor)), { web: "192.168.122.11" });
  const list = readFileSync(join(floor.directory, "iplist.txt"), "utf8").trim().split("\n");
  t.strictSame([list.length, list[0], list.at(-1)], [20, "192.168.122.11", "192.168.122.30"]);
  for (const file of ["leases.json", "www/index.html"]) t.ok(existsSync(join(floor.directory, file)), file);
});

t.test("rules of OCDD in force, their storage missing: nothing is created in its place", async (t) => {
  const floor = floorWith(t, [container({ name: "web" })]);
  await firstRun(floor);
  rmSync(floor.directory, { recursive: true });
  const settings = config({ STORAGE_DIR: floor.directory });
  const director = floor.start(settings);
  await director.as(() => prepareFirstRun(settings, director.host));
  t.notOk(existsSync(floor.directory), "the lock then says that the storage is missing");
  mkdirSync(floor.directory);
});

t.test("a host on which a run has been: its storage is not prepared again", async (t) => {
  const floor = floorWith(t, [container({ name: "web" })]);
  const settings = config({ STORAGE_DIR: floor.directory });
  writeFileSync(join(floor.directory, "ocdd.lock"), "");
  await prepareFirstRun(settings, { observe: () => t.fail("nothing is looked at") as never });
  t.notOk(existsSync(join(floor.directory, "iplist.txt")));
});

t.test("the script's rules and leases of OCDD: the leases count", async (t) => {
  const floor = floorWith(t, [container({ name: "web" })]);
  await firstRun(floor);
  const { kernel } = floor;
  kernel.rules = kernel.rules.replace(/(\*nat[\s\S]*?)COMMIT/, `$1${rule(20, "web", "172.17.0.2")}\nCOMMIT`);
  const settings = config({ STORAGE_DIR: floor.directory });
  const director = floor.start(settings);
  const seen = await director.as(() => director.host.observe());
  t.strictSame(addresses(decide(settings, seen, NOW)), { web: "192.168.122.11" });
});
