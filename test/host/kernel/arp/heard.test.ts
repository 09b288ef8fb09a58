/** ARP from another machine for an alias in force, in namespaces that end with the program. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const RUN = fileURLToPath(new URL("heard-run.ts", import.meta.url));

t.test(
  "an alias that another machine announces, or answers for: found; this host's own announcement: ignored",
  async (t) => {
    const { stdout } = await execa("unshare", ["--net", "--mount", process.execPath, RUN]);
    t.match(JSON.parse(stdout), {
      before: [],
      own: [],
      other: ["192.168.122.11"],
      answered: ["192.168.122.13"],
    });
  },
);
