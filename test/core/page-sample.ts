/** An office's containers for the page's tests, pictures and figures, decided upon by the director itself. */
import { decide } from "../../src/core/decide.ts";
import type { Container, Decision, Observation } from "../../src/core/model.ts";
import type { PageTemplate } from "../../src/core/page/template.ts";
import { BARE, composeLabels, config, container, ip, NOW, observation } from "./make.ts";

type Tool = readonly [
  project: string,
  service: string,
  image: string,
  ports: readonly number[],
  labels?: Record<string, string>,
  over?: Partial<Container>,
];

const OFFICE: readonly [Tool, ...Tool[]] = [
  [
    "build",
    "jenkins",
    "jenkins/jenkins:2.541-lts",
    [8080, 50_000],
    { "ocdd.map": "80:8080", "homepage.description": "Builds every branch" },
  ],
  [
    "build",
    "nexus",
    "sonatype/nexus3:3.88.0",
    [8081],
    { "ocdd.title": "Artifacts", "ocdd.description": "Maven, npm and Docker repositories" },
  ],
  ["build", "agent", "jenkins/inbound-agent:3327", []],
  [
    "gitea",
    "gitea",
    "gitea/gitea:1.25.3",
    [22, 3000],
    { "ocdd.map": "80:3000", "org.opencontainers.image.version": "1.25.3" },
    { health: "healthy" },
  ],
  ["gitea", "db", "postgres:17.5", [5432], {}, { health: "healthy" }],
  [
    "monitoring",
    "grafana",
    "grafana/grafana:12.3.1",
    [3000],
    { "ocdd.map": "80:3000", "ocdd.description": "Dashboards of the build farm and the office network" },
  ],
  ["monitoring", "prometheus", "prom/prometheus:v3.8.1", [9090]],
  ["monitoring", "alertmanager", "prom/alertmanager:v0.30.0", [9093]],
  [
    "wiki",
    "wiki",
    "requarks/wiki:2.5",
    [3000],
    {
      "ocdd.map": "80:3000",
      "homepage.name": "Team wiki",
      "homepage.description": "How we work, and who knows what",
    },
    { health: "healthy" },
  ],
  ["wiki", "db", "postgres:17.5", [5432], {}, { health: "starting" }],
  [
    "shop",
    "web",
    "registry.example.com/shop/frontend:2026.11.3",
    [80, 443],
    { "ocdd.url": "/cart" },
    { health: "unhealthy" },
  ],
  ["shop", "cache", "redis:8.4-alpine", [6379]],
];
const ALONE: readonly Tool[] = [
  ["", "dns", "coredns/coredns:1.13.2", []],
  ["", "mqtt", "eclipse-mosquitto:2.0.22", [1883, 9001]],
];

/** Containers: the office's own, then as many more of the same kinds as make `count`. */
export function sampleContainers(count: number, now: number = NOW): Container[] {
  const all = [...OFFICE, ...ALONE];
  return Array.from({ length: count }, (_, i) => {
    const [project, service, image, ports, labels = {}, over = {}] = all[i % all.length] ?? OFFICE[0];
    const round = Math.floor(i / all.length);
    // further rounds are further teams, each with four of a kind
    const place = round === 0 ? project : `${project || "tools"}-${round >> 2}`;
    const own = round === 0 ? service : `${service}-${round}`;
    const udp = service === "dns" ? [{ protocol: "udp" as const, port: 53 }] : [];
    return container({
      name: place === "" ? own : `${place}-${own}-1`,
      at: `172.17.${1 + (i >> 7)}.${2 + (i & 127)}`,
      image,
      created: now - 4_000 * (i + 2),
      started: { earliest: now - 4_000 * (i + 3), latest: now - 4_000 * (i + 1) },
      ports: [...ports.map((port) => ({ protocol: "tcp" as const, port })), ...udp],
      labels: new Map([...(place === "" ? [] : composeLabels(place, own)), ...Object.entries(labels)]),
      ...(round < 3 ? over : {}),
    });
  });
}

/** The containers as Docker shows them when they are labelled for sleep; those of these names do not run. */
export function sampleSleepers(
  all: readonly Container[],
  names: readonly string[],
  asleep: readonly string[],
) {
  const marked = all.map((one) =>
    names.includes(one.name) ? { ...one, labels: new Map([...one.labels, ["ocdd.wake", "true"]]) } : one,
  );
  const stopped = marked
    .filter(({ name }) => asleep.includes(name))
    .map(
      ({ attachments, ...one }): Container => ({
        ...one,
        state: "exited",
        health: "none",
        started: undefined,
        ports: [],
        attachments: attachments.map((at) => ({ ...at, address: undefined })),
      }),
    );
  return { running: marked.filter(({ name }) => !asleep.includes(name)), stopped };
}

/** What the director decides over these containers, after the decision `before`. */
export function sampleDecision(
  containers: readonly Container[],
  template?: PageTemplate,
  before?: Decision,
  now: number = NOW,
  over: Partial<Observation> = {},
): Decision {
  const settings =
    containers.length > 60
      ? { IP_RANGE: "10.80.0.10-10.80.3.200" }
      : { IP_RANGE_END: "30", ADDRESS_HOLD: "600" };
  const strange = {
    conflicts: [{ address: ip(containers.length > 60 ? "10.80.0.12" : "192.168.122.14"), seenAt: now - 60 }],
  };
  const actual = before?.desired ?? {
    ...BARE,
    table: { ...BARE.table, ...(containers.length > 0 ? strange : {}) },
  };
  const seen = observation({ actual, containers, ...(template === undefined ? {} : { template }), ...over });
  return decide(config(settings), seen, now);
}
