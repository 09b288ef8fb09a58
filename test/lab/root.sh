#!/bin/sh
# Builds, once a machine, a small Debian root: root.sh RELEASE DIRECTORY [PACKAGE,PACKAGE...]
# RELEASE "own" is this machine's. It is moved to its place when complete, so an interrupted build is never used.
set -eu

release=$1 root=$2 packages=${3:-}
# one that an earlier version built may lack a package
whole() {
  [ -e "$root/etc/debian_version" ] || return 1
  for package in $(echo "$packages" | tr ',' ' '); do
    ls "$root/var/lib/dpkg/info/$package.list" "$root/var/lib/dpkg/info/$package:"*.list 2>/dev/null | grep -q . || return 1
  done
}
! whole || exit 0
mkdir -p "$(dirname "$root")"
# -o: nothing started from here keeps the lock.
if [ "${4:-}" != --locked ]; then
  exec flock -o "$root.lock" sh "$0" "$release" "$root" "$packages" --locked
fi

# The mirror and the release this machine uses, whatever they are; security archives have no whole release, and no sid.
targets() { apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' | grep -v security; }
[ -n "$(targets)" ] || apt-get update >/dev/null 2>&1 || true
own=$(. /etc/os-release && echo "$VERSION_CODENAME")
[ "$release" != own ] || release=$own
mirror=$(targets | grep " $own\$" | head -n 1 | cut -d ' ' -f 1)
[ -n "$mirror" ] || { echo "apt knows no mirror to build a Debian $release root from" >&2; exit 1; }
rm -rf "$root.part"
trap 'rm -rf "$root.part"' EXIT
trap 'exit 1' INT TERM HUP
echo "building a Debian $release root in $root (once, about half a minute)" >&2
debootstrap --variant=minbase ${packages:+"--include=$packages"} "$release" "$root.part" "$mirror" \
  >"$root.log" 2>&1 </dev/null || { tail -n 20 "$root.log" >&2; exit 1; }
rm -rf "$root.part/var/cache/apt/archives" "$root.part/var/lib/apt/lists" "$root"
mkdir -p "$root.part/var/cache/apt/archives/partial"
mv "$root.part" "$root"
rm -f "$root.log"
