/** The spec file of the RPM package, from which rpmbuild makes it. */

import { DOC, type PackageOptions, UNITS } from "./files.ts";
import { CONF, DESCRIPTION, HOME, headline, STATE } from "./first-conf.ts";
import { type Surface, textOf } from "./surface.ts";

/** Fedora's names, which RHEL and its relatives have as well; flock is in util-linux, arping in iputils. */
const REQUIRES = [
  "glibc >= 2.28",
  "libgcc",
  "libstdc++ >= 8",
  "iproute >= 5.0",
  "nftables",
  "iputils",
  "conntrack-tools",
  "util-linux",
];
const RECOMMENDS = ["iptables-nft", "(moby-engine or docker-ce)"];

/** Debian's scripts, called with the words that Debian calls them with: `$1` is how many versions will be installed. */
const SCRIPTS = [
  ["post", "postinst", 'if [ "$1" = 1 ]; then set -- configure ""; else set -- configure earlier; fi'],
  ["preun", "prerm", 'if [ "$1" = 0 ]; then set -- remove; else set -- upgrade; fi'],
  [
    "postun",
    "postrm",
    'if [ "$1" = 0 ]; then rm -rf /var/cache/ocdd; set -- remove; else set -- upgrade; fi',
  ],
] as const;

/** How the payload is packed, in rpmbuild's words. */
const PAYLOADS = { xz: "w6.xzdio", gzip: "w6.gzdio", none: "w0.ufdio" } as const;

/** Directories that go with the package, where nothing else is in them. */
const OWNED = [
  "/etc/ocdd",
  STATE,
  "/usr/share/licenses",
  "/usr/share/licenses/ocdd",
  "/usr/share/bash-completion",
  "/usr/share/bash-completion/completions",
  "/usr/share/fish",
  "/usr/share/fish/vendor_completions.d",
  "/usr/share/zsh",
  "/usr/share/zsh/site-functions",
];

export const LICENCE = "usr/share/licenses/ocdd/LICENSE";
export const ZSH = "usr/share/zsh/site-functions/_ocdd";

/** `root` is the prepared tree, which is linked into the package's and not copied. */
export function spec(
  { version, summary }: Surface,
  root: string,
  compression: NonNullable<PackageOptions["compression"]>,
): string {
  return [
    // everything is as it is to be: nothing is stripped, compiled or searched for libraries
    "%global __os_install_post %{nil}",
    "%global debug_package %{nil}",
    "%global _build_id_links none",
    `%global _binary_payload ${PAYLOADS[compression]}`,
    // the same tree gives the same package
    "%global use_source_date_epoch_as_buildtime 1",
    "%global clamp_mtime_to_source_date_epoch 1",
    "%global _buildhost localhost",
    "",
    "Name: ocdd",
    `Version: ${version}`,
    "Release: 1",
    `Summary: ${headline(summary)}`,
    "License: MIT",
    "AutoReqProv: no",
    ...REQUIRES.map((name) => `Requires: ${name}`),
    ...RECOMMENDS.map((name) => `Recommends: ${name}`),
    "",
    "%description",
    ...DESCRIPTION,
    "",
    "%install",
    `cp -al ${root}/. %{buildroot}/`,
    ...SCRIPTS.flatMap(([section, script, words]) => ["", `%${section}`, words, scriptOf(script)]),
    "",
    "%files",
    "%defattr(-,root,root,-)",
    // of the shells' directories every package that needs them is an owner: a shell need not be there
    ...OWNED.map((directory) => `%dir ${directory}`),
    `%config(noreplace) ${CONF}`,
    "/usr/bin/ocdd",
    HOME,
    `/${UNITS}/ocdd*`,
    "/usr/share/man/man*/ocdd*",
    "/usr/share/bash-completion/completions/ocdd",
    "/usr/share/fish/vendor_completions.d/ocdd.fish",
    `/${ZSH}`,
    `%doc /${DOC}`,
    `%license /${LICENCE}`,
    "",
  ].join("\n");
}

/** A script of Debian's for a scriptlet: with systemctl itself, and without what rpm would take for a macro. */
function scriptOf(name: string): string {
  const text = textOf(`packaging/debian/${name}`).replace(/^#!.*\n/, "");
  return text.replaceAll("deb-systemd-invoke", "systemctl").replaceAll("%", "%%");
}
