#!/bin/bash
# Stop what start.sh started and remove its folder; see README.md.
#   tests/cluster/stop.sh [FOLDER] [--keep]
# --keep leaves the folder: logs, accounting and queue are there for the next start.
set -u
KEEP=
args=()
for a; do [ "$a" = --keep ] && KEEP=1 || args+=("$a"); done
set -- ${args[@]+"${args[@]}"}
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
[ -d "$DIR" ] || { say "no test cluster in $DIR"; exit 0; }
[ -e "$MARK" ] || die 2 "$DIR is not a test cluster's folder"
become_root
export SLURM_CONF=$DIR/slurm.conf

gone() { ! pid_of "$1"; }

tree() { # a process and all below it
  local p
  echo "$1"
  for p in $(ps -o pid= --ppid "$1"); do tree "$p"; done
}

left_over() { # what jobs still run when slurmctld could not end them
  local p
  for p in $(ps -C slurmstepd -o pid=); do
    grep -qsF "$DIR/" "/proc/$p/environ" && tree "$p"
  done
}

no_jobs() { [ -z "$(timeout 5 squeue -h -o %i 2>/dev/null)" ]; }

if pid_of slurmctld >/dev/null; then
  timeout 10 scancel --quiet --partition=debug 2>/dev/null
  timeout 10 scancel --quiet --partition=urgent 2>/dev/null
  wait_until 15 no_jobs || say "some jobs did not end"
fi
for name in slurmd slurmctld slurmdbd mariadbd munged; do
  pid=$(pid_of $name) || continue
  kill "$pid"
  wait_until 15 gone $name || { kill -9 "$pid"; wait_until 5 gone $name; }
  rm -f "$DIR/run/$name.pid"
done
pids=$(left_over)
[ -z "$pids" ] || kill -9 $pids
[ -n "$KEEP" ] || rm -rf "$DIR"
say "the test cluster in $DIR is stopped"
