/** Packets through the real tables: an alias leads to the container of its lease, or to nothing. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const RUN = fileURLToPath(new URL("guard-run.ts", import.meta.url));

const WAYS = [
  "lan tcp",
  "lan udp",
  "lan ping",
  "host tcp",
  "host udp",
  "other tcp",
  "other udp",
  "itself tcp",
  "itself udp",
];
/** What br_netfilter can be set to: it is 0 where the kernel lacks it. */
const BRIDGED = existsSync("/proc/sys/net/bridge/bridge-nf-call-iptables") ? ["0", "1"] : ["0"];
const each = (result: string): Record<string, string> => Object.fromEntries(WAYS.map((way) => [way, result]));

for (const mode of ["guard", "full"]) {
  for (const bridged of BRIDGED) {
    t.test(
      `${mode} mode, bridge-nf-call-iptables ${bridged}: only the port of the lease lets packets through`,
      async (t) => {
        const { stdout } = await execa("unshare", ["--net", process.execPath, RUN, mode, bridged]);
        const seen = JSON.parse(stdout);
        t.strictSame(seen.right, { ...each("one"), "lan ping": "answered" }, "the right port: all pass");
        t.equal(seen.drops, 0, "nothing of them is dropped");
        t.strictSame(seen.absent, each("silent"), "no port: all silent");
        t.strictSame(seen.wrong, each("silent"), "the port of another container: all silent");
        t.equal(seen.again, "one");
        t.equal(seen.flow, "one");
        t.equal(seen.stale, "refused", "a tracked flow to an alias without a lease is refused");
        t.strictSame(
          seen.swapped,
          { alias: "silent", flow: "silent", address: "two", dropped: true },
          "the next container with the address and MAC answers by its address, never by the alias",
        );
        t.equal(seen.taken, "two", "it answers once it holds the lease");
        if (mode === "full") {
          const policy = { mapped: "one", published: "refused", udp: "refused", "not allowed": "refused" };
          t.strictSame(
            seen.policy,
            policy,
            "ports, mapped ports and sources hold, also against a published port",
          );
          t.equal(seen.unlisted, "refused");
        }
      },
    );
  }
}
