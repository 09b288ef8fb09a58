#!/bin/sh
# Installs the Debian packages that the demo (`lab`) or all tests (`all`) need: setup.sh [--check] lab|all
# Says first which, how large and what else changes; asks on a terminal. Silent when all are there. Removes no package, starts
# no service and leaves none enabled that was not. What it has installed is recorded, for `npm run clean:lab`.
# --check: names what is missing, changes nothing. Other systems: install the same programs by hand; the lab names a missing one.
set -eu
here=$(dirname "$0")
. "$here/progress.sh"
. "$here/places.sh"

LAB="bind9 bind9-dnsutils bind9-utils docker.io busybox-static socat iptables nftables conntrack iputils-arping iputils-ping
  curl iproute2 procps debootstrap util-linux"
TESTS="docker-compose jq nsd knot knot-dnsutils ldnsutils e2fsprogs knot-dnssecutils zonemaster-cli bsdutils zsh fish mandoc
  groff-base lintian rpm systemd chromium prometheus"

check=
[ "${1:-}" != --check ] || { check=yes; shift; }
case ${1:-all} in
  lab) packages=$LAB ;;
  all) packages="$LAB $TESTS" ;;
  *) say "setup.sh [--check] lab|all" >&2; exit 64 ;;
esac

# The packages that are missing, one a line. An engine or client of Docker that is there serves, whatever package it is of.
missing() {
  for package in $packages; do
    case $package in
      docker.io) has dockerd || [ -e "$engine" ] || echo docker.io ;;
      docker-compose) has docker-compose || echo docker-compose ;;
      *) echo "$package" ;;
    esac
  done | sort -u | comm -23 - "$1"
  # Debian 13 took the client out of docker.io; where it did not, no such package is needed.
  has docker || [ -e "$engine" ] || echo docker-cli
}

if ! has dpkg-query; then
  [ -n "$check" ] || say "not a Debian machine: these packages' programs must be there: $packages" >&2
  exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
look() {
  installed >"$scratch/installed"
  missing "$scratch/installed" | tr '\n' ' '
}
wanted=$(look)
if [ -n "$check" ]; then
  [ -n "$wanted" ] || exit 0
  say "missing: $wanted; run \`sh test/prepare.sh\`" >&2
  exit 1
fi
[ -n "$wanted" ] || [ -e "$before" ] || exit 0
say "missing on this machine: ${wanted:-nothing, but an installation was interrupted}"
if [ "$(id -u)" != 0 ]; then
  say "only root can install that" >&2
  exit 1
fi

# Two that start together must not fight for apt's locks. What is started from here does not keep the lock (9>&-).
mkdir -p "$state"
touch "$record"
exec 9>"$state/lock"
flock 9
finish
wanted=$(look)
[ -n "$wanted" ] || exit 0

# Its output is read here.
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
log=$scratch/log
apt() { apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null 9>&-; }
logged() { "$@" >>"$log" 2>&1 9>&- || { cat "$log" >&2; return 1; }; }
simulate() { apt install -s --no-install-recommends "$@" >"$scratch/plan" 2>&1; }
# Fails where apt would remove something, which is in $removed then, or cannot install these at all.
acceptable() {
  simulate "$@" || { removed="nothing, but cannot install it"; return 1; }
  removed=$(sed -n 's/^Remv \([^ ]*\).*/\1/p' "$scratch/plan" | tr '\n' ' ')
  [ -z "$removed" ]
}

with_progress "apt-get update" logged apt update
case " $wanted" in
  *" docker-cli "*) simulate docker-cli || wanted=$(echo "$wanted" | sed 's/docker-cli //') ;;
esac
unpack=
# shellcheck disable=SC2086 # lists of package names, from here on
if ! acceptable $wanted; then
  case " $wanted" in
    *" docker.io "* | *" docker-cli "*)
      unpack=$removed
      wanted=$(echo "$wanted" | sed -e 's/docker\.io //' -e 's/docker-cli //')
      acceptable $wanted || unpack=
      ;;
  esac
  if [ -z "$unpack" ]; then
    cat "$scratch/plan" >&2
    say "refused: apt would remove $removed; nothing has been changed" >&2
    exit 1
  fi
fi
if [ -n "$wanted" ]; then
  sizes=$(apt install -y --print-uris --no-install-recommends $wanted 2>/dev/null |
    sed -n -e 's/^Need to get \(.*\) of archives\.$/\1 to download, /p' -e 's/^After this operation, \(.*\) of additional.*/\1 on disk/p' | tr -d '\n')
  say "apt installs $(grep -c '^Inst ' "$scratch/plan") packages, the missing ones and what they depend on: ${sizes:-size unknown}"
fi
[ -z "$unpack" ] || say "docker.io is not installed (apt would remove $unpack): its engine is unpacked into $engine (400 MB)"
say "no package is removed, no service started or enabled; \`npm run clean:lab\` takes it away again"
if [ -t 0 ] && [ -t 1 ]; then
  printf 'prepare: continue? [Y/n] '
  read -r answer || answer=n
  case $answer in [nN]*) say "nothing has been changed" >&2; exit 1 ;; esac
fi

if [ -n "$wanted" ]; then
  mkdir -p "$before"
  installed >"$before/packages"
  boot_links >"$before/links"
  trap 'finish; rm -rf "$scratch"' EXIT
  # A package's daemon must not start: it would answer on the machine's own port 53. Debian asks this file.
  if [ -e "$policy" ]; then
    say "this machine's own $policy decides whether a service is started"
  else
    printf '#!/bin/sh\n# ocdd-lab: removed after the installation\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  # --no-remove: whatever has changed since the simulation
  with_progress "apt-get install" logged apt install -y --no-remove --no-install-recommends $wanted
fi
if [ -n "$unpack" ]; then
  with_progress "unpacking docker.io" logged sh "$here/engine.sh" "$engine"
fi
