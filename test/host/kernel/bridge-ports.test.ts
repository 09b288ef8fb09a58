/** Real bridges and veth pairs, in network namespaces that end with the program. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const RUN = fileURLToPath(new URL("bridge-ports-run.ts", import.meta.url));

t.test(
  "the port of each container is found: of one by its own devices, of many in the list of all",
  async (t) => {
    const { stdout } = await execa("unshare", ["--net", process.execPath, RUN]);
    const { netlink, program, octets } = JSON.parse(stdout);
    const port = (...numbers: number[]): Record<string, string> =>
      Object.fromEntries(numbers.map((n) => [`container-${n}`, `veth${n}`]));
    const wanted = [
      {},
      port(0),
      { "container-0": "other" },
      // it has two ports there
      {},
      // container 3 is another process by now
      port(2, 4),
      {},
      {},
      port(0, 2, 4, 5, 6, 7, 8, 9, 10, 11),
    ];
    t.strictSame(netlink, wanted);
    t.strictSame(program, wanted, "with programs");
    t.strictSame(octets, [true, true], "less is read for one than for all");
  },
);
