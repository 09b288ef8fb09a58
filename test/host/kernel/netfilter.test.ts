/** The real iptables and conntrack, in a network namespace that ends with each program. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const directory = mkdtempSync(join(tmpdir(), "ocdd-netfilter-"));
t.teardown(() => rmSync(directory, { recursive: true }));

const RUN = fileURLToPath(new URL("netfilter-run.ts", import.meta.url));

/** A disk without a free octet, in a mount namespace of its own. */
const FULL = `
set -e
mount -t tmpfs -o size=4k tmpfs /mnt
head -c 4096 /dev/zero > /mnt/all
exec "$@" few /mnt/forget`;

/** What the deed printed, done in an empty network of its own. */
async function alone(deed: string, file = join(directory, "forget")): Promise<unknown> {
  const { stdout } = await execa("unshare", ["--net", process.execPath, RUN, deed, file]);
  return JSON.parse(stdout);
}

t.test(
  "flows to the aliases are forgotten, the others live; two thousand cost no more than one look",
  async (t) => {
    const { left, ms, first } = (await alone("flows")) as { left: string[]; ms: number; first: string[] };
    t.strictSame(first, ["10.20.0.1", "10.20.0.2", "10.20.9.9"]);
    t.strictSame(left, ["10.20.9.9"]);
    t.ok(ms < 5_000, `${ms} ms`);
  },
);

t.test("one or a few are forgotten without a look", async (t) => {
  t.strictSame(await alone("one"), { left: ["10.20.0.2", "10.20.9.9"] });
  t.strictSame(await alone("few"), { left: ["10.20.0.2", "10.20.9.9"] });
  t.notOk(existsSync(join(directory, "forget")), "nothing is left");
});

t.test("they are forgotten also where nothing can be written", async (t) => {
  t.strictSame(await alone("few", "/nonexistent/forget"), { left: ["10.20.0.2", "10.20.9.9"] });
  const full = await execa("unshare", ["--net", "--mount", "sh", "-c", FULL, "sh", process.execPath, RUN]);
  t.strictSame(JSON.parse(full.stdout), { left: ["10.20.0.2", "10.20.9.9"] });
});

t.test("a transaction is all or nothing, and the refused line is named", async (t) => {
  t.match(await alone("refused"), {
    fault: "command",
    message: /^iptables refused the nat table at "-A OCDD -d nonsense -j ACCEPT": /,
    nat: false,
  });
});
