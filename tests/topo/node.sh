#!/bin/bash
# node.sh - `weft bind --node`: another node's topology by srun, in a job and without one,
# and what is said where it can't be had.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# Without Slurm at all.
t_run 6 'without Slurm' env SLURM_CONF=/nonexistent "$WEFT" bind --node elsewhere --tasks 2
t_has 'what to do then' "$T_OUT" '--topology FILE'
t_run 0 'this host needs no Slurm' env SLURM_CONF=/nonexistent "$WEFT" bind --node "$(hostname)"
t_run 2 'not for a command' "$WEFT" bind --node "$(hostname)" -- true
t_run 2 'no name' "$WEFT" bind --node=-x
t_run 2 'no list of nodes' "$WEFT" bind --node 'c[1-2]'
t_run 2 'or a file' "$WEFT" bind --node x --topology y

dc=$TOP/contrib/devcluster/devcluster
dir=/var/tmp/weft-nodetest.$$
if [ "$(id -u)" -ne 0 ] || ! command -v slurmctld >/dev/null; then
	t_skip 'other nodes' 'needs root and Slurm'
	t_done
fi
t_need_hosts 'other nodes'
trap '"$dc" down -q --dir "$dir" >/dev/null; rm -rf "$T_TMP"' EXIT
t_run 0 'a cluster' "$dc" up -q --dir "$dir" --cpu-nodes 2 --gpu-nodes 1 --build "$BUILD" \
	--boot "$TOP/contrib/devcluster/borrowed-topology"
as() { # as USER COMMAND...
	local user=$1
	shift
	timeout 120 "$dc" sh --dir "$dir" --user "$user" -- "$@"
}
map='T 0 threads=8 cpus=0-7 gpus=0000:01:00.0 nics=0000:02:00.0
T 1 threads=8 cpus=8-15 gpus=0000:81:00.0 nics=0000:82:00.0'
t_run 0 'from the login host: a job' as alice weft bind --node g1 --tasks 2 --gpus-per-task 1 --format map
t_is 'as the node is' "$T_OUT" "$map"
as alice weft topo dump --node g1 >"$T_TMP/g1"
t_is 'saved, and used without Slurm' "$("$WEFT" bind --topology "$T_TMP/g1" --tasks 2 --gpus-per-task 1 --format map)" "$map"
t_has 'topo show' "$(as alice weft topo --node g1)" 'two-packages: 2 packages, 16 cores, 16 hardware threads, 2 GPUs (g1)'
t_is 'with what is reserved' "$(as alice weft bind --node c1 --tasks 2 --reserve package:1 --format map |
	sed 's/.*cpus=\([^ ]*\).*/\1/' | paste -sd' ')" '1-7 9-15'
t_run 0 'in a job: a step beside the others' as alice salloc -Q -p gpu -w g1 -n 16 --gres=gpu:2 \
	srun -n 1 -c 16 --gres=gpu:2 weft bind --node g1 --tasks 2 --gpus-per-task 1 --format map
t_is 'the same' "$T_OUT" "$map"
t_run 0 'of a job from the login host' as alice salloc -Q -p gpu -w g1 -n 16 --gres=gpu:2 \
	weft bind --node g1 --tasks 2 --gpus-per-task 1 --format map
t_is 'the same again' "$T_OUT" "$map"
t_run 6 'no such node' as alice weft bind --node g9
t_has 'is said' "$T_OUT" 'Slurm has no node g9'
as root scontrol update nodename=c2 state=drain reason='a fan'
t_run 6 'a node that is down' as alice weft bind --node c2
t_has 'is said with the reason' "$T_OUT" 'node c2 is down: '
as alice sbatch -Q -p gpu -w g1 -n 16 -c 1 --mem=0 --exclusive --wrap 'sleep 300' >/dev/null
t_until 30 sh -c "[ \"\$('$dc' sh --dir '$dir' --user alice -- squeue -h -t R -o x)\" = x ]"
t_run 6 'a node that is full' as alice weft bind --node g1
t_has 'is said after a while' "$T_OUT" 'node g1 has no free CPU, and was waited for 15 s'
as alice scancel -u alice

# Cores that Slurm itself keeps for the system.
sed -i 's/^\(NodeName=c1 .*\)$/\1 CoreSpecCount=2/' "$dir/etc/slurm.conf"
for host in ctl c1; do
	"$dc" kill-node -q --dir "$dir" $host && "$dc" start-node -q --dir "$dir" $host
done >/dev/null
# idle NODE: it can be given a job.
idle() { [ "$(as alice sinfo -h -n "$1" -o %T)" = idle ]; }
t_until 60 idle c1 || t_fail 'the node with kept cores is up'
kept=$(as alice scontrol show node c1 | sed -n 's/.*CPUSpecList=\([0-9,]*\).*/\1/p')
t_is 'Slurm keeps' "$kept" 7,15
cpus_of() { as alice weft bind --tasks 2 --format map "$@" | sed 's/.*cpus=\([^ ]*\).*/\1/' | paste -sd' '; }
t_is 'and --node, too' "$(cpus_of --node c1)" '0-6 8-14'
t_is 'also with what is reserved' "$(cpus_of --node c1 --reserve package:1)" '1-6 9-14'
as alice weft topo dump --node c1 >"$dir/home/alice/c1"
t_is 'as last:2 says' "$(cpus_of --topology c1 --reserve last:2)" '0-6 8-14'
t_is 'the plug-in gives them to no task' "$(as alice srun -w c1 --exclusive -n 2 -c 7 --weft-bind=auto \
	sh -c 'echo "$WEFT_PLACED"' | sed 's/.*cpus=\([^ ]*\).*/\1/' | sort | paste -sd' ')" '0-6 8-14'
t_done
