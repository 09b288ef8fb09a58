#!/bin/sh
# Builds, once a machine, a Debian sid root with today's Docker engine: sid.sh DIRECTORY
# Half a minute and half a gigabyte; it is moved to its place when complete, so an interrupted build is never used.
set -eu

root=$1
[ ! -x "$root/usr/sbin/dockerd" ] || exit 0
mkdir -p "$(dirname "$root")"
# -o: nothing started from here keeps the lock.
if [ "${2:-}" != --locked ]; then
  exec flock -o "$root.lock" sh "$0" "$root" --locked
fi

# The mirror this machine uses, whatever it is; security archives have no sid.
mirror() { apt-get indextargets --format '$(SITE)' | grep -v security | head -n 1; }
mirror=$(mirror)
if [ -z "$mirror" ]; then # apt tells nothing before it has its lists
  apt-get update >/dev/null 2>&1 || true
  mirror=$(mirror)
fi
[ -n "$mirror" ] || { echo "lab: apt knows no mirror to build a Debian sid root from" >&2; exit 1; }
rm -rf "$root.part"
trap 'rm -rf "$root.part"' EXIT
trap 'exit 1' INT TERM HUP
echo "lab: building a Debian sid root with today's Docker in $root (once, about half a minute)" >&2
debootstrap --variant=minbase --include=docker.io,iptables,nftables,iproute2,ca-certificates \
  sid "$root.part" "$mirror" >"$root.log" 2>&1 </dev/null || { tail -n 20 "$root.log" >&2; exit 1; }
rm -rf "$root.part/var/cache/apt/archives" "$root.part/var/lib/apt/lists" "$root"
mv "$root.part" "$root"
rm -f "$root.log"
