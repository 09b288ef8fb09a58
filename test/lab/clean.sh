#!/bin/sh
# Takes away what demo and tests have left on this machine (`npm run clean:lab`): standing labs, unpacked roots and engines, and,
# with --packages, the Debian packages that setup.sh has installed; without it they are listed. Labs that run are left, unless --force.
set -eu
here=$(dirname "$0")
. "$here/progress.sh"
. "$here/places.sh"
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

packages= force=
for option; do
  case $option in
    --packages) packages=yes ;;
    --force) force=--force ;;
    *) say "clean.sh [--packages] [--force]" >&2; exit 64 ;;
  esac
done
if [ "$(id -u)" != 0 ]; then
  say "only root can remove labs and packages" >&2
  exit 1
fi

if ls -d "${TMPDIR:-/tmp}"/ocdd-lab-*/ >/dev/null 2>&1; then
  # shellcheck disable=SC2086 # an option or none
  if ! node "$here/lab.ts" down --all $force; then
    say "refused: these labs are left, and with them the engines that they run: end them (\`npm run lab -- down NAME\`)," >&2
    say "or end all of them with \`npm run clean:lab -- --force\`" >&2
    exit 1
  fi
fi
for entry in "$cache"/*; do
  case $entry in
    *.lock | *.log | *.part) ;;
    *) [ -e "$entry/etc/debian_version" ] || continue ;; # something else, in a directory that is not the lab's alone
  esac
  rm -rf --one-file-system "$entry"
  say "removed $entry"
done
rmdir "$cache" 2>/dev/null || true
# what Node has compiled of OCDD itself; an installed OCDD uses it too
[ -e "$root/etc/ocdd" ] || rm -rf "$root/var/cache/ocdd"

if [ -d "$state" ]; then
  touch "$record"
  finish
  installed | comm -12 - "$record" >"$record.new"
  mv "$record.new" "$record"
fi
if [ ! -s "$record" ]; then
  rm -rf "$state"
  say "no Debian package is left that was installed for the lab; node_modules is the rest"
  exit 0
fi
list=$(tr '\n' ' ' <"$record")
say "Debian packages that were installed for the lab: $list"
if [ -z "$packages" ]; then
  say "they stay; \`npm run clean:lab -- --packages\` removes them"
  exit 0
fi

if has pgrep && pgrep -x dockerd >/dev/null; then
  say "refused: dockerd is running on this machine, perhaps of these packages: end it first" >&2
  exit 1
fi
apt() { apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null; }
# shellcheck disable=SC2086 # a list of package names
others=$(apt remove -s $list | sed -n 's/^Remv \([^ ]*\).*/\1/p' | sort -u | comm -23 - "$record" | tr '\n' ' ')
if [ -n "$others" ]; then
  say "refused: other packages need some of them by now, and would be removed too: $others" >&2
  exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' INT TERM HUP
logged() { "$@" >>"$log" 2>&1 || { cat "$log" >&2; return 1; }; }
# not purge: a purged docker.io takes /var/lib/docker with it, which may hold more than the lab's
# shellcheck disable=SC2086
with_progress "apt-get remove" logged apt remove -y $list
rm -rf "$state"
say "removed; their configuration in /etc stays until they are purged"
