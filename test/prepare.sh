#!/bin/sh
# Set-up for the README's commands on a fresh Debian machine: npm's packages, then Debian's. Quick when all is there.
set -eu
cd "$(dirname "$0")/.."
if ! cmp -s package-lock.json node_modules/.ocdd-lock; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.ocdd-lock
fi
exec sh test/lab/setup.sh
