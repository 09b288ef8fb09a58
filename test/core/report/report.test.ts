import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import { ConfigError, HostError } from "../../../src/core/errors.ts";
import type { Container } from "../../../src/core/model.ts";
import { listText } from "../../../src/core/report/list.ts";
import {
  isPartial,
  listDocument,
  noServices,
  portsText,
  runDocument,
  runReport,
} from "../../../src/core/report/report.ts";
import { stoppedServices } from "../../../src/core/report/stopped.ts";
import { BARE, CONTRACT, config, container, id, lease, NOW, observation, zoneFile } from "../make.ts";

const CONFIG = config();
const decided = (containers: readonly Container[], zone = "") =>
  decide(CONFIG, observation({ containers, actual: { ...BARE, zone: zoneFile(zone) } }), NOW);

t.test("the run's report: the bash script's lines", async (t) => {
  t.equal(
    runReport(CONFIG, decided(CONTRACT)),
    `Found containers with following (docker-private) IP addresses:

dns 172.19.0.4
jenkins 172.18.0.3

CONTAINER_COUNT on this docker host is 2 .

Generating iptables rules and DNS entries for each container...

-------------------------------------------------------------------------------------

Here is how various hostnames and their IPs look like (in DNS) toolbox.example.com :

toolbox.example.com.	60	IN	A	192.168.122.200
dns.toolbox.example.com.	60	IN	A	192.168.122.11
dockerhost.toolbox.example.com.	60	IN	A	192.168.122.200
jenkins.toolbox.example.com.	60	IN	A	192.168.122.12
`,
  );
  t.equal(runReport(CONFIG, decided([])), "No containers found!\n");
  const sealed = decided([container({ name: "n", networkMode: "none", attachments: [] })]);
  t.equal(runReport(CONFIG, sealed), "No containers are served: 1 found, all skipped (see ocdd status)\n");
  t.equal(noServices({ expose: "labelled" }, decided([])), "No containers with ocdd.enable=true found!");
  t.match(
    runReport(CONFIG, decided(CONTRACT, "$TTL 60\nelse IN A 192.168.122.150\n")),
    /else\.toolbox\.example\.com\.\t60\tIN\tA\t192\.168\.122\.150\njenkins/,
  );
});

t.test("partial: a full range or a label that cannot be read, not what asks for no address", async (t) => {
  const [web, odd, alone] = [
    container({ name: "web", at: "172.17.0.2" }),
    container({ name: "odd", at: "172.17.0.3", labels: new Map([["ocdd.ports", "x"]]) }),
    container({ name: "alone", networkMode: "none", attachments: [] }),
  ];
  t.notOk(isPartial(decided([web, alone])));
  t.ok(isPartial(decided([web, odd])));
  const full = decide(
    config({ IP_RANGE_END: "11" }),
    observation({ containers: [web, { ...web, id: "f".repeat(64), name: "second" }] }),
    NOW,
  );
  t.ok(isPartial(full));
});

t.test("the list as text: one line a service, in columns", async (t) => {
  const leases = [lease("192.168.122.12", "compose:example/jenkins/1")];
  const seen = observation({ containers: CONTRACT, actual: { ...BARE, table: { ...BARE.table, leases } } });
  t.equal(
    listText(decide(CONFIG, seen, NOW)),
    `NAME     ADDRESS         CONTAINER          CONTAINER ADDRESS  PORTS     STATE
dns      192.168.122.11  example_dns_1      172.19.0.4         -         pending
jenkins  192.168.122.12  example_jenkins_1  172.18.0.3         8080/tcp  running
`,
  );
  t.equal(
    portsText([
      { protocol: "tcp", port: 80 },
      { protocol: "udp", port: 53 },
    ]),
    "80/tcp 53/udp",
  );
});

t.test("a container's text cannot break a line or reach the terminal", async (t) => {
  const d = decided([container({ name: `x${"\u001b[2J\n".repeat(3)}`, state: "run\nning\u0007" })]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is the point
  t.notMatch(listText(d).replaceAll("\n", ""), /[\u0000-\u001f]/);
  t.equal(listText(d).split("\n").length, 3);
});

t.test("the list as JSON: the documented keys", async (t) => {
  const document = listDocument(CONFIG, decided(CONTRACT)) as Record<string, unknown>;
  t.match(document, {
    schemaVersion: 1,
    zone: "toolbox.example.com",
    host: "192.168.122.200",
    services: [
      { name: "dns" },
      {
        name: "jenkins",
        names: ["jenkins", "jenkins.example"],
        fqdn: "jenkins.toolbox.example.com",
        address: "192.168.122.12",
        state: "running",
        container: {
          id: /^[0-9a-f]{64}$/,
          name: "example_jenkins_1",
          image: "busybox:1",
          address: "172.18.0.3",
          network: "bridge",
        },
        project: "example",
        service: "jenkins",
        ports: [{ protocol: "tcp", port: 8080 }],
      },
    ],
    skipped: [],
  });
  const hidden = decided([container({ name: "n", networkMode: "none", attachments: [] })]);
  t.match(listDocument(CONFIG, hidden), {
    skipped: [{ container: "n", reason: "the container has no network" }],
  });
  t.match(runDocument(CONFIG, decided(CONTRACT), ["+ x"]), {
    schemaVersion: 1,
    changes: ["+ x"],
    warnings: [],
  });
});

t.test("the list's ports are those that a client types", async (t) => {
  const labels = new Map([["ocdd.map", "8080:80"]]);
  const web = container({
    name: "web",
    labels,
    ports: ["80", "443"].map((port) => ({ protocol: "tcp", port: Number(port) })),
  });
  const decision = decide(config(), observation({ containers: [web] }), NOW);
  t.match(listText(decision), / 8080->80\/tcp 443\/tcp +pending/);
  t.match(listDocument(config(), decision), { services: [{ ports: [{ port: 80 }, { port: 443 }] }] });
});

t.test("the list with all: also stopped services whose address is on hold, until when", async (t) => {
  const settings = config({ ADDRESS_HOLD: "600" });
  const held = (at: string, key: string, names: string[], ago: number) =>
    lease(at, `container:${key}`, { names, container: id(key), releasedAt: NOW - ago });
  const leases = [
    held("192.168.122.15", "wiki", ["wiki", "wiki.office"], 100),
    held("192.168.122.16", "gone", ["gone"], 599),
    held("192.168.122.17", "old", ["old"], 600),
    lease("192.168.122.19", "", { releasedAt: NOW }),
  ];
  const seen = observation({
    containers: CONTRACT,
    stopped: [container({ name: "wiki", state: "exited" })],
    actual: { ...BARE, table: { ...BARE.table, leases } },
  });
  const decision = decide(settings, seen, NOW);
  const stopped = stoppedServices(settings, decision, seen, NOW);
  t.same(
    listText({ ...decision, stopped })
      .split("\n")
      .slice(3),
    [
      "gone     192.168.122.16  -                  -                  -         removed",
      "wiki     192.168.122.15  wiki               -                  -         stopped",
      "",
    ],
  );
  t.match(listDocument(settings, decision, stopped), {
    services: [{ name: "dns" }, { name: "jenkins" }],
    stopped: [
      { name: "gone", container: null, removed: true },
      {
        name: "wiki",
        names: ["wiki", "wiki.office"],
        fqdn: "wiki.toolbox.example.com",
        address: "192.168.122.15",
        container: "wiki",
        state: "stopped",
        removed: false,
        until: new Date((NOW + 500) * 1000).toISOString(),
      },
    ],
  });
  const [unknown] = stoppedServices(settings, decision, { ...observation(), containers: [] }, NOW);
  t.match(unknown, { name: "gone", removed: false }, "containers that do not run have not been listed");
  t.notHas(listDocument(settings, decision), { stopped: [] }, "only when it is asked for");
});

t.test("errors: place, problem and remedy", async (t) => {
  const error = new ConfigError([
    { where: "f:1", key: "K", message: "is bad" },
    { where: "--set", message: "is odd" },
  ]);
  t.equal(error.message, "f:1: K: is bad\n--set: is odd");
  const cause = new Error("why");
  t.match(new HostError("docker", "m", { remedy: "r", cause }), {
    fault: "docker",
    message: "m",
    remedy: "r",
    cause,
  });
  t.equal("cause" in new HostError("docker", "m"), false);
});

t.test("a service without an instance is listed with its name and address", async (t) => {
  const decision = decided(CONTRACT.slice(0, 1));
  const bare = { ...decision, services: decision.services.map((one) => ({ ...one, instances: [] })) };
  t.match(listText(bare), /^dns +192\.168\.122\.11 +- +- /m);
  t.match(listDocument(CONFIG, bare), { services: [{ address: "192.168.122.11", container: null }] });
});
