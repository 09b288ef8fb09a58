#!/bin/sh
# Runs a program where others are not installed: without.sh DIRECTORY "MISSING..." PROGRAM ARGUMENT...
# DIRECTORY is scratch. Call it inside a mount namespace (`ip netns exec` makes one).
set -eu
dir=$1 missing=$2
shift 2
for place in /usr/sbin /usr/bin; do
  mkdir -p "$dir$place/upper" "$dir$place/work"
  for program in $missing; do
    [ ! -e "$place/$program" ] || mknod "$dir$place/upper/$program" c 0 0 # overlayfs's mark for "deleted here"
  done
  mount -t overlay -o "lowerdir=$place,upperdir=$dir$place/upper,workdir=$dir$place/work" overlay "$place"
done
exec "$@"
