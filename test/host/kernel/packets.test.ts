/** The effect of the rules on real packets beside Docker's own, in network namespaces that end with the program. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

for (const engine of ["20.10", "28"]) {
  t.test(
    `Docker ${engine}: an alias leads to its container, and the operator's rules decide first`,
    async (t) => {
      const argv = [path("packets-run.ts"), engine, path(`../../recorded/docker-${engine}.txt`)];
      const { stdout } = await execa("unshare", ["--net", "--mount", process.execPath, ...argv]);
      t.strictSame(JSON.parse(stdout), {
        before: "ECONNREFUSED",
        client: "box",
        host: "box",
        notOffered: "ECONNREFUSED",
        notOfferedToHost: "ECONNREFUSED",
        noLease: "ECONNREFUSED",
        targetIsHost: "ECONNREFUSED",
        hostItself: "host",
        operatorDrops: ["silent", "box"],
        operatorDropsAfterRun: ["silent", "box"],
        operatorReturns: "box",
        restarted: engine === "28" ? "silent" : "box",
        damaged: ["accept"],
        repaired: "box",
        removed: "ECONNREFUSED",
      });
    },
  );
}
