/** Real bridges and veth pairs, in network namespaces that end with the program. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const RUN = fileURLToPath(new URL("bridge-ports-run.ts", import.meta.url));

/** lsns as it is when another process ends while it reads /proc: each second call fails without a word. */
const FAILING = `#!/bin/sh
if [ -e "$0.failed" ]; then rm "$0.failed"; else : >"$0.failed"; exit 1; fi
PATH=\${PATH#*:} exec lsns "$@"
`;

t.test(
  "the port of each container is found: of one by its own devices, of many in the list of all",
  async (t) => {
    const directory = t.testdir();
    writeFileSync(join(directory, "lsns"), FAILING, { mode: 0o755 });
    const env = { PATH: `${directory}:${process.env.PATH}` };
    const { stdout } = await execa("unshare", ["--net", process.execPath, RUN], { env });
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
