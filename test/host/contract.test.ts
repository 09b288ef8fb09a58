/** One contract, two hosts: the fake in memory, and the real one on a kernel with Docker's engine doubled. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { config, container, ip } from "../core/make.ts";
import { FakeHost } from "../fake/host.ts";
import { holdToContract } from "./contract.ts";

t.test("the fake host", async (t) => {
  const host = new FakeHost(config());
  host.neighbours.add(ip("192.168.122.50"));
  host.addresses = [
    ...host.addresses,
    { device: "ens3", address: ip("192.168.122.40"), prefix: 32, label: "ens3" },
  ];
  await holdToContract({
    host,
    config: host.config,
    run: (containers) => {
      host.containers = Object.entries(containers).map(([name, at]) => container({ name, at }));
    },
    taken: ip("192.168.122.50"),
    free: ip("192.168.122.51"),
    foreign: async () => `${host.rules}\n${JSON.stringify(host.addresses)}`,
  });
  t.pass("holds");
});

t.test("the real host", async (t) => {
  t.setTimeout(60_000);
  const program = fileURLToPath(new URL("contract-run.ts", import.meta.url));
  // a network namespace and mounts of its own: nothing of it is the machine's, and all of it ends with the program
  const argv = ["--net", "--mount", "--propagation", "private", process.execPath, program];
  const { exitCode, all } = await execa("unshare", argv, { reject: false, all: true });
  t.equal(exitCode, 0, all);
});
