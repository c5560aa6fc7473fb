#!/bin/bash
# The slurm room and `weft cluster` on a private cluster: the snapshot says what
# there is, jobs are listed with their arrays, cancelled whole, refusals are told.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
# shellcheck disable=SC2317 # called by t_until
. "$(dirname "$0")/../lib.sh"

t_cluster "a cluster" --cpu-nodes 3 --gpu-nodes 1
# Ordinary users may not look into the checkout.
tools=$DIR/tools
mkdir "$tools" && cp "$WEFT" "$BUILD/tests/slurm_room" "$tools"
chmod 755 "$tools" "$tools"/*

as() { # as USER COMMAND...
	local user=$1
	shift
	timeout 60 "$TOP/contrib/devcluster/devcluster" sh --dir "$DIR" --user "$user" -- "$@"
}
room() { as alice "$tools/slurm_room" "$@"; }
script() { printf '#!/bin/sh\n%s\n' "$1"; }

t_run 0 "the table" as alice "$tools/weft" cluster
t_has "the default partition" "$T_OUT" "cpu*"
t_has "GPUs by type" "$T_OUT" "a100 2/2"
t_has "CPUs" "$T_OUT" "48/48"

t_run 0 "a snapshot is saved" as alice "$tools/weft" cluster --save snap.yaml
snap=$(cat "$DIR/home/alice/snap.yaml")
t_has "alike nodes share an entry" "$snap" "  - nodes: c[1-3]"
t_has "GRES" "$snap" "gpus: {a100: 2}"
t_run 0 "it is read back" "$WEFT" cluster --cluster "$DIR/home/alice/snap.yaml" --save -
t_is "to the same bytes" "$T_OUT" "$snap"
t_run 0 "JSON" as alice "$tools/weft" cluster --json
t_is "is JSON" "$(python3 -c 'import json, sys
d = json.load(sys.stdin)
print([p["name"] for p in d["partitions"]], len(d["nodes"]))' <<<"$T_OUT")" "['cpu', 'gpu'] 4"

# What runs is seen as used.
job=$(script 'sleep 60' | room submit -p gpu -c 4 --mem=1000 --gpus=1)
running() { room jobs | grep -q "^$1 .*RUNNING"; }
t_run 0 "a job runs" t_until 20 running "$job"
t_run 0 "the table with a job" as alice "$tools/weft" cluster
t_has "a GPU in use" "$T_OUT" "a100 1/2"
t_has "CPUs in use" "$T_OUT" "12/16"
t_run 0 "the snapshot with a job" as alice "$tools/weft" cluster --save -
t_has "used GPU" "$T_OUT" "gpus_used: {a100: 1}"
t_has "used memory" "$T_OUT" "mem_used: 1000M"
t_has "mixed" "$T_OUT" "state: mixed"
# When it will be free: the partition's half an hour, and five minutes.
t_has "free at some time" "$T_OUT" "{after: 00:30:00, cpus: 4, mem: 1000M, gpus: {a100: 1}}"

# Arrays: running tasks by themselves, the others as one expression, uncut.
list=1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31,33,35,37,39,41,43,45,47,49,52,55
array=$(script 'sleep 60' | room submit --array="1,2,$list%1" --exclusive -w c1)
t_until 20 running "$array" || t_fail "an array runs" "$(room jobs)"
pending=$(room jobs | awk -v id="$array" '$1 == id && $3 == "PENDING" { print $4 }')
t_is "pending tasks" "$pending" "2-3,${list#1,3,}"
t_is "a running task" "$(room jobs | awk -v id="$array" '$1 == id && $3 == "RUNNING" { print $2, $5 }')" "1 c1"
t_is "bob sees no job of alice" "$(as bob "$tools/slurm_room" jobs)" ""

# A job of somebody else on two nodes, of unlike shares: each gives back what it has.
soon=$(script 'sleep 60' | as bob "$tools/slurm_room" submit -N 2 -n 5 --mem=300 --time=5 -w "c[2-3]")
runs() { as bob "$tools/slurm_room" jobs | grep -q "^$soon .*RUNNING"; }
t_run 0 "a job of somebody else" t_until 20 runs
t_run 0 "the snapshot with it" as alice "$tools/weft" cluster --save soon.yaml
snap=$(cat "$DIR/home/alice/soon.yaml")
t_is "all that is in use there, in five minutes" "$(awk '/- nodes: c3/ { on = 1; next } /- nodes:/ { on = 0 }
	on && /cpus_used:/ { used = $2 }
	on && /after: 00:05:00/ { sub(",", "", $5); print (used == $5), $6, $7 }' <<<"$snap")" "1 mem: 300M}"
t_run 0 "it is read back" "$WEFT" cluster --cluster "$DIR/home/alice/soon.yaml" --save -
t_is "to the same bytes" "$T_OUT" "$snap"
as bob "$tools/slurm_room" cancel "$soon"

waiting=$(script : | room submit --dependency=afterany:"$array")
t_has "a reason" "$(room jobs | grep "^$waiting ")" "PENDING - - Dependency"

t_run 0 "cancel, with one that is long gone" room cancel "$array" "$job" 999999 "$waiting"
over() { ! room jobs | grep -qE 'RUNNING|PENDING'; }
t_run 0 "all of it is over" t_until 20 over
t_has "the state" "$(room jobs)" "CANCELLED"
t_run 0 "cancel again" room cancel "$array"

# Another user's job: Slurm refuses, and so do we.
other=$(script 'sleep 60' | as bob "$tools/slurm_room" submit)
t_run 6 "another user's job" room cancel "$other"
t_has "Slurm's words" "$T_OUT" "Access/permission denied"
as bob "$tools/slurm_room" cancel "$other"

# The wait of a plan: by the limits of running jobs, or by Slurm's own forecast, which
# is asked once a minute.
busy=$(script 'sleep 300' | as bob "$tools/slurm_room" submit -N 3 --exclusive --time=7 -p cpu)
fills() { as bob "$tools/slurm_room" jobs | grep -q "^$busy .*RUNNING"; }
t_run 0 "a job on all nodes of cpu" t_until 20 fills
home=$DIR/home/alice
cat >"$home/flow.yaml" <<'Y'
name: flow
steps: [{name: a, run: "true", resources: {ntasks: 4, mem: 100M, time: 2m}}]
Y
{ cat "$DIR/etc/weft.conf" && echo 'estimate = will_run'; } >"$home/weft.conf"
chmod 644 "$home/flow.yaml" "$home/weft.conf"
wait_of() { # OPTION...: minutes that the step is expected to wait, rounded
	as alice "$tools/weft" plan --json "$@" flow.yaml |
		python3 -c 'import json, sys
w = json.load(sys.stdin)["steps"][0]["wait"]
print("none" if w is None else round(w / 60))'
}
t_is "the nodes' wait" "$(wait_of)" 7
asked() { as root sdiag | awk '$1 == "REQUEST_JOB_WILL_RUN" { print $3 }' | tr -dc '0-9'; }
before=$(asked)
forecast=$(wait_of --conf weft.conf)
case $forecast in 6 | 7 | 8) t_ok "Slurm's forecast" ;; *) t_fail "Slurm's forecast" "$forecast" ;; esac
once=$(asked)
t_run 0 "which was asked for" test "${once:-0}" -gt "${before:-0}"
wait_of --conf weft.conf >/dev/null
t_is "and is kept for a minute" "$(asked)" "$once"
t_is "where nobody else looks" "$(stat -c %a "$home/.cache/weft")" 700
echo "damaged" >"$(echo "$home"/.cache/weft/will-run-*)"
t_is "a damaged answer is asked again" "$(wait_of --conf weft.conf)" "$forecast"
as bob "$tools/slurm_room" cancel "$busy"

# How long a step runs: its limit, until a run of it has told.
run_of() { # OPTION...: seconds that the step is expected to run
	as alice "$tools/weft" plan --json "$@" flow.yaml |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["steps"][0]["run"])'
}
t_is "the limit" "$(run_of)" 120
t_run 0 "a run" as alice "$tools/weft" run -q flow.yaml
t_run 0 "tells" awk -v run="$(run_of)" 'BEGIN { exit !(run >= 0 && run < 60) }'
t_is "but not of a step that was changed" "$(run_of --set 'steps.a.run=echo new')" 120
t_is "nor to another folder" "$(run_of --run-dir elsewhere)" 120

refused() { script : | room submit "$@"; }
t_run 6 "no such partition" refused -p nowhere
t_has "sbatch's words" "$T_OUT" "invalid partition specified: nowhere"
t_run 6 "no such option" refused --no-such-option
t_has "sbatch's words on an option" "$T_OUT" "unrecognized option"

t_has "mpi types" "$(room mpi)" "pmi2"

# What is reserved for others is not free, and what is reserved is what there is.
as root scontrol create reservation reservationname=course starttime=now duration=60 \
	users=bob nodes=c1,c3 flags=ignore_jobs >/dev/null
held() { as alice "$tools/weft" cluster --save - | grep -q "name: course"; }
t_run 0 "a reservation is seen" t_until 20 held
snap=$(as alice "$tools/weft" cluster --save -)
t_has "for whom" "$snap" "users: [bob]"
t_has "its nodes" "$snap" "nodes: c[1,3]"
free=$(as alice "$tools/weft" plan --explain a flow.yaml)
t_has "one node is free" "$free" "1 of 3"
sed 's/name: a,/name: a, reservation: course,/' "$home/flow.yaml" >"$home/mine.yaml"
t_run 4 "it is not alice's" as alice "$tools/weft" plan mine.yaml
t_has "and that is told" "$T_OUT" "reservation course is for others"
as root scontrol delete reservationname=course
gone() { ! held; }
t_run 0 "it is gone" t_until 20 gone

as root scontrol update nodename=c2 state=drain reason="disk is full"
t_has "a drained node" "$(as alice "$tools/weft" cluster --save -)" 'reason: "drained: disk is full"'

devcluster kill-node --dir "$DIR" ctl >/dev/null
t_run 6 "slurmctld is gone" as alice "$tools/weft" cluster
t_has "says so" "$T_OUT" "Unable to contact slurm controller"
t_run 6 "no slurm.conf" env SLURM_CONF="$T_TMP/none" "$WEFT" cluster
t_has "which one" "$T_OUT" "SLURM_CONF names it"
if [ ! -e /etc/slurm/slurm.conf ]; then
	t_run 6 "no slurm.conf anywhere" env -u SLURM_CONF "$WEFT" cluster
	t_has "what to do" "$T_OUT" "set SLURM_CONF"
fi
t_done
