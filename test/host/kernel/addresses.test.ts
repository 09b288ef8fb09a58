import { execa } from "execa";
import t from "tap";

const MODULE = new URL("../../../src/host/kernel/addresses.ts", import.meta.url).href;

t.test("an alias that has gone, removed together with one in force, is no failure", async (t) => {
  const program = `
    import { execa } from "execa";
    import { addAddresses, removeAddresses } from "${MODULE}";
    const alias = (address) => ({ device: "lo", address, prefix: 32, label: "lo:ocdd" });
    await addAddresses([alias("192.0.2.2")]);
    await removeAddresses([alias("192.0.2.1"), alias("192.0.2.2")]);
    console.log((await execa("ip", ["-4", "-oneline", "addr", "show"])).stdout);`;
  const argv = ["--net", process.execPath, "--input-type=module", "--eval", program];
  const { stdout } = await execa("unshare", argv);
  t.notMatch(stdout, /192\.0\.2\./);
});
