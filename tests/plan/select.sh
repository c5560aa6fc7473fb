#!/bin/bash
# select.sh - weft select: lines and scripts as they were agreed on, and taken by Slurm.
#
# tests/golden/select/NAME.expected is what is printed for the arguments below; UPDATE=1
# writes what is printed now.
# shellcheck source=tests/lib.sh disable=SC2046,SC2317
. "$(dirname "$0")/../lib.sh"
cd "$TOP" || exit 2
unset NO_COLOR SLURM_CONF SLURM_ARRAY_TASK_ID WEFT_MEMBER_INDEX WEFT_INPUT_FIELDS
export WEFT_CONF=/dev/null
dir=tests/golden/select file=tests/golden/select/heat.yaml

pick() { # ARG...: both streams with paths from the top, then the status if not 0
	"$WEFT" select --cluster tests/golden/plan/site.cluster.yaml "$@" >"$T_TMP/out" 2>&1 ||
		echo "exit status $?" >>"$T_TMP/out"
	# A checkout in a folder with a blank has its paths quoted.
	sed "s|'\\(--chdir=\\)\\{0,1\\}\\(${TOP}[^']*\\)'|\\1\\2|g; s|$TOP|TOP|g" "$T_TMP/out"
}
golden() { # NAME ARG...
	name=$1
	shift
	pick "$@" >"$T_TMP/got"
	if [ -n "${UPDATE-}" ]; then
		cp "$T_TMP/got" "$dir/$name.expected"
	elif cmp -s "$dir/$name.expected" "$T_TMP/got"; then
		t_ok "$name"
	else
		t_fail "$name" "$(diff -u "$dir/$name.expected" "$T_TMP/got")"
	fi
}
conf() { # a conf with a type of MPI
	{ echo 'mpi = pmi2' && cat $dir/site.conf; } >"$T_TMP/mpi.conf"
	echo "$T_TMP/mpi.conf"
}
mpi=$(conf)
golden line-sweep "$file" simulate
golden line-member "$file" simulate.3
golden line-torchrun --sbatch "$file" train
golden line-nodelist "$file" uneven
golden line-set --set steps.train.resources.nodes=3 "$file" train
golden line-srun --srun "$file" train
golden line-srun-mpi --srun --conf "$mpi" "$file" simulate
golden script-mpi --script --conf "$mpi" "$file" simulate.3
WEFT_INPUT_FIELDS=some/fields golden script-torchrun --script --conf $dir/site.conf "$file" train
golden script-single --script "$file" show
golden script-shell --script "$file" uneven
golden script-quoted --script "$file" blank
golden refused-blank "$file" blank
golden refused-glob "$file" glob
golden refused-step "$file" trian
golden refused-member "$file" simulate.6
golden refused-mpi --script "$file" simulate.3
golden refused-sweep --script --conf "$mpi" "$file" simulate
golden refused-input --script "$file" train
golden refused-run --script "$file" later
golden refused-files --script "$file" filled
t_run 2 "one kind of output" "$WEFT" select --srun --script "$file" train
t_run 2 "a file and a step" "$WEFT" select "$file"
t_run 4 "a workflow that can't be placed" "$WEFT" select --set steps.train.resources.nodes=99 \
	--cluster tests/golden/plan/site.cluster.yaml "$file" train
for f in "$dir"/script-*.expected; do
	t_run 0 "$(basename "$f" .expected) is bash" bash -n "$f"
done

# ---- on a real Slurm ---------------------------------------------------------------
t_cluster "weft select on Slurm" --cpu-nodes 2 --gpu-nodes 1

home=$DIR/home/alice
put() { # put NAME < text
	cat >"$home/$1"
	chown --reference="$home" "$home/$1"
}
put flow.yaml <<'Y'
name: flow
defaults: {resources: {time: 2m, mem: 100M}}
steps:
  - {name: two, run: "true", resources: {nodes: 2, ntasks: 6, cpus_per_task: 2, time: 3m, mem: 200M}}
  - {name: gpu, run: "true", launch: single, resources: {gpus: 2, time: 2m, mem: 100M}}
  - {name: sweep, run: "true", sweep: {i: [5, 6, 7]}, max_parallel: 2}
  - name: ranks
    setup: export GREETING=hello
    run: |
      echo "$GREETING ${{ vars.name }} $SLURM_PROCID of $SLURM_NTASKS on $(hostname) $WEFT_STEP"
      cat ${{ inputs.data }}
    inputs: [{from: ./data.txt, as: data}]
    slurm: {comment: "two words"}
    resources: {nodes: 2, ntasks: 3, time: 2m, mem: 100M}
  - name: one
    run: |
      $WEFT_LAUNCH sh -c 'echo task $SLURM_PROCID of $SLURM_NTASKS' > ${{ outputs.o }}
      false | true
    launch: single
    resources: {ntasks: 2, time: 2m, mem: 100M}
    outputs: {o: o.txt}
vars: {name: "it's"}
Y
echo some data | put data.txt
put job.sh <<'J'
#!/bin/sh
set -e
echo "$SLURM_JOB_NUM_NODES $SLURM_NTASKS $SLURM_CPUS_PER_TASK $SLURM_JOB_PARTITION $SLURM_MEM_PER_NODE"
echo "gpus ${SLURM_GPUS_ON_NODE-0} task ${SLURM_ARRAY_TASK_ID-none}"
J
# sbatch's own words: a job's output by the name of a step
size() {
	as alice sh -c "sbatch --wait --output=$1.out \$(weft select flow.yaml $1) job.sh" 2>&1
}
t_has "sbatch takes the line" "$(size two)" "Submitted batch job"
t_has "and the job is as planned" "$(cat "$home/two.out")" "2 6 2 cpu 200"
limit=$(as alice sh -c "sbatch --parsable --hold \$(weft select flow.yaml two) job.sh")
t_has "its time too" "$(as alice scontrol show job "$limit")" "TimeLimit=00:03:00"
as alice scancel "$limit"
size gpu >/dev/null
t_has "GPUs" "$(cat "$home/gpu.out")" "gpus 2"
as alice sh -c "sbatch --wait --output=sweep-%a.out \$(weft select flow.yaml sweep) job.sh" >/dev/null
t_is "a sweep is an array" "$(cat "$home"/sweep-[0-2].out | grep -c 'task [0-2]')" 3

script() { # STEP: how sbatch of its script ended, then what it printed
	as alice sh -c "weft select --script flow.yaml $1 >$1.sh && sbatch --wait --output=$1.log $1.sh"
	echo "status $?"
	cat "$home/$1.log"
}
out=$(script ranks)
t_has "a script of many tasks runs" "$out" "status 0"
t_is "as its tasks, with setup, values and environment" \
	"$(grep -c "^hello it's [0-2] of 3 on c[12] ranks\$" <<<"$out")" 3
t_is "and inputs" "$(grep -c '^some data$' <<<"$out")" 3
t_is "and leaves no file behind" "$(find "$home" -name 'ranks.[0-9]*.sh')" ""
out=$(script one)
t_has "a script of launch: single fails as the step would" "$out" "status 1"
t_is "having started its tasks" "$(sort "$home/o.txt" | tr '\n' ' ')" \
	"task 0 of 2 task 1 of 2 "
t_done
