#!/bin/sh
# memory - what an srun of its own asks for a step with files in its node's memory
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

unset SLURM_JOB_ID WEFT_RUN_DIR WEFT_FILE
cd "$T_TMP" || exit 1
truncate -s 3M big
cat >cluster.yaml <<'END'
select_by_memory: true
partitions:
- {name: cpu, default: true, nodes: 'c[1-2]'}
nodes:
- {nodes: 'c[1-2]', cpus: 8, mem: 16G}
END
cat >flow.yaml <<'END'
name: flow
steps:
  - {name: plain, run: x, resources: {mem: 1G, time: 5m}}
  - {name: made, run: x, scratch: memory, outputs: {o: o}, resources: {mem: 1G, tmp: 200M, time: 5m}}
  - name: read
    run: x
    inputs: [{from: ./big, as: big, to: memory}]
    resources: {ntasks: 4, cpus_per_task: 2, nodes: 2, mem_per_cpu: 100M, time: 5m}
  - {name: open, run: x, scratch: memory, outputs: {o: o}, resources: {tmp: 200M, time: 5m}}
END
mem() { # STEP
	"$WEFT" ticket --sizes flow.yaml "$1" | sed -n 's/^size *SLURM_MEM/MEM/p' | tr '\n' ' '
}
planned() { # STEP
	"$WEFT" select --cluster cluster.yaml flow.yaml "$1" 2>/dev/null | tr ' ' '\n' | sed -n 's/^--mem=\(.*\)M$/MEM_PER_NODE=\1 /p' | tr -d '\n'
}

t_is 'no files there' "$(mem plain)" 'MEM_PER_NODE=1024 '
t_is 'what it makes there, with tmp' "$(mem made)" 'MEM_PER_NODE=1224 '
t_is 'as the plan has it' "$(planned made)" "$(mem made)"
t_is 'an input, with memory a CPU' "$(mem read)" 'MEM_PER_NODE=403 '
t_is 'as the plan has it, too' "$(planned read)" "$(mem read)"
t_is 'in a job it is as it is' "$(SLURM_JOB_ID=1 mem made)" 'MEM_PER_NODE=1024 '
t_has "no number to add it to: it is said" "$("$WEFT" ticket --sizes flow.yaml open)" \
	"step open: 200M of files are to be in its node's memory"
t_is 'tmp is no disk there' "$("$WEFT" ticket --sizes flow.yaml made | grep -c 'not taken')" 0
t_done
