#!/bin/bash
# command.sh - weft bind and weft topo on this machine: what is applied is what the
# kernel says.
. "$(dirname "$0")/../lib.sh"
cd "$T_TMP" || exit 2
M=$TOP/tests/golden/place
unset "${!SLURM@}" "${!OMPI@}" "${!OMP@}" WEFT_TICKET WEFT_BOUND LOCAL_RANK \
	LOCAL_WORLD_SIZE CUDA_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES
first=$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')
last=$(taskset -cp $$ | sed 's/.*[^0-9]\([0-9]*\)$/\1/')

affinity='grep Cpus_allowed_list /proc/self/status'
T_OUT=$("$WEFT" bind --allowed "$last" --report=rep -- sh -c "$affinity")
t_is 'the kernel has the CPU' "${T_OUT##*	}" "$last"
t_has 'the report says so' "$(cat rep)" "task 0: cpus $last numa"
t_has 'and that it was applied' "$(cat rep)" ' applied'
if [ "$first" != "$last" ]; then
	for i in 0 1; do
		LOCAL_RANK=$i LOCAL_WORLD_SIZE=2 "$WEFT" bind -- sh -c "$affinity"
	done >two
	t_is 'two tasks, no CPU twice' "$(sort -u two | wc -l)" 2
	SLURM_LOCALID=1 SLURM_NODEID=2 SLURM_STEP_TASKS_PER_NODE='1(x2),2' \
		"$WEFT" bind --report=three -- true
	t_has 'the place in a Slurm step' "$(cat three)" 'task 1: cpus '
	# A launcher that bound each task to one CPU: the step has them all.
	SLURM_LOCALID=1 SLURM_NODEID=0 SLURM_STEP_TASKS_PER_NODE=2 SLURM_CPU_BIND_TYPE=mask_cpu: \
		SLURM_CPU_BIND_LIST=0x$(printf %x $((1 << first))),0x$(printf %x $((1 << last))) \
		taskset -c "$first" "$WEFT" bind -- sh -c "$affinity" >four
	t_has 'what Slurm bound is placed anew' "$(cat four)" "$last"
else
	t_skip 'two tasks' 'one CPU only'
fi

t_run 0 'a borrowed topology is not applied' "$WEFT" bind --topology "$M/dgx-h100.model" \
	--tasks 8 --gpus-per-task 1 --task 5 --report -- sh -c "$affinity; env"
t_has 'and said so' "$T_OUT" 'gpu 0000:c3:00.0 not applied: borrowed topology'
t_has 'the environment has the GPU' "$T_OUT" 'CUDA_VISIBLE_DEVICES=5'
t_has 'and the threads' "$T_OUT" 'OMP_NUM_THREADS=14'
CUDA_VISIBLE_DEVICES=GPU-a,GPU-b,GPU-c,GPU-d,GPU-e,GPU-f,GPU-g,GPU-h t_run 0 \
	'what the launcher shows' "$WEFT" bind --topology "$M/dgx-h100.model" \
	--tasks 8 --gpus-per-task 1 --task 5 -- sh -c env
t_has 'is handed on' "$T_OUT" 'CUDA_VISIBLE_DEVICES=GPU-f'
OMP_NUM_THREADS=3 t_run 0 'the own value of the user' "$WEFT" bind --topology \
	"$M/laptop.model" -- sh -c env
t_has 'stays' "$T_OUT" 'OMP_NUM_THREADS=3'

t_run 0 'a failure to bind is a warning' "$WEFT" bind --topology ./nothing -- echo ran
t_has 'the command ran' "$T_OUT" 'ran'
t_has 'and it was said' "$T_OUT" 'weft: warning: not bound: '
t_run 0 'without its GPUs' "$WEFT" bind --gpus-per-task 9 --allowed "$last" --report -- \
	sh -c "$affinity"
t_has 'a task is warned' "$T_OUT" 'weft: warning: GPUs are not dealt out: '
t_has 'and its CPUs are placed' "$T_OUT" "cpus $last numa"
SLURM_LOCALID=1 SLURM_NODEID=0 SLURM_STEP_TASKS_PER_NODE=1 t_run 0 'a count that is told' \
	"$WEFT" bind --topology "$M/cpu-dual.model" --tasks 2 --report -- true
t_has "goes before an outer step's" "$T_OUT" 'task 1: cpus 24-47 numa 2,3'
t_run 4 'with --strict it is an error' "$WEFT" bind --strict --gpus-per-task 1 --tasks 2 \
	--topology "$M/laptop.model" -- echo ran
case $T_OUT in *ran*) t_fail 'nothing ran' "$T_OUT" ;; *) t_ok 'nothing ran' ;; esac
t_has 'with the reason' "$T_OUT" '2 tasks with 1 GPU each: only 1 GPU is usable'
WEFT_TICKET=junk t_run 0 'an altered ticket is a warning' "$WEFT" bind -- echo ran
t_has 'that names it' "$T_OUT" 'not bound: WEFT_TICKET is not a ticket'
cat >flow.yaml <<'END'
name: flow
steps:
  - name: sim
    run: "true"
    launch: srun
    resources: {ntasks: 4, cpus_per_task: 2, mem: 4G}
    place: {cpus: compact}
  - name: free
    run: "true"
    place: none
END
WEFT_TICKET=$("$WEFT" ticket flow.yaml sim | sed -n 's/^ticket *//p')
export WEFT_TICKET
t_has "the ticket has a task's memory" "$WEFT_TICKET" " mem=1024 "
t_run 0 'a ticket is followed' "$WEFT" bind --topology "$M/cpu-dual.model" --tasks 3 \
	--task 2 --report -- true
t_has 'for as many tasks as there are' "$T_OUT" 'task 2: cpus 4-5 numa 0'
WEFT_TICKET=$("$WEFT" ticket flow.yaml free | sed -n 's/^ticket *//p')
t_run 0 'place: none' "$WEFT" bind --report -- true
t_has 'is left alone' "$T_OUT" 'not applied: place: none'
unset WEFT_TICKET
WEFT_BOUND=1 t_run 0 'bound by the plug-in' "$WEFT" bind --report -- true
t_has 'is left so' "$T_OUT" 'not applied: the plug-in has bound this task'
t_run 3 "the command's own status" "$WEFT" bind -- sh -c 'exit 3'
t_run 127 'no such command' "$WEFT" bind -- ./nothing-here
t_run 2 'a field that is none' "$WEFT" bind --step ntasks=1,colour=red
t_run 2 'beside nobody' "$WEFT" bind --step name=a,beside=b
t_run 2 'a wrong list' "$WEFT" bind --allowed 3-1
t_run 0 'the table' "$WEFT" bind --topology "$M/cpu-dual.model" --tasks 60
t_has 'says what is shared' "$T_OUT" 'shares its CPU'

# ---- what was given, compared and kept off -----------------------------------
unset "${!SLURM@}" WEFT_PLACED
t_run 0 'verify: as planned' "$WEFT" bind --allowed "$last" -- "$WEFT" bind --verify
t_is 'verify: says so' "$T_OUT" 'as planned'
t_run 1 'verify: not placed' "$WEFT" bind --verify
t_has 'verify: not placed, said' "$T_OUT" 'not placed by weft'
t_run 1 'verify: GPUs hidden since' "$WEFT" bind --topology "$M/dgx-h100.model" --tasks 8 \
	--gpus-per-task 1 --task 5 -- env CUDA_VISIBLE_DEVICES=0 "$WEFT" bind --verify
t_is 'verify: which' "$T_OUT" 'CUDA_VISIBLE_DEVICES 0, planned 5'
t_run 0 'verify: borrowed' "$WEFT" bind --topology "$M/dgx-h100.model" --tasks 8 \
	--gpus-per-task 1 --task 5 -- "$WEFT" bind --verify
t_is 'verify: borrowed, said' "$T_OUT" 'as planned; not applied: borrowed topology'
t_run 0 'verify with a command' "$WEFT" bind --allowed "$last" --verify --report=v -- true
t_has 'verify: in the report' "$(cat v)" "cpus $last numa 0 applied, verified"
t_run 2 'verify of a request' "$WEFT" bind --verify --tasks 2
t_run 2 'verify and others' "$WEFT" bind --verify --others
t_run 2 'others of a file' "$WEFT" bind --others --topology "$M/dgx-h100.model"
WEFT_PLACED='1 by=x cpus=0-3' t_run 1 'verify: an altered note' "$WEFT" bind --verify
if [ "$first" != "$last" ]; then
	t_run 1 'verify: moved since' "$WEFT" bind --allowed "$last" -- taskset -c "$first" "$WEFT" bind --verify
	t_is 'verify: where to' "$T_OUT" "cpus $first, planned $last"
	# What the plug-in has placed is compared, not placed again.
	note=$("$WEFT" bind --allowed "$last" -- sh -c 'echo "$WEFT_PLACED"')
	SLURM_JOB_ID=7 SLURM_STEP_ID=1 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_STEP_TASKS_PER_NODE=1 \
		WEFT_PLACED=$(printf '%s\n' "$note" | sed 's/by=[^ ]*/by=7.1/') t_run 4 \
		'verify: not where the plug-in put it' taskset -c "$first" "$WEFT" bind --verify --strict -- true
	t_has 'verify: said' "$T_OUT" "not as it was placed: cpus $first, planned $last"
fi

# The engine's way: a file in the environment, not for what the command binds in turn.
WEFT_BIND_REPORT=$T_TMP/told "$WEFT" bind --verify --allowed "$last" -- "$WEFT" bind --allowed "$last" -- true
t_is 'report: told to the engine once' "$(cat told)" "task 0: cpus $last numa 0 applied, verified"
WEFT_BIND_REPORT=$T_TMP/other SLURM_NODEID=1 "$WEFT" bind --allowed "$last" -- true
t_run 1 'report: told to the engine from the first node alone' test -e other

# What the engine knows of this machine is taken; of another it isn't.
sed "s/^host .*/host $(hostname)/" "$M/laptop.model" >known
T_OUT=$(WEFT_BIND_TOPOLOGY=$PWD/known "$WEFT" bind --gpus-per-task 1 --allowed "$last" --report -- sh -c 'echo "${WEFT_BIND_TOPOLOGY-unset}"' 2>&1)
t_has 'a known topology is taken' "$T_OUT" "cpus $last numa 0 gpu 0000:01:00.0 applied"
t_has 'and not told on' "$T_OUT" 'unset'
T_OUT=$(WEFT_BIND_TOPOLOGY=$M/laptop.model "$WEFT" bind --gpus-per-task 1 --allowed "$last" --report -- true 2>&1)
t_has "another machine's is not" "$T_OUT" 'GPUs are not dealt out'

# A step that runs, as far as a process can tell.
step() { # STEP OPTIONS... -- COMMAND...
	step=$1
	shift
	SLURM_JOB_ID=77 SLURM_STEP_ID=$step "$WEFT" bind "$@"
}
mkfifo hold hold2
M8="--topology $M/dgx-h100.model --tasks 4"
# shellcheck disable=SC2086
step 0 $M8 --cpus-per-task 4 --gpus-per-task 1 --task 0 -- sh -c 'echo >up; read -r x <hold' &
holder=$!
t_until 10 test -s up
# Another node of a test cluster has this kernel, too.
WEFT_PLACED="1 by=77.5 host=elsewhere borrowed=0 memory=local cpus=50 numa=0 gpus= show= around= avoid=" \
	sh -c 'echo >up3; read -r x <hold2' &
t_until 10 test -s up3
T_OUT=$(step 1 --others)
echo >hold2
t_is 'others: what a running step has' "$T_OUT" 'cpus=0-1,112-113
gpus=0000:1b:00.0'
t_is 'others: not those of another job' "$(SLURM_JOB_ID=7 SLURM_STEP_ID=1 "$WEFT" bind --others)" 'cpus=
gpus='
t_is 'others: not our own' "$(step 0 --others)" 'cpus=
gpus='
T_OUT=$(SLURM_LOCALID=0 step 1 $M8 --cpus-per-task 4 --gpus-per-task 1 --task 0 --report -- true 2>&1)
t_has 'around: a second step' "$T_OUT" 'task 0: cpus 2-3,114-115 numa 0 gpu 0000:43:00.0'
T_OUT=$(SLURM_LOCALID=0 step 1 --topology "$M/dgx-h100.model" --tasks 8 --gpus-per-task 1 --task 0 --report -- true 2>&1)
t_has 'around: GPUs are shared where they are too few' "$T_OUT" 'gpu 0000:1b:00.0'
T_OUT=$(SLURM_LOCALID=0 step 1 $M8 --cpus-per-task 4 --task 0 --allowed 0-7 --report -- true 2>&1)
t_has 'around: not where CPUs are named' "$T_OUT" 'task 0: cpus 0-1 numa'
T_OUT=$("$WEFT" bind $M8 --cpus-per-task 4 --task 0 --report -- true 2>&1)
t_has 'around: not outside Slurm' "$T_OUT" 'task 0: cpus 0-1,112-113 numa'
T_OUT=$("$WEFT" bind $M8 --cpus-per-task 4 --task 0 --around --report -- true 2>&1)
t_has 'around: unless asked for' "$T_OUT" 'task 0: cpus 2-3,114-115 numa'
# Tasks of one step agree, though the other ends meanwhile.
# shellcheck disable=SC2086
SLURM_LOCALID=0 step 1 $M8 --cpus-per-task 4 --task 1 --report=one -- sh -c 'echo >up2; read -r x <hold2' &
t_until 10 test -s up2
echo >hold
wait "$holder"
T_OUT=$(SLURM_LOCALID=0 step 1 $M8 --cpus-per-task 4 --task 0 --report -- true 2>&1)
t_has 'around: tasks of a step agree' "$T_OUT" 'task 0: cpus 2-3,114-115 numa'
echo >hold2
wait

t_run 0 'topo dump' "$WEFT" topo dump
printf '%s\n' "$T_OUT" >dump
t_run 0 'topo --from it' "$WEFT" topo dump --from dump
t_is 'is the same' "$T_OUT" "$(cat dump)"
t_run 0 'topo --xml' "$WEFT" topo show --xml "$TOP/tests/golden/topo/gpus-vendor.xml"
t_has 'has the GPUs' "$T_OUT" '0000:81:00.0 nvml2'
printf 'junk' >junk
t_run 4 'not a topology' "$WEFT" topo show --xml junk
t_run 2 'no such word' "$WEFT" topo shwo
if [ "$(id -u)" -eq 0 ]; then
	d=/run/weft-test.$$
	t_run 0 'topo cache' "$WEFT" topo cache --dir "$d"
	t_is 'is for root to write' "$(stat -c '%u %a' "$d/topology")" '0 644'
	t_has 'is its own' "$(cat "$d/topology")" 'borrowed 0'
	t_run 0 'of another machine' "$WEFT" topo cache --dir "$d" --from "$M/frontier.model"
	t_has 'is marked' "$(cat "$d/topology")" 'borrowed 1'
	rm -r "$d"
	chmod 777 "$T_TMP"
	t_run 2 'a folder that others can write in' "$WEFT" topo cache --dir "$T_TMP/c"
else
	t_run 2 'only root writes the cache' "$WEFT" topo cache --dir "$T_TMP/c"
fi
t_done
