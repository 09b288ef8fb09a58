/** `doctor`: whether visits start services that may sleep; and a service asleep is not woken by being looked at. */
import t from "tap";
import { oneService } from "../../src/cli/doctor/service.ts";
import { type Queues, sleepFinding } from "../../src/cli/doctor/sleep.ts";
import { decide } from "../../src/core/decide.ts";
import { type Gates, NO_GATES } from "../../src/core/lifecycle/gates.ts";
import type { Observation } from "../../src/core/model.ts";
import { attachment, config, container, id, NOW, observation } from "../core/make.ts";

const CONFIG = config({ SERVICES: "systemd" });
const WAKES = new Map([["ocdd.wake", "true"]]);
const asleep = container({
  name: "wiki",
  state: "exited",
  labels: WAKES,
  attachments: [attachment("bridge", undefined)],
});
const NFT = { backend: "nft", unguarded: null, obstacles: [], iptables: false } as const;

const find = (
  over: Partial<Observation>,
  reader: boolean | undefined,
  available = true,
  docker: "iptables" | "nft" = "iptables",
  conf = CONFIG,
) => {
  const seen = observation({ stopped: [asleep], ...over });
  const queues: Queues = { hasReader: async () => reader, available: async () => available };
  return sleepFinding(conf, seen, decide(conf, seen, NOW), queues, docker);
};

t.test("the check of sleep: good with a reader of the queue, else the reason and its remedy", async (t) => {
  t.match(await find({ stopped: [] }, undefined), { ok: null, message: /no service may sleep/ });
  t.match(await find({}, true), {
    ok: true,
    message: "1 container may sleep, 1 asleep; a visit starts them",
  });
  const silent = { ok: false, message: /`ocdd watch` does not run$/, remedy: "systemctl start ocdd-watch" };
  t.match(await find({}, false), silent);
  t.match(await find({}, undefined, true), silent, "the kernel loads its queues for the first reader");
  t.match(await find({}, undefined, false), { ok: false, remedy: /nfnetlink_queue and xt_NFQUEUE/ });
  t.match(await find({ firewall: NFT }, undefined), { ok: false, remedy: "apt-get install iptables" });
  t.match(await find({ firewall: NFT }, undefined, true, "nft"), { ok: false, remedy: /firewall-backend/ });
});

t.test("the remedy is a command of what runs OCDD on this host", async (t) => {
  for (const [services, remedy] of [
    ["compose", "run `ocdd initialize`, which starts the compose app"],
    ["none", "start `ocdd watch`"],
  ] as const)
    t.match(await find({}, false, true, "iptables", config({ SERVICES: services })), { remedy });
});

/** What `doctor wiki` says of it, beside its name, which no server answers here. */
async function ofWiki(over: Partial<Observation>, gates: Gates) {
  const seen = observation({ ...over, gates });
  const [, ...findings] = await oneService(CONFIG, decide(CONFIG, seen, NOW), "wiki");
  return findings;
}

t.test("a service asleep, being started, or not started: said, and it is not tried", async (t) => {
  const reading = { ...NO_GATES, queue: 1 };
  const sleeper = { ...asleep, ports: [{ protocol: "tcp", port: 8080 }] as const };
  t.match(await ofWiki({ stopped: [sleeper] }, reading), [
    { ok: true, subject: "service wiki", message: "it is asleep; a visit starts it" },
  ]);
  const failed = new Map([[id("wiki"), "no such image"]]);
  t.match(await ofWiki({ stopped: [sleeper] }, { ...reading, failed }), [
    {
      ok: false,
      message: /^it could not be started: no such image;/,
      remedy: /^docker logs wiki; ocdd wake wiki$/,
    },
  ]);
  const starting = container({ name: "wiki", labels: WAKES, ports: [{ protocol: "tcp", port: 8080 }] });
  t.match(await ofWiki({ containers: [starting] }, reading), [{ ok: true, message: /^it is being started/ }]);
});
