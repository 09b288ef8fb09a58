#!/bin/sh
# Unpacks this release's docker.io into a directory, where it cannot be installed: engine.sh DIRECTORY
# DIRECTORY/client is for the search path: it has Docker's client alone.
set -eu
packages=docker.io,iptables,nftables,iproute2,ca-certificates
if [ -n "$(apt-cache show docker-cli 2>/dev/null)" ]; then packages=$packages,docker-cli; fi
sh "$(dirname "$0")/root.sh" own "$1" "$packages"
mkdir -p "$1/client"
ln -sf ../usr/bin/docker "$1/client/docker"
