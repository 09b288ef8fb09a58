/** The texts of the Debian package: control, copyright, changelog. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DESCRIPTION, HOME, headline } from "./first-conf.ts";
import { type Surface, textOf } from "./surface.ts";

/** The maintainer of this package, in Debian's form. */
export function maintainer(environment: Readonly<Record<string, string | undefined>>): string {
  const { DEBFULLNAME: name = "The OCDD authors", DEBEMAIL: mail = "ocdd@octocop.invalid" } = environment;
  return `${name} <${mail}>`;
}

export function control(
  { version, summary }: Surface,
  architecture: string,
  kibibytes: number,
  who: string,
): string {
  return `Package: ocdd
Version: ${version}-1
Section: net
Priority: optional
Architecture: ${architecture}
Maintainer: ${who}
Installed-Size: ${kibibytes}
Depends: libc6 (>= 2.28), libgcc-s1 | libgcc1, libstdc++6 (>= 8), iproute2 (>= 5.0), nftables, iputils-arping, conntrack
Recommends: iptables, docker.io (>= 20.10) | docker-ce (>= 5:20.10)
Suggests: docker-compose
Description: ${headline(summary)}
${DESCRIPTION.map((line) => ` ${line === "" ? "." : line}\n`).join("")}`;
}

/** Debian's own changelog: one entry, the version that is built. */
export function debianChangelog({ version }: Surface, who: string, seconds: number): string {
  const date = new Date(seconds * 1000).toUTCString().replace("GMT", "+0000");
  return `ocdd (${version}-1) unstable; urgency=medium\n\n  * Version ${version}: see changelog.gz.\n\n -- ${who}  ${date}\n`;
}

/** Machine-readable copyright; every package has its licence beside its code, or in the bundle's list. */
export function copyright(tree: string): string {
  const licence = textOf("LICENSE");
  const owner = /Copyright \(c\) (.+)/.exec(licence)?.[1] ?? "";
  const terms = licence.slice(licence.indexOf("Permission is")).trimEnd();
  const text = terms.split("\n").map((line) => (line === "" ? " ." : ` ${line}`));
  const packages = packagesIn(join(tree, "node_modules")).map(
    ({ name, path, terms }) => ` ${name} (${terms}): ${HOME}/node_modules/${path}`,
  );
  return [
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
    "Upstream-Name: OCDD",
    `Comment: Within are packages of npm's: those in ${HOME}/dist/licences.txt, and each with its licence in its directory:`,
    ...packages,
    "",
    "Files: *",
    `Copyright: ${owner}`,
    "License: Expat",
    "",
    "License: Expat",
    ...text,
    "",
  ].join("\n");
}

interface Within {
  readonly name: string;
  readonly path: string;
  readonly terms: string;
}

function packagesIn(directory: string, below = ""): Within[] {
  return readdirSync(directory)
    .sort()
    .flatMap((entry) => {
      const path = join(below, entry);
      if (entry.startsWith("@")) return packagesIn(join(directory, entry), path);
      const text = readFileSync(join(directory, entry, "package.json"), "utf8");
      const { name, license = "unknown" } = JSON.parse(text) as { name: string; license?: string };
      return [{ name, path, terms: license }];
    });
}
