#!/bin/bash
# Kills at random moments: of an engine, its slurmstepd, slurmd, slurmctld, a node, a node's
# cable.  Whatever it was, the run ends or is resumed, with one valid record a member; no
# member's effect is missing, none is doubled unless the kill fell inside it; nothing hangs,
# nothing is left.
#
# LONG=1 (make check-kills): KILLS=50 of each of KINDS, on 500 members.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

if [ -n "${LONG-}" ]; then
	kinds=${KINDS:-engine slurmstepd slurmd slurmctld node link} each=${KILLS:-50} members=${MEMBERS:-500}
else
	kinds=${KINDS:-engine engine engine engine node} each=${KILLS:-1} members=${MEMBERS:-60}
fi
RANDOM=${SEED:-$$}
t_cluster "kills" --gpu-nodes 0
home=$DIR/home/alice
runs=$home/weft-runs/kill

# Members tell when they begin and end; the name of the run is in the program's arguments,
# so that what is left of it is found.
cat >"$home/kill.yaml" <<E
name: kill
steps:
  - name: m
    sweep: {i: {range: [1, $members]}}
    max_parallel: 8
    resources: {time: 1m, mem: 10M}
    run: |
      n=\$(basename \$WEFT_RUN_DIR)
      echo "\${{ params.i }} begin \$(date +%s.%N)" >>$home/log.\$n
      sleep 0.\$((RANDOM % 4 + 1)) # of $DIR
      echo "\${{ params.i }} end \$(date +%s.%N)" >>$home/log.\$n
  - name: after
    depends: [m]
    resources: {time: 1m, mem: 10M}
    run: echo "0 begin 0" >>$home/log.\$(basename \$WEFT_RUN_DIR)
E
chown --reference="$home" "$home/kill.yaml"

cat >"$T_TMP/check.py" <<'E'
# check.py RUN LOG KILLED MEMBERS: what is wrong, a line each.
import collections, glob, json, os, sys
run, log, killed, members = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
last = {}
for f in glob.glob(run + "/records/**/*.jsonl", recursive=True):
    for line in open(f, errors="replace"):
        try:
            r = json.loads(line)
        except ValueError:
            continue  # a torn one
        if r.get("step", "m") == "m":
            last.setdefault(r["member"], collections.defaultdict(list))[r.get("attempt", 0)].append(r["state"])
if len(last) != members:
    print(f"{len(last)} members have a record, not {members}")
for m, of in last.items():
    if of[max(of)] != ["done"]:
        print(f"records of {m}: {dict(of)}")
begin, end = collections.defaultdict(list), collections.defaultdict(list)
for line in open(log, errors="replace"):
    w = line.split()
    if w[0] != "0":
        (begin if w[1] == "begin" else end)[int(w[0])].append(float(w[2]))
for i in range(1, members + 1):
    if not end[i]:
        print(f"the effect of {i} is missing")
    elif len(end[i]) > 1:
        # Inside it: until its record is on disk, which others may wait for.
        inside = begin[i][0] <= killed + 1 and sorted(end[i])[0] >= killed - 1.5
        if not inside:
            print(f"{i} has run {len(end[i])} times: {begin[i]} to {end[i]}, killed {killed}")
E

engine_pid() { pgrep -f "^[^ ]*weft engine .*$runs/$1\$" | head -n 1; }
node_of() { as alice squeue -h -t R -n kill.m,kill.m+after -o %N | head -n 1; }
kill_one() { # kill_one KIND RUN
	pid=$(engine_pid "$2")
	node=$(node_of)
	case $1 in
	engine) kill -9 "$pid" ;;
	slurmstepd) kill -9 "$(ps -o ppid= -p "$pid")" ;;
	slurmd) devcluster kill-node --slurmd "$node" ;;
	slurmctld) devcluster kill-node ctl ;;
	node) devcluster kill-node "$node" ;;
	link) devcluster link "$node" down ;;
	esac >/dev/null 2>&1
}
mend() {
	case $1 in
	slurmd | node) devcluster start-node "$node" ;;
	slurmctld) devcluster start-node ctl ;;
	link) devcluster link "$node" up ;;
	esac >/dev/null 2>&1
	as root scontrol update "NodeName=c[1-2]" State=RESUME >/dev/null 2>&1
}
finished() { as alice weft status --json "$runs/$1" 2>/dev/null | python3 -c 'import json,sys; sys.exit(not json.load(sys.stdin)["finished"])'; }
well() { finished "$1" && as alice weft status "$runs/$1" >/dev/null 2>&1; }
running() { [ -n "$(engine_pid "$1")" ] && [ -s "$home/log.$1" ]; }
left() { pgrep -f "$runs/$1\$|# of $DIR"; }

one() { # one KIND NUMBER
	as alice weft submit -q --group all kill.yaml >/dev/null || return 1
	n=$2
	t_until 60 running "$n" || { echo "it didn't begin: $(as alice squeue)"; return; }
	sleep "$((RANDOM % 4)).$((RANDOM % 10))"
	if [ -z "$(engine_pid "$n")" ]; then
		echo "it had ended before the kill" >&2
		killed=0
	else
		killed=$(date +%s.%N)
		kill_one "$1" "$n"
	fi
	# Slurm notices a silent node after SlurmdTimeout; slurmctld comes back at once.
	[ "$1" = slurmctld ] && mend "$1"
	t_until 120 finished "$n" || { echo "it hangs: $(as alice weft status "$n"; as alice squeue)"; mend "$1"; return; }
	mend "$1"
	for _ in 1 2 3; do
		well "$n" && break
		said=$(as alice timeout 150 weft resume -q --cancel "$runs/$n" 2>&1) || echo "resume: $said" >&2
	done
	well "$n" || echo "it isn't done: $(as alice weft status "$runs/$n") $said"
	python3 "$T_TMP/check.py" "$runs/$n" "$home/log.$n" "$killed" "$members" | sed -n 1,5p
	gone() { ! left "$n" >/dev/null; }
	t_until 30 gone || echo "processes are left: $(left "$n" | xargs ps -o pid,args -p)"
}

number=0
for kind in $kinds; do
	for k in $(seq "$each"); do
		number=$((number + 1))
		t_is "$kind killed, $k of $each" "$(one "$kind" "$number")" ""
	done
done
t_done
