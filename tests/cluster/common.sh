# Shared by start.sh and stop.sh, which source it. Sets DIR and becomes root.

export PATH="$PATH:/usr/sbin:/sbin"
DIR=${1:-${FER_BENCH_CLUSTER:-/tmp/fer_bench_cluster}}
DIR=$(realpath -m -- "$DIR")
MARK=$DIR/.fer_bench_cluster # only a folder with this file is ours to use or remove

say() { echo "$*" >&2; }
die() { say "$2"; exit "$1"; }

case $DIR in *[!A-Za-z0-9/._-]*) die 2 "the cluster folder must be a plain path: $DIR" ;; esac

become_root() { # run the calling script again under sudo when it is not root
  [ "$(id -u)" = 0 ] && return
  command -v sudo >/dev/null && sudo -n true 2>/dev/null ||
    die 3 "a test cluster needs root or passwordless sudo"
  exec sudo -n bash "$0" "$DIR" ${KEEP:+--keep}
}

pid_of() { # the pid of our running daemon $1, or nothing
  local pid
  pid=$(cat "$DIR/run/$1.pid" 2>/dev/null) || return 1
  # a pid file can be stale and its number in use by another process
  [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] &&
    grep -qsF "$DIR/" "/proc/$pid/cmdline" "/proc/$pid/environ" && echo "$pid"
}

wait_until() { # wait_until SECONDS COMMAND...: until the command succeeds
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.2
  done
}
