/** Which ports `watch` tries, and how a service is shown on which no connection is accepted. */
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import { portChecksOf } from "../../../src/core/lifecycle/port-check.ts";
import type { Container, Observation, Service, State } from "../../../src/core/model.ts";
import type { Port, Protocol } from "../../../src/core/ports.ts";
import { ANY, listed } from "../../../src/core/report/filter.ts";
import { listText } from "../../../src/core/report/list.ts";
import { listDocument } from "../../../src/core/report/report.ts";
import { attachment, config, container, id, NOW, network, observation } from "../make.ts";

const CONFIG = config();
const ports = (...all: readonly (number | [number, Protocol])[]): Port[] =>
  all.map((one) =>
    typeof one === "number" ? { protocol: "tcp", port: one } : { protocol: one[1], port: one[0] },
  );

type Over = Partial<Container> & { readonly asked?: Readonly<Record<string, string>> };
const web = ({ asked = {}, ...over }: Over = {}): Container =>
  container({ name: "web", ports: ports(80), labels: new Map(Object.entries(asked)), ...over });

const decided = (containers: readonly Container[], over: Partial<Observation> = {}) =>
  decide(CONFIG, { ...observation({ containers: [...containers] }), ...over }, NOW);

/** The ports that are tried in the container "web"; undefined where none is. */
const tried = (over: Over): readonly number[] | undefined =>
  portChecksOf(decided([web(over)]).services)[0]?.ports;

t.test("the container's TCP ports that clients are told, at its own address", async (t) => {
  const [check] = portChecksOf(decided([web({ ports: ports(8080, [53, "udp"], 9000) })]).services);
  t.strictSame(check, { container: id("web"), service: "web", address: "172.17.0.2", ports: [8080, 9000] });
  const mapped = { "ocdd.map": "80:3000,443:3000,5353:53/udp" };
  t.strictSame(
    tried({ asked: mapped, ports: ports(9000, 3000) }),
    [3000, 9000],
    "targets of ocdd.map first, once",
  );
  t.strictSame(
    tried({ asked: { "ocdd.ports": "9000" }, ports: ports(80, 9000) }),
    [9000],
    "forwarded ones only",
  );
  t.strictSame(tried({ ports: ports(1, 2, 3, 4, 5) }), [1, 2, 3, 4]);
});

t.test("not tried: no TCP port, a HEALTHCHECK, a try, not running, not reached from the host", async (t) => {
  const cases: readonly (readonly [string, Over])[] = [
    ["no port", { ports: [] }],
    ["UDP only", { ports: ports([53, "udp"]) }],
    ["healthy", { health: "healthy" }],
    ["its HEALTHCHECK has not succeeded yet", { health: "starting" }],
    ["an instance of ocdd try", { asked: { "ocdd.try": "web-try" } }],
    ["paused", { state: "paused" }],
    ["restarting", { state: "restarting" }],
    ["the host's network", { networkMode: "host", attachments: [] }],
  ];
  for (const [what, over] of cases) t.equal(tried(over), undefined, what);
  const lan = network({ name: "lan", cidr: "10.20.0.0/24", driver: "macvlan", bridge: "" });
  const direct = web({ networkMode: "lan", attachments: [attachment("lan", "10.20.0.5")] });
  const { services } = decided([direct], { networks: [lan] });
  t.match(services, [{ kind: "direct" }]);
  t.strictSame(portChecksOf(services), []);
});

t.test("asleep: not tried, so that it is not woken; awake: tried", async (t) => {
  const asked = { "ocdd.wake": "true" };
  const run = decided([web({ asked })]);
  t.equal(portChecksOf(run.services).length, 1);
  const stopped = web({ asked, state: "exited", attachments: [attachment("bridge", undefined)], ports: [] });
  const { services } = decided([], { stopped: [stopped], actual: run.desired });
  t.match(services, [{ state: "asleep" }]);
  t.strictSame(portChecksOf(services), []);
});

t.test("ocdd.check: off in each spelling; what cannot be read is a note, and counts as on", async (t) => {
  for (const word of ["off", "false", "no", "0", " OFF "])
    t.equal(tried({ asked: { "ocdd.check": word } }), undefined, word);
  for (const word of ["on", "true", "yes", "1", "perhaps", ""])
    t.strictSame(tried({ asked: { "ocdd.check": word } }), [80], word);
  const { warnings } = decided([web({ asked: { "ocdd.check": "off\u001b[2J?" } })]);
  t.match(warnings, [
    /^container "web": label ocdd\.check cannot be read and is ignored: "off\ufffd\[2J\?" is not true or false$/,
  ]);
  t.strictSame(decided([web({ asked: { "ocdd.check": "off" } })]).warnings, []);
});

const silent = (over: Over = {}, among: readonly string[] = ["web"], actual?: State) =>
  decided([web(over), container({ name: "db", at: "172.17.0.3", ports: ports(5432) })], {
    unanswered: new Set(among.map(id)),
    ...(actual && { actual }),
  });
const rowOf = ({ desired }: ReturnType<typeof silent>, name = "web"): Record<string, unknown> | undefined =>
  (JSON.parse(desired.page.services) as { services: Record<string, unknown>[] }).services.find(
    (row) => row.name === name,
  );

t.test("no answer: a warning with the ports, and nothing else of the service changes", async (t) => {
  const decision = silent({ ports: ports(80, 443) });
  t.match(rowOf(decision), {
    status: "no answer",
    tone: "warn",
    reason: "no connection is accepted on TCP ports 80, 443",
  });
  t.match(rowOf(decision, "db"), { status: "running", tone: "good", reason: null });
  t.match(decision.desired.page.html, /<em>no answer<\/em>/);
  const without = silent({ ports: ports(80, 443) }, []);
  t.match(rowOf(without), { status: "running" });
  t.strictSame(decision.desired.dataPath, without.desired.dataPath);
  t.strictSame(decision.desired.zone.records, without.desired.zone.records);
  t.strictSame(decision.warnings, without.warnings);
});

t.test("what is severer comes first; what is not tried any more is not shown", async (t) => {
  t.match(rowOf(silent({ state: "restarting" })), { status: "restarting" });
  t.match(rowOf(silent({ health: "unhealthy" })), { status: "unhealthy" });
  t.match(rowOf(silent({ asked: { "ocdd.check": "off" } })), { status: "running" });
  t.match(rowOf(silent({}, ["another"])), { status: "running" });
});

t.test("list and its filter say the same; the JSON keeps Docker's state", async (t) => {
  // its address is not pending any more
  const decision = silent({}, ["web"], silent().desired);
  t.match(listText(decision), /^web .* 80\/tcp +no answer$/m);
  const painted = listText(decision, { paint: (text, tone) => `<${tone}>${text}` });
  t.match(painted, /<warn>no answer$/m);
  const names = (state: string): string[] =>
    listed(decision, undefined, { ...ANY, state }).services.map((one: Service) => one.name);
  t.strictSame(names("no-answer"), ["web"]);
  t.strictSame(names("running"), ["db", "web"], "its container runs");
  const { services } = listDocument(CONFIG, decision) as { services: object[] };
  t.match(services, [
    { name: "web", state: "running", unanswered: [80] },
    { name: "db", state: "running" },
  ]);
  t.notOk(Object.hasOwn(services[1] ?? {}, "unanswered"));
});

t.test("a container whose bridge port is not found: list says so, its filter too", async (t) => {
  const none = { portless: new Set([id("web")]) };
  const first = decided([web()], none);
  const decision = decided([web()], { ...none, actual: first.desired });
  t.match(listText(decision), /^web .* no packets$/m);
  t.equal(listed(decision, undefined, { ...ANY, state: "no-packets" }).services.length, 1);
  t.match(listDocument(CONFIG, decision), { services: [{ state: "running", portless: true }] });
});
