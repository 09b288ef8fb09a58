#!/bin/sh
# Set-up for the README's commands on a fresh Debian machine: prepare.sh [lab|all]
# Debian's packages (setup.sh), then npm's. Says first what it is going to change, and is quick when all is there.
set -eu
cd "$(dirname "$0")/.."
. test/lab/progress.sh

npm=
if ! cmp -s package-lock.json node_modules/.ocdd-lock; then
  npm=yes
  say "npm puts its packages (about 500 MB) into $PWD/node_modules, and runs no script of theirs"
fi
sh test/lab/setup.sh "${1:-all}"
if [ -n "$npm" ]; then
  with_progress npm npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.ocdd-lock
fi
