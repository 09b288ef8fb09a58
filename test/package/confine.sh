#!/bin/sh
# Runs OCDD with the restrictions of its units, as far as possible without systemd:
#   confine.sh director|server LAB_DIRECTORY REPOSITORY NODE ARGUMENT...
# Call it inside a mount namespace of its own (`ip netns exec` makes one). Each line names the directive it stands for;
# the system call filter is tested in a container (compose.test.ts).
set -eu
who=$1 dir=$2 repository=$3 node=$4
shift 4

# A directory that an unprivileged user may enter, whichever user owns the work tree; the server's node is beside it.
mkdir -p "$dir/product" "$dir/node"
mount --bind "$repository" "$dir/product"
mount --bind "$(dirname "$node")" "$dir/node"
mount --bind "$dir" "$dir" -o rbind
mkdir -p "$dir/tmp" # PrivateTmp=: the lab itself is in /tmp
chmod 1777 "$dir/tmp"
if [ "$who" = server ]; then
  mount --bind /dev/null "$dir/docker.sock" # InaccessiblePaths=
  # TemporaryFileSystem= and BindReadOnlyPaths=: a directory that the user could not enter
  mount --bind "$dir/storage/private/serve" "$dir/tmp"
  mount -t tmpfs -o mode=755 private "$dir/storage/private"
  mkdir "$dir/storage/private/serve"
  mount --move "$dir/tmp" "$dir/storage/private/serve"
  mount -o remount,bind,ro "$dir/storage/private/serve"
  mount -o remount,ro "$dir/storage/private"
  mount -o remount,bind,ro "$dir"
fi
mount -o remount,bind,ro / # ProtectSystem=strict, the lab's directory for ReadWritePaths=
mount -t tmpfs -o ro,mode=000 home /home # ProtectHome=
mount -t tmpfs -o ro,mode=000 root /root
mount -o remount,bind,ro /sys # ProtectKernelTunables=
# ProcSubset=pid and ProtectProc=invisible, neither of which ocdd-watch.service has; it has CAP_KILL
capabilities=+net_admin,+net_raw
case "$who $*" in
  director*" watch") mount -t proc proc /proc; capabilities=$capabilities,+kill ;;
  *) mount -t proc -o subset=pid,hidepid=invisible proc /proc ;;
esac
cd "$dir"

# a unit inherits no environment
if [ "$who" = director ]; then
  set -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR="$dir/tmp" OCDD_SERVICES=none \
    "$dir/node/$(basename "$node")" "$dir/product/src/cli/main.ts" "$@"
  exec setpriv --no-new-privs --inh-caps=-all --bounding-set="-all,$capabilities" "$@"
fi
# Sockets=: the ports are opened before the server starts, and the server may open none
set -- setpriv --no-new-privs --reuid=65534 --regid=65534 --clear-groups \
  --bounding-set=-all --inh-caps=-all --ambient-caps=-all \
  "$dir/node/$(basename "$node")" "$dir/product/src/cli/main.ts" "$@"
given="--setenv=TMPDIR=$dir/tmp --setenv=OCDD_SERVICES=none"
# shellcheck disable=SC2086 # a list of options
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin systemd-socket-activate $given \
  --datagram -l "$OCDD_HOST:53" -l 127.0.0.1:53 systemd-socket-activate $given \
  -l "$OCDD_HOST:53" -l 127.0.0.1:53 -l "$OCDD_HOST:80" -l 127.0.0.1:80 "$@"
