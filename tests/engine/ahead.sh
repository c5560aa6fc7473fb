#!/bin/bash
# ahead.sh - in an allocation of two nodes: what the next members will read comes to their
# nodes while members run, by the nodes' agents and by srun; and they start there.
# shellcheck source=tests/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/../lib.sh"

t_cluster "inputs that come ahead" --cpu-nodes 2 --gpu-nodes 0
home=$DIR/home/alice
for k in 1 2 3 4; do head -c 300000 /dev/urandom >"$home/in.$k"; done
# wait-for, in program: until this node's cache has an input of $3; says on which node, and which.
cat >"$home/wait-for" <<'E'
n=0
until got=$(weft stage ls | grep -o "in\.[$3]"); do
	n=$((n + 1))
	[ $n -lt 300 ] || { weft stage ls; exit 9; }
	sleep 0.1
done
echo "$(hostname) $got" >>"$WEFT_RUN_DIR/ahead"
E
# program NUMBER LAST WHICH: those up to the last one wait, and the others for each other, lest
# a node be free so soon that it takes them both
cat >"$home/program" <<'E'
echo "$(hostname) in.$1" >>"$WEFT_RUN_DIR/ran"
cmp "$WEFT_INPUT_D" "$HOME/in.$1" || exit 8
[ "$1" -gt "$2" ] || . "$HOME/wait-for"
[ "$1" -le "$2" ] || for n in $(seq 300); do
	[ "$(wc -l <"$WEFT_RUN_DIR/ran")" -lt 4 ] || break
	sleep 0.1
done
E
# go NAME < STEPS: a run in a job of two nodes, to its end
go() {
	{
		cat <<E
#!/usr/bin/env weft
#SBATCH --partition=cpu --nodes=2 --ntasks-per-node=4 --mem=1G --time=10 --no-requeue
#SBATCH --output=$home/$1.out
name: $1
defaults: {resources: {time: 3m, mem: 10M}}
E
		cat
	} >"$home/$1.yaml"
	chown -R --reference="$home" "$home"
	run=$home/weft-runs/$1/1
	as alice sbatch -Q "$1.yaml"
	t_until 150 no_job "$1" || t_fail "$1 ends" "$(as alice squeue; as alice weft status "$1"; cat "$home/$1.out")"
	t_run 0 "$1: it goes well" as alice weft status "$1"
	[ "$t_got" -eq 0 ] || cat "$home/$1.out" "$run"/steps/m/*/stderr
}
no_job() { [ -z "$(as alice squeue -h -n "$1.yaml" 2>&1)" ]; }
staged() { # bytes that came to the nodes, of each member in order
	python3 - "$run" <<'E'
import glob, json, sys
r = [json.loads(l) for f in glob.glob(sys.argv[1] + "/records/**/*.jsonl", recursive=True) for l in open(f)]
print(*[x.get("staged_in", 0) for x in sorted(r, key=lambda x: x["index"])])
E
}

# The first two end once their node has what the next one there reads.
go agents <<'E'
steps:
  - name: m
    sweep: {k: [1, 2, 3, 4]}
    resources: {cpus_per_task: 4}
    inputs: [{from: "./in.${{ params.k }}", as: d, to: node}]
    run: sh ${{ workflow.dir }}/program ${{ params.k }} 2 34
E
t_is "each node has the input of one that waits" "$(cut -d ' ' -f 2 "$run/ahead" | sort | tr '\n' ' ')" "in.3 in.4 "
t_is "and there it runs" "$(grep 'in.[34]' "$run/ran" | sort)" "$(sort "$run/ahead")"
t_is "without bringing it again" "$(staged)" "300000 300000 0 0"

as alice sbatch -Q -J gc.yaml -N2 -pcpu -o none --wrap 'srun weft stage gc -q --all'
t_until 60 no_job gc
go steps <<'E'
steps:
  - name: m
    sweep: {k: [1, 2]}
    launch: srun
    resources: {nodes: 2, ntasks_per_node: 1, cpus_per_task: 4}
    inputs: [{from: "./in.${{ params.k }}", as: d, to: node}]
    command: [sh, "${{ workflow.dir }}/program", "${{ params.k }}", "1", "2"]
E
t_is "by srun, to all nodes of the next one" "$(cut -d ' ' -f 2 "$run/ahead" | tr '\n' ' ')" "in.2 in.2 "
t_is "which brings nothing again" "$(staged)" "600000 0"
t_is "no step of ours is left" "$(as alice squeue -h -s 2>&1)" ""
t_done
