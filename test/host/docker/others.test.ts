/** What other users can do to the description of a container or network that they have not created, in any amount. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import { apiContainer, apiNetwork, idOf, startDockerDouble } from "../../../bench/docker-double.ts";
import { connectDocker } from "../../../src/host/docker/client.ts";
import { lookOnce } from "../../../src/host/docker/view.ts";

async function double(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-docker-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const socket = join(directory, "docker.sock");
  const engine = await startDockerDouble(socket, { containers: [], networks: [] });
  t.teardown(() => engine.close());
  return { ...engine, docker: connectDocker({ socket, version: null, filters: null }) };
}

const victim = apiContainer({ name: "victim", address: "172.17.0.2", created: 1_700_000_000 });
const own = (victim.NetworkSettings as { Networks: object }).Networks;
const bridge = apiNetwork("bridge", "172.17.0.0/16");

/** So many of something, each with a text of this length: no more than 4 MB together. */
const amount = fc
  .tuple(fc.constantFrom(0, 1, 4, 90, 3_000), fc.constantFrom(1, 200, 300, 20_000, 30_000))
  .filter(([count, length]) => count * length < 4 << 20);
type Amount = [count: number, length: number];
const texts = ([count, length]: Amount): string[] =>
  Array.from({ length: count }, (_, n) => `${n}${"y".repeat(length)}`);

t.test(
  "links of others to a container, as many and as long as any: it has its name, and is served",
  async (t) => {
    const { answers, docker } = await double(t);
    await fc.assert(
      fc.asyncProperty(amount, fc.nat(9), async (links, at) => {
        const names = texts(links).map((alias, n) => `/evil${n % 7}/${alias}`);
        answers.containers = [{ ...victim, Names: [...names.slice(0, at), "/victim", ...names.slice(at)] }];
        answers.networks = [bridge];
        const { containers, notices } = await lookOnce(docker);
        t.match(containers, [
          { name: "victim", partial: undefined, attachments: [{ address: "172.17.0.2" }] },
        ]);
        t.strictSame(notices, []);
      }),
      { numRuns: 25 },
    );
  },
);

t.test("networks of others that a container is connected to, with any names: it is served", async (t) => {
  const { answers, docker } = await double(t);
  await fc.assert(
    fc.asyncProperty(amount, amount, async (joined, aliases) => {
      const theirs = texts(joined).map((name, n) => [
        name,
        { NetworkID: idOf(name), IPAddress: "10.9.9.9", Aliases: n === 0 ? texts(aliases) : null },
      ]);
      answers.containers = [
        { ...victim, NetworkSettings: { Networks: { ...Object.fromEntries(theirs), ...own } } },
      ];
      answers.networks = [bridge];
      const { containers } = await lookOnce(docker);
      t.match(containers, [{ name: "victim", partial: undefined, networkMode: "default" }]);
      // some hundred networks are more than are read; of few with long names its own is known
      if (joined[0] <= 90)
        t.equal(
          containers[0]?.attachments.find(({ network }) => network === "bridge")?.address,
          "172.17.0.2",
        );
    }),
    { numRuns: 25 },
  );
});

t.test("containers of others on a network, with any names: all of the network is known", async (t) => {
  const { answers, docker } = await double(t);
  await fc.assert(
    fc.asyncProperty(amount, async (names) => {
      const theirs = texts(names).map((Name) => [
        idOf(Name.slice(0, 9)),
        { Name, IPv4Address: "172.17.0.9/16" },
      ]);
      const Containers = {
        ...Object.fromEntries(theirs),
        [idOf("victim")]: { IPv4Address: "172.17.0.2/16" },
      };
      answers.containers = [victim];
      answers.networks = [{ ...bridge, Containers, Peers: theirs, Services: Object.fromEntries(theirs) }];
      const { networks, notices } = await lookOnce(docker);
      t.match(networks, [{ name: "bridge", partial: undefined, subnets: [{ first: "172.17.0.0" }] }]);
      t.strictSame(notices, []);
    }),
    { numRuns: 15 },
  );
});

t.test("more ports than are read: the container is served, with a notice", async (t) => {
  const { answers, docker } = await double(t);
  const Ports = Array.from({ length: 9_000 }, (_, n) => ({
    PrivatePort: n + 1,
    Type: "udp",
    PublicPort: n + 1,
  }));
  answers.containers = [{ ...victim, Ports }];
  answers.networks = [bridge];
  const { containers, notices } = await lookOnce(docker);
  t.match(containers, [{ name: "victim", partial: undefined, ports: [] }]);
  t.strictSame(notices, [
    `container ${idOf("victim").slice(0, 12)} (victim) is served as far as it is known: Ports is larger than 65536 octets in Docker's list of it: publish fewer ports, or connect it to fewer networks`,
  ]);
});
