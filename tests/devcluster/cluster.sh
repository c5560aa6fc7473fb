#!/bin/bash
# The private cluster: two users run jobs of every kind on it; a node dies and
# comes back; down leaves nothing, also after a crash.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
# shellcheck disable=SC2016,SC2317 # expanded on the nodes; called by t_until
. "$(dirname "$0")/../lib.sh"

dc=$TOP/contrib/devcluster/devcluster
dir=/var/tmp/weft-dctest.$$

if [ "$(id -u)" -ne 0 ]; then
	t_run 2 "without root: refused" "$dc" up --dir "$dir"
	t_skip cluster "needs root"
	t_done
fi
t_need_hosts cluster
trap '"$dc" down -q --dir "$dir" >/dev/null; rm -rf "$T_TMP"' EXIT

as() { # as USER COMMAND...
	local user=$1
	shift
	timeout 60 "$dc" sh --dir "$dir" --user "$user" -- "$@"
}
sorted() { printf '%s\n' "$T_OUT" | sort | xargs; }

# Everything that must not be there before and after: processes, mounts,
# network devices and names, the folder.
traces() {
	pgrep -af "$dir" | grep -v "^$$ "
	grep "$dir" /proc/self/mountinfo
	ls -d "$dir" 2>/dev/null
	ip -o link | cut -d: -f2
	ls /run/netns 2>/dev/null
}
traces >"$T_TMP/before"
nothing_left() {
	traces >"$T_TMP/after"
	diff "$T_TMP/before" "$T_TMP/after" >"$T_TMP/left"
}
check_nothing_left() {
	if t_until 10 nothing_left; then
		t_ok "$1: nothing is left"
	else
		t_fail "$1: nothing is left" "$(cat "$T_TMP/left")"
	fi
}
node_is() {
	as root scontrol -o show node "$1" | grep -q " State=$2[+* ]"
}

t_run 3 "no cluster: sh says so" as alice true
t_run 64 "usage error" "$dc" up --cpu-nodes x --dir "$dir"
mkdir "$dir" && touch "$dir/mine"
t_run 1 "up: a folder of someone's is refused" "$dc" up --dir "$dir"
t_run 1 "down: a folder of someone's is refused" "$dc" down --dir "$dir"
t_run 0 "and left alone" rm "$dir/mine"

t_run 0 "up" "$dc" up --no-weft --slurmd-timeout 5 --dir "$dir"
t_run 0 "up again" "$dc" up --no-weft --dir "$dir"
t_has "up again: says so" "$T_OUT" "already up"
t_run 1 "up again, other shape: refused" "$dc" up --cpu-nodes 3 --dir "$dir"
t_run 0 "status" "$dc" status --dir "$dir"
T_OUT=$("$dc" status --json --dir "$dir" | python3 -c '
import json, sys
s = json.load(sys.stdin)
print(s["healthy"], *[h["name"] + "=" + h["state"] for h in s["hosts"]])')
t_is "status --json" "$T_OUT" \
	"True ctl=running login=running c1=idle c2=idle g1=idle g2=idle"

# Users.
t_is "alice is a user of the cluster's own" "$(as alice id -un)" alice
t_run 0 "the machine has no alice of it" sh -c \
	"! getent passwd alice | grep -q $dir"
t_has "groups are set" "$(as bob id -Gn)" lab
t_run 2 "bob cannot read alice's home" as bob ls "$dir/home/alice"
t_is "standard input is passed" "$(echo in | as alice cat)" in
t_run 7 "the exit status is passed" as alice sh -c 'exit 7'
t_is "the host is login" "$(as alice hostname)" login
t_is "no leaked environment" "$(LEAK=1 as alice sh -c 'echo "$LEAK"')" ""

t_is "environment that is given" "$(as alice X=1 sh -c 'echo "$X"')" 1
t_is "a shell on a node" "$("$dc" sh --dir "$dir" --node g1 --user bob \
	<<<'echo $(id -un)@$(hostname):$PWD')" "bob@g1:$dir/home/bob"
timeout 1 "$dc" sh --dir "$dir" -- sleep "1000.5$$"
ended() { ! pgrep -f "sleep 1000\.5$$\$" >/dev/null; }
t_run 0 "a command ends with sh" t_until 5 ended

# Jobs.  -Q: srun doesn't say that a job has to wait a moment.
t_run 0 "srun, cpu" as alice srun -Q -N2 hostname
t_is "srun, cpu: on both nodes" "$(sorted)" "c1 c2"
t_run 0 "srun, gpu" as bob srun -Q -p gpu -N2 sh -c 'echo $(hostname):$(id -un)'
t_is "srun, gpu: on both nodes, as bob" "$(sorted)" "g1:bob g2:bob"
t_run 0 "GPUs are given" as alice srun -Q -p gpu --gres=gpu:2 printenv \
	CUDA_VISIBLE_DEVICES
t_is "CUDA_VISIBLE_DEVICES" "$T_OUT" 0,1
t_run 1 "too much memory: refused" as alice srun -Q --mem=1T true
t_run 0 "16 tasks on a node" as alice srun -Q -N1 -n16 hostname
t_is "16 tasks run" "$(printf '%s\n' "$T_OUT" | wc -l)" 16
t_run 0 "without the environment" as alice srun -Q --export=NONE /usr/bin/sinfo -h
t_run 0 "scratch is a node's own" as alice srun -Q -N2 sh -c \
	'echo x >/scratch/$(hostname) && echo $(ls /scratch)'
t_is "scratch: each sees its own file" "$(sorted)" "c1 c2"
mark=$(mktemp /tmp/weft-test.XXXXXX)
t_run 0 "so is /tmp" as alice srun -Q -w c1 test ! -e "$mark"
rm -f "$mark"
t_run 0 "homes are shared" as alice sh -c \
	'echo hello >here && srun -Q -w c2 cat here'
t_is "homes are shared: read back" "$T_OUT" hello
as alice sbatch --array=0-4 -p cpu,gpu -o 'a.%a' >/dev/null <<'END'
#!/bin/sh
echo "$SLURM_ARRAY_TASK_ID"
END
array_done() { [ "$(as alice sh -c 'cat a.* 2>/dev/null | sort | xargs')" = "0 1 2 3 4" ]; }
if t_until 20 array_done; then
	t_ok "array job"
else
	t_fail "array job" "$(as alice squeue)"
fi

# MPI between nodes, with what Debian's Open MPI and Slurm have in common.
if command -v mpicc >/dev/null; then
	cat >"$T_TMP/ring.c" <<'END'
#include <mpi.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	int rank, size, sum;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
	if (rank == 0)
		printf("%d ranks, sum %d\n", size, sum);
	MPI_Finalize();
	return 0;
}
END
	mpicc -o "$dir/home/alice/ring" "$T_TMP/ring.c"
	t_run 0 "MPI" as alice srun -Q --mpi=pmix -N2 -n4 ./ring
	t_is "MPI: one world over two nodes" "$T_OUT" "4 ranks, sum 6"
else
	t_skip MPI "no mpicc"
fi

# Failures.
t_run 0 "link: slow" "$dc" link c2 80mbit --dir "$dir"
start=$(date +%s%N)
as alice sh -c 'srun -w c2 head -c 5000000 /dev/zero >zeros'
took=$((($(date +%s%N) - start) / 1000000))
if [ "$took" -ge 300 ]; then
	t_ok "link: 5 MB take their time"
else
	t_fail "link: 5 MB take their time" "$took ms"
fi
t_run 0 "link: full speed" "$dc" link c2 up --dir "$dir"
t_run 64 "link: nonsense refused" "$dc" link c2 fast --dir "$dir"

as alice srun -Q -w c1 touch /scratch/mark
t_run 0 "kill-node" "$dc" kill-node c1 --dir "$dir"
t_run 0 "kill-node: it is gone" t_until 90 node_is c1 DOWN
t_run 1 "status: says that something is wrong" "$dc" status --dir "$dir"
t_run 0 "start-node" "$dc" start-node c1 --dir "$dir"
t_run 0 "start-node: it is back" t_until 90 node_is c1 IDLE
t_run 0 "start-node: with an empty scratch" as alice srun -Q -w c1 \
	test ! -e /scratch/mark

t_run 0 "slurmctld killed" "$dc" kill-node ctl --dir "$dir"
t_run 0 "up repairs" "$dc" up --no-weft --dir "$dir"
t_run 0 "and jobs run" as bob srun -Q -N2 true

# A second cluster beside it.
t_run 0 "a second cluster" "$dc" up --no-weft --cpu-nodes 1 --gpu-nodes 0 \
	--dir "$dir.b"
t_is "the second has its own nodes" \
	"$("$dc" sh --dir "$dir.b" -- sinfo -h -N -o %N | xargs)" c1
t_run 0 "the second goes" "$dc" down --dir "$dir.b"
t_run 0 "the first stays" as alice srun -Q true

# A crash with a job on it: slurmctld killed, and the folder half gone.
as alice sh -c 'srun -N2 sleep 1000 >/dev/null 2>&1 &'
"$dc" kill-node ctl --dir "$dir" >/dev/null
rm -rf "${dir:?}/etc"
t_run 0 "down after a crash" "$dc" down --dir "$dir"
check_nothing_left "down after a crash"
t_run 0 "down twice" "$dc" down --dir "$dir"

# An up that is killed half way, early and late.
half_an_up() {
	"$dc" up --no-weft --dir "$dir" >/dev/null 2>&1 &
	up=$!
	t_run 0 "half an up, until $1" t_until 10 test -e "$dir/run/$1"
	kill -KILL "$up" 2>/dev/null
	wait "$up" 2>/dev/null
}
half_an_up ctl.init
t_run 0 "down after half an up" "$dc" down --dir "$dir"
check_nothing_left "down after half an up"
for at in ctl.ready login.ready c1.ready slurmd.c2.daemon; do
	half_an_up "$at"
	t_run 0 "up after half an up" "$dc" up --no-weft --dir "$dir"
	t_run 0 "down again" "$dc" down --dir "$dir"
done
t_done
