#!/bin/sh
# Runs a program in a Debian root whose changes are written to another directory: in-root.sh ROOT LAB_DIRECTORY DEBS PROGRAM...
# DEBS is its /tmp/debs. Call it inside a mount namespace of its own (`ip netns exec` makes one). What is written stays
# from call to call.
set -eu
root=$1 dir=$2 debs=$3
shift 3
there=$dir/root
mkdir -p "$dir/upper" "$dir/work" "$there"
mount -t overlay -o "lowerdir=$root,upperdir=$dir/upper,workdir=$dir/work" overlay "$there"
mount -t proc proc "$there/proc"
mount --bind /dev "$there/dev"
# a host's /run is not on its disk; Docker's socket is in it
mount -t tmpfs -o mode=755 run "$there/run"
mkdir -p "$there/run/lock" "$there/run/systemd/system" # the second says that systemd runs
touch "$there/run/docker.sock"
mount --bind "$dir/docker.sock" "$there/run/docker.sock"
mount -t tmpfs tmp "$there/tmp"
mkdir "$there/tmp/debs"
mount --bind "$debs" "$there/tmp/debs"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$there" "$@"
