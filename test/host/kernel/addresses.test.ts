import { execa } from "execa";
import t from "tap";

const MODULE = new URL("../../../src/host/kernel/addresses.ts", import.meta.url).href;

t.test("ports of a bridge that are no container's: all that are no end of a veth pair", async (t) => {
  const program = `
    import { execa } from "execa";
    import { readLinks } from "${MODULE}";
    for (const line of [
      "link add br0 type bridge",
      "link add veth1 type veth peer name inside",
      "link set veth1 master br0",
      "link add link inside name card type macvlan",
      "link set card master br0",
    ])
      await execa("ip", line.split(" "));
    const { bridgePorts } = await readLinks();
    console.log(JSON.stringify(bridgePorts.map(({ name, foreign }) => [name, foreign === true]).sort()));`;
  const argv = ["--net", process.execPath, "--input-type=module", "--eval", program];
  const { stdout } = await execa("unshare", argv);
  t.strictSame(JSON.parse(stdout), [
    ["card", true],
    ["veth1", false],
  ]);
});
