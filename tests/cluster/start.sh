#!/bin/bash
# Start a real one-node Slurm cluster with accounting, for tests; see README.md.
#   eval "$(tests/cluster/start.sh [FOLDER])"
# Standard output is one line to be eval'd, everything else goes to standard error.
# Exit status: 0 running, 1 it did not come up, 2 bad folder, 3 impossible on this machine.
set -u
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
become_root
export SLURM_CONF=$DIR/slurm.conf
PROGRAMS="sbatch sacct sacctmgr slurmctld slurmd slurmdbd munged mariadbd mariadb-install-db my_print_defaults"
PACKAGES="slurm-wlm slurmdbd munge mariadb-server-core mariadb-client-core" # -core: no service, no /var/lib/mysql

# ------------------------------------------------------------------ packages

missing() { for p in $PROGRAMS; do command -v "$p" >/dev/null || echo "$p"; done; }

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -qq -y \
    --no-install-recommends $PACKAGES </dev/null >"$DIR/log/apt.log" 2>&1
}

install_packages() {
  command -v apt-get >/dev/null || die 3 "no apt-get to install Slurm with (missing:" $(missing)")"
  local guard=/usr/sbin/policy-rc.d made=
  if [ ! -e $guard ]; then # keep the packages from starting services of their own
    printf '#!/bin/sh\nexit 101\n' >$guard && chmod 755 $guard && made=1
  fi
  apt_install || { apt-get -o DPkg::Lock::Timeout=120 update -qq </dev/null >&2; apt_install; }
  local rc=$?
  [ -z "$made" ] || rm -f $guard
  [ $rc = 0 ] || die 3 "apt-get could not install $PACKAGES: $(tail -n 1 "$DIR/log/apt.log")"
  [ -z "$(missing)" ] || die 3 "still missing after apt-get install:" $(missing)
}

# ------------------------------------------------------------- configuration

free_port() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

configure() { # only while none of our Slurm daemons runs
  local port=26817 host
  host=$(hostname -s)
  until free_port $port && free_port $((port + 1)) && free_port $((port + 2)); do
    port=$((port + 10))
    [ $port -lt 27817 ] || die 1 "no free ports"
  done
  cat >"$DIR/slurm.conf" <<END
ClusterName=ferbench
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$port
SlurmdPort=$((port + 1))
# cred_expire: a requeued job waits this long before it may start again (Slurm's default: 120 s)
AuthType=auth/munge
AuthInfo=socket=$DIR/run/munge.socket,cred_expire=10

StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool
SlurmctldPidFile=$DIR/run/slurmctld.pid
SlurmdPidFile=$DIR/run/slurmd.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd.log
SlurmctldDebug=info
SlurmdDebug=info

SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
MailProg=/bin/true
# 4 CPUs are offered whatever the machine has
SlurmdParameters=config_overrides
ReturnToService=2

SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=0,bf_interval=2
MessageTimeout=20
KillWait=5
OverTimeLimit=0
JobRequeue=1
# a job in 'urgent' puts jobs of 'debug' back in the queue: first their --signal, GraceTime later the kill
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((port + 2))
AccountingStoragePass=$DIR/run/munge.socket
AccountingStoreFlags=job_comment

NodeName=$host NodeAddr=127.0.0.1 CPUs=4 Boards=1 SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=8000
PartitionName=debug Nodes=$host Default=YES MaxTime=INFINITE DefaultTime=10 PriorityTier=1 GraceTime=10
PartitionName=urgent Nodes=$host MaxTime=INFINITE DefaultTime=10 PriorityTier=10 PreemptMode=OFF
END
  (umask 077 && cat >"$DIR/slurmdbd.conf" <<END
DbdHost=$host
DbdAddr=127.0.0.1
DbdPort=$((port + 2))
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$DIR/run/munge.socket
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
PidFile=$DIR/run/slurmdbd.pid
LogFile=$DIR/log/slurmdbd.log
DebugLevel=info
END
  )
}

# ------------------------------------------------------------------- daemons

fail() {
  say "the test cluster did not come up: $1"
  for f in "$DIR"/log/*.log; do
    [ -s "$f" ] && { say "--- $f"; tail -n 15 "$f" >&2; }
  done
  exit 1
}

launch() { # launch NAME COMMAND...: apart from our session and our standard output
  local name=$1
  shift
  setsid "$@" </dev/null >>"$DIR/log/$name.out.log" 2>&1 &
}

start_munged() { # our own, with its own key and socket
  pid_of munged >/dev/null && return
  local user=munge dir=$DIR/munge key=$DIR/munge/munge.key
  id $user >/dev/null 2>&1 || user=root
  mkdir -p "$dir"
  chmod 700 "$dir"
  [ -s "$key" ] || (umask 077 && head -c 1024 /dev/urandom >"$key")
  chown -R $user: "$dir"
  # munged checks the owners of the folders of its files; the socket's must be open to all
  mkdir -p "$DIR/run/munge"
  chown $user: "$DIR/run/munge"
  ln -sfn munge/munged.pid "$DIR/run/munged.pid"
  ln -sfn munge/munge.socket "$DIR/run/munge.socket"
  launch munged setpriv --reuid $user --regid "$(id -g $user)" --clear-groups -- \
    munged --force --key-file="$key" --socket="$DIR/run/munge/munge.socket" \
    --pid-file="$DIR/run/munge/munged.pid" --log-file="$dir/munged.log" --seed-file="$dir/munged.seed"
  wait_until 10 munge -n -S "$DIR/run/munge/munge.socket" && wait_until 5 pid_of munged || fail munged
}

start_mariadbd() { # ours alone: no network, its root user is the system's
  local sock=$DIR/run/mariadbd.sock
  pid_of mariadbd >/dev/null && return
  if [ ! -d "$DIR/db/mysql" ]; then
    rm -rf "$DIR/db" "$DIR/db.new"
    mkdir -m 700 "$DIR/db.new"
    mariadb-install-db --no-defaults --user=root --datadir="$DIR/db.new" --skip-test-db \
      --auth-root-authentication-method=socket --innodb-log-file-size=16M \
      </dev/null >"$DIR/log/mariadb-install-db.log" 2>&1 || fail mariadb-install-db
    mv "$DIR/db.new" "$DIR/db" # a half-made database is never taken for one
  fi
  launch mariadbd mariadbd --no-defaults --user=root --datadir="$DIR/db" --socket="$sock" \
    --pid-file="$DIR/run/mariadbd.pid" --log-error="$DIR/log/mariadbd.log" --skip-networking \
    --innodb-buffer-pool-size=64M --innodb-log-file-size=16M --innodb-lock-wait-timeout=900 \
    --innodb-flush-log-at-trx-commit=0 --performance-schema=off
  wait_until 30 test -S "$sock" && wait_until 5 pid_of mariadbd || fail mariadbd
}

start_slurmdbd() {
  pid_of slurmdbd >/dev/null ||
    launch slurmdbd env MYSQL_UNIX_PORT="$DIR/run/mariadbd.sock" slurmdbd
  wait_until 30 timeout 5 sacctmgr -n list cluster && wait_until 5 pid_of slurmdbd ||
    fail "slurmdbd: $(timeout 5 sacctmgr -n list cluster 2>&1)"
  sacctmgr -n -P list cluster format=cluster | grep -qx ferbench ||
    sacctmgr -i add cluster ferbench >"$DIR/log/sacctmgr.log" 2>&1 || fail "sacctmgr add cluster"
}

start_slurm() {
  pid_of slurmctld >/dev/null || launch slurmctld slurmctld -f "$SLURM_CONF"
  pid_of slurmd >/dev/null || launch slurmd slurmd -f "$SLURM_CONF"
  wait_until 5 pid_of slurmctld && wait_until 5 pid_of slurmd || fail "slurmctld or slurmd"
}

node_up() {
  local state
  state=$(timeout 5 sinfo -h -p debug -o %T) || return 1
  case $state in
    idle | mixed | allocated | completing) return 0 ;; # with jobs, when it was already running
    *drain* | down | down\*) # after a crash
      [ -n "${resumed:-}" ] || { scontrol update nodename="$(hostname -s)" state=resume && resumed=1; } ;;
  esac
  return 1
}

# ---------------------------------------------------------------------- main

if [ -d "$DIR" ] && [ ! -e "$MARK" ] && [ -n "$(ls -A "$DIR")" ]; then
  die 2 "$DIR exists and is not a test cluster's folder"
fi
umask 022
mkdir -p "$DIR"/{log,run,spool,state} || die 2 "cannot make $DIR"
touch "$MARK"
chmod 755 "$DIR" "$DIR/run" "$DIR/log"
chmod 700 "$DIR/state"
[ -z "$(missing)" ] || install_packages
pid_of slurmctld >/dev/null || pid_of slurmd >/dev/null || pid_of slurmdbd >/dev/null || configure
start_munged
start_mariadbd
start_slurmdbd
start_slurm
wait_until 30 node_up || fail "the node is not idle: $(timeout 5 sinfo -h -o '%N %T %E' 2>&1)"
say "the test cluster runs in $DIR ($(sinfo --version), started or checked in $SECONDS s)"
echo "export SLURM_CONF=$SLURM_CONF"
