#!/bin/bash
# slurm.sh - data on the nodes of a real Slurm: weft exec with scratch
# shellcheck source=tests/lib.sh
# shellcheck disable=SC2016,SC2317 # the nodes expand
. "$(dirname "$0")/../lib.sh"

t_cluster "staging under Slurm" --cpu-nodes 2 --gpu-nodes 0

home=$DIR/home/alice
put() { # put NAME < text
	cat >"$home/$1"
	chown --reference="$home" "$home/$1"
}

# ---- weft exec
put exec.yaml <<'E'
name: exec
steps:
  - name: made
    run: "true"
    scratch: node
    inputs: [{from: ./exec.yaml, as: self, to: memory}]
    outputs: {o: made/o.txt}
    resources: {nodes: 2, ntasks: 2, time: 2m, mem: 100M}
E
put exec.sh <<'E'
#!/bin/sh
#SBATCH --nodes=2 --ntasks=2 --mem=200M --time=2 --output=exec.out
weft exec --file exec.yaml made -- sh -c '
	[ "$SLURM_PROCID" != 0 ] || { echo "$WEFT_INPUT_SELF $WEFT_OUTPUT_O"; cat "$WEFT_INPUT_SELF" >"$WEFT_OUTPUT_O"; }'
echo "status $?"
E
as alice sbatch -Q exec.sh
idle() { [ -z "$(as alice squeue -h)" ]; }
t_until 60 idle || t_fail "the job ends" "$(as alice squeue)"
t_has "weft exec in a job: an input in memory" "$(cat "$home/exec.out")" "/dev/shm/weft/"
t_has "an output on the node" "$(cat "$home/exec.out")" " /scratch/weft/"
t_has "all is well" "$(cat "$home/exec.out")" "status 0"
t_run 0 "and it is where it is to be" cmp "$home/exec.yaml" "$home/made/o.txt"
t_done
