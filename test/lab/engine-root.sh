#!/bin/sh
# Makes this process's own mount namespace the place where the lab's dockerd lives, then waits in it:
#   unshare --mount --propagation private sh engine-root.sh ROOT LAB_DIRECTORY
# ROOT "/" keeps the machine's programs; another ROOT (a Debian sid) becomes the root. Docker's mounts end with
# this namespace, so a crashed lab leaves no mount on the machine, and live-restore finds its mounts at the next start.
set -eu
root=$1 dir=$2

if [ "$root" = / ]; then
  mount -t tmpfs -o mode=755 run /run # containerd's shim sockets have a fixed place: this gives the lab its own
else
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys" # with the cgroups, which runc needs
  mount --rbind /dev "$root/dev"
  mount -t tmpfs -o mode=755 run "$root/run"
  mount -t tmpfs tmp "$root/tmp"
  mkdir -p "$root$dir" "$root/run/old"
  mount --bind "$dir" "$root$dir" # the same path inside and outside: Docker's socket and directories
  cd "$root"
  pivot_root . run/old # a chroot is not enough: image import fails in one
  umount -l /run/old
fi
touch "$dir/engine-root"
exec sleep infinity
