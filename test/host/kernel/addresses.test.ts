/** Real devices, in a network namespace that ends with the program. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import type { Links } from "../../../src/host/kernel/addresses.ts";

const RUN = fileURLToPath(new URL("addresses-run.ts", import.meta.url));

t.test("netlink and ip give the same devices, addresses and bridge ports", async (t) => {
  const { stdout } = await execa("unshare", ["--net", process.execPath, RUN]);
  const [byNetlink, byProgram, turns] = JSON.parse(stdout) as [Links, Links, number];
  t.strictSame(byNetlink, byProgram);
  t.ok(turns > 3, `other work goes on meanwhile: ${turns} turns`);
  const { addresses, bridges, bridgePorts } = byNetlink;
  t.strictSame([...bridges].sort(), ["br0", "many"]);
  t.strictSame(
    bridgePorts.map(({ name, bridge, hairpin, foreign }) => [name, bridge, hairpin, foreign === true]).sort(),
    [
      ["card", "br0", false, true],
      ["veth1", "br0", true, false],
    ],
    "foreign is every port that is no end of a veth pair",
  );
  t.strictSame(
    addresses
      .filter(({ device }) => device !== "many")
      .map((a) => `${a.address}/${a.prefix} ${a.device} ${a.label}`),
    [
      "127.0.0.1/8 lo lo",
      "192.0.2.1/24 br0 br0",
      "192.0.2.9/32 br0 br0:ocdd",
      "198.51.100.1/30 inside inside",
    ],
  );
  t.equal(addresses.length, 2004);
});
