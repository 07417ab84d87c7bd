# Functions that the scripts of this folder share. Sourced, never run.

# Prints the machine and the commit, which belong into every table.
machine() {
  echo "machine: $(nproc) cores, $(awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo), Linux $(uname -r), load $(cut -d' ' -f1 /proc/loadavg)"
  echo "commit:  $(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --short HEAD 2>/dev/null || echo unknown)"
}

# ratio A B: prints A / B with two decimals.
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", (b > 0) ? a / b : 0 }'; }

# cpu_group NAME: makes a cgroup for processor time and prints its folder. Version 2 has one hierarchy for all controllers, version 1
# one for each. Needs root.
cpu_group() {
  local root=/sys/fs/cgroup
  [ -e $root/cgroup.controllers ] || root=$root/cpu
  mkdir "$root/$1" 2>/dev/null || { echo "no right to make a cgroup under $root: run as root" >&2; return 2; }
  echo "$root/$1"
}

# cpu_quota GROUP PERCENT: limits a cgroup to this part of one core, in periods of 100 ms.
cpu_quota() {
  if [ -e "$1/cpu.max" ]; then
    echo "$(($2 * 1000)) 100000" >"$1/cpu.max"
  else
    echo 100000 >"$1/cpu.cfs_period_us"
    echo $(($2 * 1000)) >"$1/cpu.cfs_quota_us"
  fi
}

# in_group GROUP COMMAND…: becomes the command, inside the cgroup.
in_group() {
  echo "$BASHPID" >"$1/cgroup.procs"
  exec "${@:2}"
}
