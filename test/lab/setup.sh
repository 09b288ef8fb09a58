#!/bin/sh
# Installs the Debian packages that the lab, its tests and the demo need. Silent and quick when all are there.
# Other systems: install the same programs by hand; the lab names a missing one.
set -eu

PACKAGES="bind9 bind9-dnsutils bind9-utils docker.io docker-compose busybox-static iptables nftables conntrack
  iputils-arping iputils-ping jq curl socat iproute2 procps debootstrap nsd knot knot-dnsutils ldnsutils util-linux e2fsprogs
  knot-dnssecutils zonemaster-cli bsdutils zsh fish mandoc groff-base lintian systemd chromium prometheus"

missing() {
  for package in $PACKAGES; do
    case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
      ii*) ;;
      *) echo "$package" ;;
    esac
  done
  # Debian 13 took the client out of docker.io; where it did not, no such package is needed.
  command -v docker >/dev/null || echo docker-cli
}

if ! command -v dpkg-query >/dev/null; then
  echo "lab: not a Debian machine: install by hand: $PACKAGES" >&2
  exit 1
fi
wanted=$(missing)
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "lab: root must install: $wanted" >&2
  exit 1
fi

# Two test files that start together must not fight for apt's locks. -o: what apt starts does not keep ours.
if [ "${1:-}" != --locked ]; then
  exec flock -o "${TMPDIR:-/tmp}/ocdd-lab-setup.lock" sh "$0" --locked
fi

# A package's daemon must not start: it would answer on the machine's own port 53. Debian asks this file.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
fi

# --no-remove: docker.io would take the place of a host's own docker-ce, and end its containers
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 </dev/null || { cat "$log" >&2; rm -f "$log"; exit 1; }; }
apt update
for package in $(missing); do
  case $package in
    docker-cli) ;; # after docker.io, which may bring it
    *) set -- "$@" "$package" ;;
  esac
done
[ "${1:-}" != --locked ] || shift
[ $# = 0 ] || apt install -y --no-remove --no-install-recommends "$@"
wanted=$(missing)
# shellcheck disable=SC2086 # a list of package names
[ -z "$wanted" ] || apt install -y --no-remove --no-install-recommends $wanted
rm -f "$log"
