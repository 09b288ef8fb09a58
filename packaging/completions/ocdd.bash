# Written by "npm run man": change src/cli/main.ts or packaging/completions.ts instead.
_ocdd_names() {
  command ocdd zone 2>/dev/null | awk '$1 == "$ORIGIN" { zone = "." $2 }; $4 == "A" { rest = length($1) - length(zone); name = substr($1, 1, rest) }; $4 == "A" && substr($1, rest + 1) == zone && name ~ /^[a-z0-9._-]+$/ { print name }'
}

_ocdd() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word="" name flags i
  COMPREPLY=()
  # readline splits at "=": the parts of --config=FILE are three words
  [[ $cur == "=" ]] && cur=""
  [[ $prev == "=" ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
  case $prev in
    --config)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return ;;
    --set)
      compopt -o nospace 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -S = -W "DEBUG DOCKER_SOCKET DOCKER_API_URL NETWORK_DEVICE IP_SUBNET IP_RANGE_START IP_RANGE_END IP_RANGE HOST_IP HOST_NAME TOOLBOX_SUBDOMAIN_NAME STORAGE_DIR DNS_ZONE_FILE WEB_INDEX_FILE SOA_EMAIL DNS_TTL DNS_LISTEN DNS_PORT DNS_ALLOW_TRANSFER DNS_TSIG_KEY_FILE DNS_NOTIFY DNS_FORWARDERS DNS_REVERSE DNS_REVERSE_ZONE DNS_NSID DNS_VERSION WEB_ENABLED WEB_LISTEN WEB_PORT WEB_TITLE WEB_NAMES FALLBACK_URL WEB_TEMPLATE_DIR ADDRESS_HOLD EXPOSE FIREWALL SYNC_INTERVAL WAKE WAKE_PAGE WAKE_TIMEOUT WAKE_GRACE WAKE_CONCURRENCY IDLE_IGNORE METRICS_LISTEN METRICS_ALLOW SERVICES IMAGE" -- "$cur")
      return ;;
    --log-format)
      mapfile -t COMPREPLY < <(compgen -W "text journal json" -- "$cur")
      return ;;
    -o | --output)
      mapfile -t COMPREPLY < <(compgen -W "wide name json" -- "$cur")
      return ;;
    --state)
      mapfile -t COMPREPLY < <(compgen -W "running healthy unhealthy starting restarting paused pending asleep failed no-answer no-packets stopped" -- "$cur")
      return ;;
    --network)
      mapfile -t COMPREPLY < <(compgen -W "" -- "$cur")
      return ;;
    --project)
      mapfile -t COMPREPLY < <(compgen -W "" -- "$cur")
      return ;;
    --where)
      mapfile -t COMPREPLY < <(compgen -W "" -- "$cur")
      return ;;
    --older-than)
      mapfile -t COMPREPLY < <(compgen -W "" -- "$cur")
      return ;;
    --select)
      mapfile -t COMPREPLY < <(compgen -W "" -- "$cur")
      return ;;
    --batch)
      mapfile -t COMPREPLY < <(compgen -W "" -- "$cur")
      return ;;
    --mount)
      mapfile -t COMPREPLY < <(compgen -W "" -- "$cur")
      return ;;
    --env)
      mapfile -t COMPREPLY < <(compgen -W "" -- "$cur")
      return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      initialize | apply | plan | watch | serve | list | show | leases | config | status | zone | doctor | teardown | wake | start | stop | restart | metadata | examine | inspect | audit | validate | update | monitor | try) word=${COMP_WORDS[i]}; break ;;
      --config | --set | --log-format | -o | --output | --state | --network | --project | --where | --older-than | --select | --batch | --mount | --env) ((i++)) ;;
    esac
  done
  case $word in
    initialize) flags="--json --yes --config --set --debug --no-color -V --version -h --help" ;;
    apply) flags="--json --yes --config --set --debug --no-color -V --version -h --help" ;;
    plan) flags="--json --detailed-exitcode --yes --config --set --debug --no-color -V --version -h --help" ;;
    watch) flags="--log-format --config --set --debug --no-color -V --version -h --help" ;;
    serve) flags="--log-format --config --set --debug --no-color -V --version -h --help" ;;
    list) flags="--all -o --output --state --network --project --json --config --set --debug --no-color -V --version -h --help" ;;
    show) flags="--json --config --set --debug --no-color -V --version -h --help" ;;
    leases) flags="--json --config --set --debug --no-color -V --version -h --help" ;;
    config) flags="--json --config --set --debug --no-color -V --version -h --help" ;;
    status) flags="--json --stats --config --set --debug --no-color -V --version -h --help" ;;
    zone) flags="--json --config --set --debug --no-color -V --version -h --help" ;;
    doctor) flags="--json --config --set --debug --no-color -V --version -h --help" ;;
    teardown) flags="--json --yes --config --set --debug --no-color -V --version -h --help" ;;
    wake) flags="--json --config --set --debug --no-color -V --version -h --help" ;;
    start) flags="--json --config --set --debug --no-color -V --version -h --help" ;;
    stop) flags="--json --config --set --debug --no-color -V --version -h --help" ;;
    restart) flags="--json --config --set --debug --no-color -V --version -h --help" ;;
    metadata) flags="--show-env --write --config --set --debug --no-color -V --version -h --help" ;;
    examine) flags="--json --config --set --debug --no-color -V --version -h --help" ;;
    inspect) flags="--json --config --set --debug --no-color -V --version -h --help" ;;
    audit) flags="--where --older-than --select --json --config --set --debug --no-color -V --version -h --help" ;;
    validate) flags="--all --project --json --config --set --debug --no-color -V --version -h --help" ;;
    update) flags="--all --project --batch --json --config --set --debug --no-color -V --version -h --help" ;;
    monitor) flags="--all --project --json --config --set --debug --no-color -V --version -h --help" ;;
    try) flags="--mount --env --validate --json --config --set --debug --no-color -V --version -h --help" ;;
    *) flags="--config --set --debug --json --no-color --yes -V --version -h --help" ;;
  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
  elif [[ -z $word ]]; then
    mapfile -t COMPREPLY < <(compgen -W "initialize apply plan watch serve list show leases config status zone doctor teardown wake start stop restart metadata examine inspect audit validate update monitor try" -- "$cur")
  elif [[ $word == @(list|show|doctor|wake|start|stop|restart|metadata|examine|inspect|validate|update|monitor|try) ]]; then
    # not by compgen -W, which expands its words: a name is text of someone else's
    while IFS= read -r name; do
      [[ $name == "$cur"* ]] && COMPREPLY+=("$name")
    done < <(_ocdd_names)
  fi
}

complete -F _ocdd ocdd
