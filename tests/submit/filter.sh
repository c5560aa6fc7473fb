#!/bin/bash
# filter - cli_filter.lua on a real, private Slurm: sbatch and salloc size a job by its
# step, as `weft select` says, with nothing in slurmctld
# shellcheck source=tests/lib.sh
# shellcheck disable=SC2015,SC2016 # checks never fail; the nodes expand
. "$(dirname "$0")/../lib.sh"

t_cluster "cli_filter.lua" --cpu-nodes 3 --gpu-nodes 2 --hook cli_filter

as() { # COMMAND...: as alice on the login host; $OUT, $ERR, $STATUS
	timeout 120 "$TOP/contrib/devcluster/devcluster" sh --dir "$DIR" -- "$@" >"$T_TMP/out" 2>"$T_TMP/err" </dev/null &&
		STATUS=0 || STATUS=$?
	OUT=$(cat "$T_TMP/out") ERR=$(cat "$T_TMP/err")
}
put() { # FILE: from standard input
	cat >"$DIR/home/alice/$1"
	chown --reference="$DIR/home/alice" "$DIR/home/alice/$1"
	chmod 755 "$DIR/home/alice/$1"
}
put heat.yaml <<'END'
name: heat
steps:
  - {name: cpu, run: "true", role: simulation, resources: {ntasks: 4, time: 5m}}
  - name: gpu
    run: "true"
    role: training
    resources: {gpus: 2, gpu_type: a100, cpus_per_task: 2, mem: 1G, time: 7m}
  - name: two
    run: "true"
    resources: {nodes: 2, ntasks_per_node: 3, time: 1h, constraint: cpu, exclusive: true, exclude: "c[3]"}
  - {name: sweep, run: "true", sweep: {replicas: 5}, resources: {ntasks: 2}, max_parallel: 2}
  - {name: torch, run: "true", launch: torchrun, resources: {nodes: 2, gpus_per_node: 2, cpus_per_task: 3}}
END
put job.sh <<'END'
#!/bin/bash
true
END
W=--weft=heat.yaml

submit() { # OPTIONS...: held; $JOB is its description on one line
	as sbatch -H "$@" -o /dev/null job.sh
	[ "$STATUS" -eq 0 ] || { JOB="sbatch failed: $ERR" && return; }
	show "${OUT##* }"
}
show() { # JOB
	said=$ERR
	as scontrol show job -o "$1"
	JOB=$OUT
	ERR=$said
}
field() { # NAME
	sed -n "s|.* $1=\([^ ]*\).*|\1|p" <<<" $JOB" | head -n 1
}
fields() { # NAME...
	for f in "$@"; do printf '%s=%s ' "$f" "$(field "$f")"; done
}
same_form() {
	sed -E 's/(Array)?JobId=[0-9_]+//g; s/(Submit|Eligible|Accrue|Start|End|Deadline|PreemptEligible)Time=[^ ]*//g;
		s/LastSchedEval=[^ ]*//; s/Priority=[0-9]+//; s/SuspendTime.*Reason/Reason/' <<<"$JOB"
}

for s in cpu gpu two sweep torch; do
	submit $W --weft-step=$s
	got=$(same_form)
	t_has "$s: what was filled is told" "$ERR" "weft: step $s: "
	as sh -c "sbatch -H \$(weft select heat.yaml $s) -o /dev/null job.sh"
	show "${OUT##* }"
	t_is "$s: the job is as if its options had been typed" "$got" "$(same_form)"
done
kept() { # NAME STEP "OPTIONS" FIELD WANT
	# shellcheck disable=SC2086 # several options
	submit $W --weft-step="$2" $3
	t_is "$1 typed: holds" "$(field "$4")" "$5"
}
kept nodes cpu -N3 NumNodes 3-3
kept ntasks cpu -n7 NumTasks 7
kept cpus cpu -c3 CPUs/Task 3
kept ntasks_per_node cpu --ntasks-per-node=2 NtasksPerN:B:S:C '2:0:*:*'
kept gpus gpu --gpus=1 TresPerJob gres:gpu:1
t_is 'gpus typed: none is added' "$(field TresPerNode)" ''
kept gpus_per_task gpu '-n1 --gpus-per-task=1' TresPerTask gres:gpu:1
kept gres gpu --gres=gpu:1 TresPerNode gres:gpu:1
kept mem gpu --mem=200M MinMemoryNode 200M
kept mem_per_cpu gpu --mem-per-cpu=70M MinMemoryCPU 70M
kept time cpu -t9 TimeLimit 00:09:00
kept partition cpu -pgpu Partition gpu
kept constraint two -Cgpu Features gpu
kept nodelist cpu -wc2 ReqNodeList c2
kept array sweep -a7 ArrayTaskId 7
kept comment cpu '--comment="time":"x\",{[' TimeLimit 00:05:00
submit $W --weft-step=two -n4
t_is 'ntasks typed: the nodes that the file names hold' "$(fields NumNodes NumTasks)" 'NumNodes=2-2 NumTasks=4 '
put sized.sh <<'END'
#!/bin/bash
#SBATCH --ntasks=3 --time=7
true
END
as sbatch -H $W --weft-step=cpu sized.sh
show "${OUT##* }"
t_is '#SBATCH lines hold' "$(fields NumTasks TimeLimit)" 'NumTasks=3 TimeLimit=00:07:00 '

as sbatch -H $W --weft-step=nosuch job.sh
t_is 'no such step: nothing is submitted' "$STATUS ${OUT:-none}" '1 none'
t_has 'no such step: said' "$ERR" "no step 'nosuch'"
as touch "it's.yaml"
as cp heat.yaml "it's; touch gone.yaml"
as sbatch -H "--weft=it's; touch gone.yaml" --weft-step=cpu job.sh
show "${OUT##* }"
t_is 'an odd name of a file' "$(fields NumTasks)$(find "$DIR/home/alice" -name 'gone*')" 'NumTasks=4 '
submit -n2
t_is 'without a step nothing is told' "$(fields NumTasks TimeLimit)$ERR" 'NumTasks=2 TimeLimit=00:30:00 '

as salloc $W --weft-step=two sh -c 'scontrol show job -o $SLURM_JOB_ID; echo "tasks $SLURM_NTASKS"'
JOB=$OUT
t_is 'salloc' "$(fields NumNodes NumTasks TimeLimit Features)" 'NumNodes=2 NumTasks=6 TimeLimit=01:00:00 Features=cpu '
t_has 'salloc: its command knows' "$OUT" 'tasks 6'

parts() { # JOB: of each component of a het job
	as scontrol show job -o "$1"
	while read -r JOB; do fields HetJobOffset Partition NumNodes NumTasks TimeLimit | sed 's/ $/\n/'; done <<<"$OUT"
}
want='HetJobOffset=0 Partition=cpu NumNodes=1-1 NumTasks=4 TimeLimit=00:05:00
HetJobOffset=1 Partition=gpu NumNodes=1-1 NumTasks=1 TimeLimit=00:07:00'
as sbatch -H $W --weft-step=cpu : --weft-step=gpu job.sh
t_is 'het: each component by its own step' "$(parts "${OUT##* }")" "$want"
put het.sh <<'END'
#!/bin/bash
#SBATCH --weft=heat.yaml --weft-step=cpu
#SBATCH hetjob
#SBATCH --weft-step=gpu
true
END
as sbatch -H het.sh
t_is 'het: in the script' "$(parts "${OUT##* }")" "$want"
as sbatch -H $W --weft-step=gpu : -n3 job.sh
got=$(parts "${OUT##* }" | sed -n 2p)
t_has 'het: a component without a step' "$got" 'Partition=cpu NumNodes=1 NumTasks=3'
as scancel -u alice
t_done
