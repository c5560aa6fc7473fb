#!/bin/sh
# formats.sh - a placement in the words of others: JSON, srun's options; its
# score and its reasons.
. "$(dirname "$0")/../lib.sh"
M=$TOP/tests/golden/place

# bind MODEL OPTIONS...
bind() {
	model=$1
	shift
	"$WEFT" bind --topology "$M/$model.model" "$@"
}

t_is 'srun: a mask a task' "$(bind odd-gpus --tasks 2 --format srun)" \
	'--ntasks-per-node=2 --cpu-bind=mask_cpu:0xff00ff,0xff00ff00'
t_is 'more than 64 CPUs' "$(bind gh200x4 --tasks 4 --gpus-per-task 1 --format srun | cut -d, -f2)" \
	0xffffffffffffffffff000000000000000000
t_is 'a line a step' "$(bind odd-gpus --format srun \
	--step ntasks=1,cpus_per_task=2 --step ntasks=2,cpus_per_task=1)" \
	'--ntasks-per-node=1 --cpu-bind=mask_cpu:0x10001
--ntasks-per-node=2 --cpu-bind=mask_cpu:0x20002,0x1000100'

bind odd-gpus --format json --step name=infer,ntasks=4,gpus_per_task=1 \
	--step name=sim,ntasks=40,cpus_per_task=1,beside=infer >"$T_TMP/json"
# Members of the tasks of a step, told in one line.
json() {
	python3 -c 'import json, sys
for t in json.load(open(sys.argv[1]))["tasks"]:
    if t["step"] == sys.argv[2] and str(t["task"]) == sys.argv[3]:
        print(*(t[k] for k in sys.argv[4:]))' "$T_TMP/json" "$@"
}
t_is 'json: a GPU task' "$(json infer 3 gpus nics numa)" "['0000:ca:00.0'] ['0000:18:00.0'] [1]"
t_is 'json: CPUs as a list' "$(bind odd-gpus --tasks 2 --format json | grep '"cpus"')" \
	'   "cpus": "0-7,16-23",
   "cpus": "8-15,24-31",'
t_is 'json: what is shared' "$(json infer 3 shared_cpus far)" 'True False'
t_is 'json: no more than must be' "$(grep -c '"shared_cpus": true' "$T_TMP/json")" 24
t_is 'json: a step without a name' "$(bind laptop --format json | grep -c '"step": null')" 1
t_is 'json: memory from anywhere' "$(bind laptop --memory none --format json | grep -c '"numa": null')" 1
# Cores 6, 6 and 9: (6 + 6 + 9)^2 / (3 * (36 + 36 + 81)).
T_OUT=$(bind cpu-dual --tasks 3 --allowed 0-20 --score)
t_has 'score: evenness' "$T_OUT" '-     3 of 3  -         -         0.961  -'
t_has 'score: of the allowed cores' "$T_OUT" '0 of 21 cores idle, 0 CPUs shared by tasks'
# One of the GPUs is at the other socket.
T_OUT=$(bind odd-gpus --tasks 8 --gpus all --allowed 8-15,24-31 --score)
t_has 'score: a task far from its GPU' "$T_OUT" '-     7 of 8  8 of 8    8 of 8    1.000  -'
T_OUT=$(bind odd-gpus --step name=infer,ntasks=4,gpus_per_task=1,cpus_per_task=2 \
	--step name=sim,ntasks=8,cpus_per_task=2,beside=infer --score)
t_has 'score: edges' "$T_OUT" 'sim    8 of 8  -         -         1.000  7 of 8'
t_has 'score: idle' "$T_OUT" '4 of 16 cores idle'
T_OUT=$(bind odd-gpus --tasks 36 --score --format json | tail -n 4 | tr -d ' \n')
t_is 'score: json' "$T_OUT" '"idle_cores":0,"shared_cpus":4}}'

why='task 7: GPU 0000:ca:00.0 is near NUMA node 1; 4 CPUs of 2 cores in NUMA node 1; NIC mlx5_0 is far from the GPU'
t_has 'explain: a GPU and a NIC' "$(bind odd-gpus --tasks 8 --gpus all --explain)" "$why"
t_is 'explain: in json' "$(bind odd-gpus --tasks 8 --gpus all --explain --format json |
	sed -n 's/.*"why": "\(.*\)"/task 7: \1/p' | tail -n 1)" "$why"
t_has 'explain: what is far' "$(bind odd-gpus --tasks 8 --gpus all --allowed 8-15,24-31 --explain)" \
	'task 0: GPU 0000:17:00.0 is near NUMA node 0; 2 CPUs of 1 core in NUMA node 1, 2 of them far: too few near the GPU; NIC mlx5_0 is behind'
T_OUT=$(bind dgx-a100 --step name=infer,ntasks=8,gpus_per_task=1 \
	--step name=sim,ntasks=6,cpus_per_task=16,beside=infer --explain)
t_has 'explain: a partner beside it' "$T_OUT" \
	'sim 0: 16 CPUs of 8 cores in NUMA node 1; infer 0, with which it exchanges data, is there, too; NIC mlx5_2 is in its NUMA node'
t_has 'explain: a partner elsewhere' "$T_OUT" \
	'sim 1: 16 CPUs of 8 cores in NUMA node 0; infer 1, with which it exchanges data, is in NUMA node 1; NIC mlx5_0 is at its socket'
t_has 'explain: fewer CPUs' "$(bind cpu-dual --tasks 6 --cpus-per-task 12 --explain)" \
	'fewer than the 12 asked for: there are no more'
t_has 'explain: shared CPUs' "$(bind laptop --tasks 20 --explain)" 'shared: more tasks than CPUs'
T_OUT=$(bind frontier --talk sim:infer=32M --talk viz:infer=1M --step name=infer,ntasks=8,gpus_per_task=1,cpus_per_task=2 \
	--step name=viz,ntasks=8,cpus_per_task=2 --step name=sim,ntasks=16,cpus_per_task=4 --explain --score)
t_has 'talk: who exchanges most is beside its partner' "$T_OUT" \
	'sim 15: 4 CPUs of 2 cores in NUMA node 3; infer 7, with which it exchanges 2M, is there, too'
t_has 'talk: all of it' "$T_OUT" 'sim    16 of 16  -         -         1.000  16 of 16'
T_OUT=$(bind cpu-dual --step name=a,ntasks=2,cpus_per_task=2 --step name=b,ntasks=4,cpus_per_task=2 \
	--talk a:b=8K --score --format json | sed -n 's/.*"\(edges_inside\|bytes\)": \([0-9.]*\).*/\2/p' | tr '\n' ' ')
t_is 'talk: of the step with more tasks' "$T_OUT" '0 0.0 4 8192.0 '
T_OUT=$(bind dgx-a100 --tasks 1 --gpus-per-task 1 --mem-per-task 200G --explain)
t_has 'memory: what spills is said' "$T_OUT" 'memory of other nodes, too'
t_has 'memory: and where it lies' "$T_OUT" \
	'; 200G of memory from NUMA nodes 1,0,2,3: too little is left near its CPUs'
t_run 4 'memory: more than there is' "$WEFT" bind --topology "$M/dgx-a100.model" --mem-per-task 2T
t_has 'memory: it says so' "$T_OUT" 'the tasks need 2T of memory, this node has '
t_is 'GPUs by number' "$(bind dgx-a100 --tasks 4 --gpus 2 --format map | sed 's/.*gpus=\([^ ]*\).*/\1/' | tr '\n' ' ')" \
	'0000:47:00.0 0000:47:00.0 0000:b7:00.0 0000:b7:00.0 '
for talk in sim infer:sim sim:infer=x sim:sim=1 sim:none=1; do
	t_run 2 "no --talk: $talk" "$WEFT" bind --step name=sim --step name=infer --talk "$talk"
done
t_run 2 'explain of srun options' "$WEFT" bind --explain --format srun
t_run 2 'score of a map' "$WEFT" bind --score --format map
t_run 2 'score of a command' "$WEFT" bind --score -- true
t_run 2 'no such format' "$WEFT" bind --format xml
t_done
