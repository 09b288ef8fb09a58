# Sourced by the scripts that prepare and clean the lab: words on stdout, a line every five seconds of a long command.

say() { echo "prepare: $*"; }

# with_progress LABEL PROGRAM ARGUMENT...: its status is the program's. The last line of $log, where that is set, tells how far it is.
with_progress() {
  label=$1
  shift
  say "$label ..."
  (
    seconds=0
    # output closed: after the end of this script nothing holds a pipe that it was given
    while sleep 5 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
      seconds=$((seconds + 5))
      last=
      [ -z "${log:-}" ] || last=$(tail -n 1 "$log" | cut -c 1-100)
      say "$label: $seconds s${last:+: $last}"
    done
  ) &
  ticker=$!
  status=0
  "$@" || status=$?
  # not TERM: one that comes before the new process has reset its traps would be lost
  kill -KILL "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  return "$status"
}
