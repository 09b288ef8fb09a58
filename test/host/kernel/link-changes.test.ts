/** Real devices, in a network namespace that ends with each program. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const RUN = fileURLToPath(new URL("link-changes-run.ts", import.meta.url));

for (const way of ["netlink", "program"]) {
  t.test(
    `${way}: aliases and hairpin mode are changed; what is gone or there already is no failure`,
    async (t) => {
      const { stdout } = await execa("unshare", ["--net", process.execPath, RUN, way]);
      t.strictSame(JSON.parse(stdout), [
        ["198.51.100.1/32 card card:ocdd", "198.51.100.2/32 card card:ocdd", "veth1 hairpin"],
        202,
        ["198.51.100.2/32 card card:ocdd"],
        ["command", true],
        [],
      ]);
    },
  );
}

t.test("without the privilege the remedy is named", async (t) => {
  const program = `
    import { openLinkChanges } from "${new URL("../../../src/host/kernel/link-changes.ts", import.meta.url).href}";
    const alias = { device: "lo", address: "192.0.2.1", prefix: 32, label: "lo:ocdd" };
    const error = await openLinkChanges().add([alias]).catch((error) => error);
    console.log(JSON.stringify([error.fault, error.message, error.remedy]));`;
  const { stdout } = await execa("setpriv", [
    "--bounding-set=-net_admin",
    "--inh-caps=-net_admin",
    "unshare",
    "--net",
    process.execPath,
    "--input-type=module",
    "--eval",
    program,
  ]);
  t.strictSame(JSON.parse(stdout), [
    "privilege",
    'the kernel refused "addr replace 192.0.2.1/32 dev lo label lo:ocdd": EPERM',
    "run as root, or with CAP_NET_ADMIN and CAP_NET_RAW",
  ]);
});
