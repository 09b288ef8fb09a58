#!/bin/sh
# Builds the image anew with Debian's updates, tries it, and puts it in the place of the old one, which stays when anything fails. For cron:
#   30 3 * * *  root  /opt/ocdd-app/examples/dns/rebuild.sh
# BASE is an image to build on in place of Debian's; it is not pulled.
set -eu
PATH=/usr/local/bin:$PATH
cd "$(dirname "$0")"
tag=$(date -u +%Y-%m-%d)
image=dns:$tag
KEEP=7
# compose reads it too
# shellcheck disable=SC1091
if [ -e .env ]; then . ./.env; fi
ZONES_GIT=${ZONES_GIT:-/srv/git/zones.git}

compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

# Puts an image in force, and waits until it serves.
swap() {
  docker tag "$1" dns:current || return
  compose up -d --no-build dns || return
  for _ in 1 2 3 4 5 6; do
    if ocdd validate dns; then return; fi
    sleep 1
  done
  return 1
}

echo ">> Building $image..."
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
trap 'exit 1' HUP INT TERM
cp -R Dockerfile etc srv "$context"
CI=true BUILD_CAUSE=TIMERTRIGGER BUILD_TAG=dns-$tag GIT_COMMIT=$(git rev-parse HEAD 2>/dev/null || true) \
  PROJECT=dns IMAGE_NAME=dns IMAGE_TAG_NAMES=$image \
  START_METHOD=/srv/start UPDATE_METHOD=/srv/update VALIDATE_METHOD=/srv/validate \
  ocdd metadata --write "$context/etc/ocdd/metadata/20-dns.json"
if [ -n "${BASE:-}" ]; then set -- --build-arg "BASE=$BASE"; else set -- --pull; fi
docker build --quiet --no-cache "$@" --tag "$image" "$context"

echo ">> Trying..."
ocdd try "$image" --mount "$ZONES_GIT:/srv/zones.git:ro" --validate

echo ">> Swapping..."
old=$(docker image inspect --format '{{.Id}}' dns:current 2>/dev/null || true)
if ! swap "$image"; then
  echo "$image does not serve: the old one is put back"
  if [ -n "$old" ]; then swap "$old"; fi
  exit 1
fi

# images of earlier nights
docker image ls --format '{{.Tag}}' dns | grep '^20' | sort -r | tail -n +$((KEEP + 1)) | while read -r old; do
  docker image rm "dns:$old"
done
