/** The real conntrack, in a network namespace that ends with each program. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const RUN = fileURLToPath(new URL("conntrack-run.ts", import.meta.url));

for (const way of ["netlink", "program"]) {
  for (const [count, left] of [
    [0, ["10.20.0.1", "10.20.0.2", "10.20.9.9"]],
    [1, ["10.20.0.2", "10.20.9.9"]],
    [8, ["10.20.9.9"]],
    [2000, ["10.20.9.9"]],
  ] as const) {
    t.test(`${way}: flows to ${count} aliases are flushed, the others stay`, async (t) => {
      const { stdout } = await execa("unshare", ["--net", process.execPath, RUN, String(count), way]);
      t.strictSame(JSON.parse(stdout), left);
    });
  }

  t.test(
    `${way}: of the flows to an alias those that are led to an ended container are flushed, those to the page stay`,
    async (t) => {
      const { stdout } = await execa("unshare", ["--net", process.execPath, RUN, "to", way]);
      t.strictSame(JSON.parse(stdout), ["1000"]);
    },
  );
}
