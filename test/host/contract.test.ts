/** One contract, two floors: programs in memory, and a real kernel; Docker is in memory on both. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { config, id, ip } from "../core/make.ts";
import { Floor } from "../fake/floor.ts";
import { holdToContract, NAMES } from "./contract.ts";

t.test("on programs in memory", async (t) => {
  const floor = new Floor();
  t.teardown(() => floor.remove());
  const { kernel, docker } = floor;
  floor.neighbours.add(ip("192.168.122.50"));
  kernel.addresses.push({ device: "ens3", address: ip("192.168.122.40"), prefix: 32, label: "ens3" });
  kernel.bridgePorts = NAMES.map((name) => ({
    name: `veth${name}`,
    bridge: "docker0",
    hairpin: false,
    container: id(name),
  }));
  const settings = config({ STORAGE_DIR: floor.directory });
  const director = floor.start(settings);
  const ports = new Map(NAMES.map((name) => [name as string, `veth${name}`]));
  floor.knows = (container) => [...ports.keys()].some((name) => id(name) === container);
  await director.as(() =>
    holdToContract({
      host: director.host,
      config: settings,
      docker,
      ports,
      taken: ip("192.168.122.50"),
      free: ip("192.168.122.51"),
      foreign: async () =>
        [
          kernel.rules,
          JSON.stringify([kernel.addresses, kernel.bridgePorts, [...kernel.nft.tables.keys()]]),
        ].join("\n"),
    }),
  );
  t.pass("holds");
});

t.test("on a real kernel", async (t) => {
  t.setTimeout(1_200_000);
  const program = fileURLToPath(new URL("contract-run.ts", import.meta.url));
  // a network namespace and mounts of its own: nothing of it is the machine's, and all of it ends with the program
  const argv = ["--net", "--mount", "--propagation", "private", process.execPath, program];
  const { exitCode, all } = await execa("unshare", argv, { reject: false, all: true });
  t.equal(exitCode, 0, all);
});
