#!/bin/sh
# Runs a program where /opt, /run and /etc are the lab's: original-paths.sh LAB_DIRECTORY PROGRAM ARGUMENT...
# So a configuration file that names /opt/ocdd and /var/run/docker.sock is tested byte for byte, units are installed,
# and the machine's own are not changed. Call it inside a mount namespace (`ip netns exec` makes one).
set -eu
dir=$1
shift
resolv=$(cat /etc/resolv.conf) # bound there for this namespace; an overlay shows what is below
for place in opt run etc; do
  mkdir -p "$dir/original/$place" "$dir/original/work-$place"
  mount -t overlay -o "lowerdir=/$place,upperdir=$dir/original/$place,workdir=$dir/original/work-$place" overlay "/$place"
done
rm -f /etc/resolv.conf
printf '%s\n' "$resolv" >/etc/resolv.conf
ln -sf "$dir/docker.sock" /run/docker.sock
exec "$@"
