#!/bin/sh
# Stops the example's service and visits it: ./try.sh URL [CONTAINER]
# URL is where it answers, such as http://mock.toolbox.example.com:9000
set -eu
url=${1:?usage: ./try.sh URL [CONTAINER]}
container=${2:-sleep-mock-1}

state() {
  echo "$container is $(docker inspect --format '{{.State.Status}}' "$container")"
}
visit() {
  curl --silent --show-error --fail --location --max-time 60 "$url$1"
}

docker stop "$container" >/dev/null
state
echo "a visit:"
visit /
state
echo "its status:"
visit /status
