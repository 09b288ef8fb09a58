/** What the waker asks Docker for, however many packets arrive. */
import t from "tap";
import { HostError } from "../../src/core/errors.ts";
import { lifecycleOf } from "../../src/core/lifecycle/settings.ts";
import type { Service } from "../../src/core/model.ts";
import type { ContainerDetails } from "../../src/host/docker/details.ts";
import { actsOn } from "../../src/lifecycle/acts.ts";
import { config, forward, id, ip } from "../core/make.ts";

const FLOW = {
  protocol: "tcp",
  source: ip("192.168.122.99"),
  sourcePort: 4_000,
  destination: ip("192.168.122.11"),
  port: 80,
} as const;

const service = (ports?: string): Service => {
  const labels = new Map([["ocdd.wake", "true"], ...(ports ? [["ocdd.wake.ports", ports] as const] : [])]);
  const settings = lifecycleOf(labels, config());
  const sleep = { settings, open: forward(11, 2), networkId: id("bridge") };
  return { sleep, instances: [{ id: id("web") }] } as unknown as Service;
};

/** Docker's answers to `inspect`, given by the test. */
function docker() {
  const asked: PromiseWithResolvers<ContainerDetails>[] = [];
  const inspect = (): Promise<ContainerDetails> => {
    const answer = Promise.withResolvers<ContainerDetails>();
    asked.push(answer);
    return answer.promise;
  };
  const parts = { config: config(), docker: { inspect }, seen: () => ({ containers: [] }) };
  return { asked, acts: actsOn(parts as unknown as Parameters<typeof actsOn>[0]) };
}

const EXPOSES_80 = { ports: [{ protocol: "tcp", port: 80 }] } as unknown as ContainerDetails;

t.test("a flood of packets: the container's ports are asked for once, and kept", async (t) => {
  const { asked, acts } = docker();
  const visits = Array.from({ length: 1_000 }, () => acts.isVisit(service(), FLOW));
  t.equal(asked.length, 1);
  asked[0]?.resolve(EXPOSES_80);
  t.ok((await Promise.all(visits)).every(Boolean));
  t.notOk(await acts.isVisit(service(), { ...FLOW, port: 81 }));
  t.equal(asked.length, 1);
});

t.test("Docker does not answer: the next packet asks again", async (t) => {
  const { asked, acts } = docker();
  const first = acts.isVisit(service(), FLOW);
  asked[0]?.reject(new HostError("docker", "no answer"));
  await t.rejects(first, { message: "no answer" });
  const second = acts.isVisit(service(), FLOW);
  asked[1]?.resolve(EXPOSES_80);
  t.ok(await second);
});

t.test("the labels name the ports: Docker is not asked", async (t) => {
  const { asked, acts } = docker();
  t.ok(await acts.isVisit(service("80"), FLOW));
  t.notOk(await acts.isVisit(service("443"), FLOW));
  t.equal(asked.length, 0);
});
