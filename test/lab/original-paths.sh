#!/bin/sh
# Runs a program where /opt and /run are the lab's: original-paths.sh LAB_DIRECTORY PROGRAM ARGUMENT...
# So a configuration file that names /opt/ocdd and /var/run/docker.sock is tested byte for byte, and the machine's own
# two stay untouched. Call it inside a mount namespace (`ip netns exec` makes one).
set -eu
dir=$1
shift
for place in opt run; do
  mkdir -p "$dir/original/$place" "$dir/original/work-$place"
  mount -t overlay -o "lowerdir=/$place,upperdir=$dir/original/$place,workdir=$dir/original/work-$place" overlay "/$place"
done
ln -sf "$dir/docker.sock" /run/docker.sock
exec "$@"
