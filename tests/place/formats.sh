#!/bin/sh
# formats.sh - a placement in the words of others: JSON, srun's options.
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
t_is 'json: what is shared' "$(json sim 39 shared_cpus far)" 'True False'
t_is 'json: a step without a name' "$(bind laptop --format json | grep -c '"step": null')" 1
t_is 'json: memory from anywhere' "$(bind laptop --memory none --format json | grep -c '"numa": null')" 1
t_run 2 'no such format' "$WEFT" bind --format xml
t_done
