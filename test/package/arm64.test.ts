/** The packages for the processor that this machine does not have: all machine code in them is for it, and Node is the tested one. */

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { buildDeb } from "../../packaging/deb.ts";
import { partsFor } from "../../packaging/parts.ts";
import { buildRpm } from "../../packaging/rpm.ts";
import { readSurface } from "../../packaging/surface.ts";
import { run } from "../lab/process.ts";

/** What each processor is called: by Node, Debian and RPM; its number in an ELF header; the loader of its glibc. */
const NAMES = {
  x64: ["amd64", "x86_64", 62, "/lib64/ld-linux-x86-64.so.2"],
  arm64: ["arm64", "aarch64", 183, "/lib/ld-linux-aarch64.so.1"],
} as const;

t.setTimeout(1_200_000);

t.test("for the other processor", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ocdd-other-"));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const [own, other] = process.arch === "arm64" ? (["arm64", "x64"] as const) : (["x64", "arm64"] as const);
  const [debian, rpm, machine, loader] = NAMES[other];
  const { version } = readSurface();
  mkdirSync(join(dir, "parts"));
  const parts = await partsFor(other, join(dir, "parts"));

  /** Every file below a directory, the machine code among them. */
  const check = (t: Test, root: string): void => {
    const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    const machines = files.flatMap(({ parentPath, name }) => {
      const octets = readFileSync(join(parentPath, name));
      return octets.subarray(0, 4).equals(Buffer.from("\x7fELF", "latin1"))
        ? [[name, octets.readUInt16LE(18)]]
        : [];
    });
    t.same(machines.sort(), [
      ["koffi.node", machine],
      ["node", machine],
    ]);
    const home = join(root, "usr/lib/ocdd/node_modules");
    t.same(readdirSync(home).sort(), ["@koromix", "koffi", `node-linux-${other}`]);
    t.same(readdirSync(join(home, "@koromix")), [`koffi-linux-${other}`]);
    const node = readFileSync(join(home, `node-linux-${other}/bin/node`));
    t.ok(node.includes(`${loader}\0`), loader);
    t.ok(node.includes(process.version), process.version);
    const names = files.map(({ parentPath, name }) => join(parentPath, name).slice(root.length));
    t.same(
      names.filter((name) => name.includes(own) && !name.includes("/koffi/")),
      [],
      `no file for ${own}`,
    );
  };

  await t.test("deb", async (t) => {
    const file = await buildDeb(dir, { parts, compression: "none" });
    t.equal(file, join(dir, `ocdd_${version}-1_${debian}.deb`));
    const field = async (name: string): Promise<string> =>
      (await run(["dpkg-deb", "--field", file, name])).stdout;
    t.same([await field("Architecture"), await field("Version")], [debian, `${version}-1`]);
    t.match(await field("Depends"), "nftables");
    await run(["dpkg-deb", "--raw-extract", file, join(dir, "deb")]);
    check(t, join(dir, "deb"));
  });

  await t.test("rpm", async (t) => {
    const file = await buildRpm(dir, { parts, compression: "none" });
    t.equal(file, join(dir, `ocdd-${version}-1.${rpm}.rpm`));
    t.match((await run(["rpm", "-K", file])).stdout, /: digests OK$/);
    t.equal(
      (await run(["rpm", "-qp", "--qf", "%{ARCH} %{OS} %{VERSION}", file])).stdout,
      `${rpm} linux ${version}`,
    );
    const list = (await run(["rpm", "-qp", "--qf", "[%{FILENAMES} %{FILEDIGESTS}\n]", file])).stdout;
    const digest = createHash("sha256");
    digest.update(readFileSync(join(parts.directory, `node_modules/node-linux-${other}/bin/node`)));
    t.match(list, `node-linux-${other}/bin/node ${digest.digest("hex")}`);
    t.notMatch(list, new RegExp(`linux[-_]${own}`));
  });
});
