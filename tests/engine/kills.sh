#!/bin/bash
# Kills at random moments of a run with a loop and a steered sweep, on two nodes with
# agents: of the engine, an agent, a slurmstepd, slurmd, slurmctld (started again), of a
# node's cable, or the node.  Whatever it was, the run ends or is resumed, with one valid
# record a member; no member's effect is missing, none is doubled unless the kill fell
# inside it; nothing hangs, nothing is left.
#
# LONG=1 (make check-kills): MOMENTS=50 of each of KINDS, on MEMBERS=500, LANES=5 at a time.  Each moment tells
# its SEED: with that, its kind as KINDS and MOMENTS=1 it comes again.
# shellcheck source=tests/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/../lib.sh"

kinds=${KINDS:-engine agent slurmstepd slurmd link slurmctld} lanes=${LANES:-5} seed=${SEED:-$$}
if [ -n "${LONG-}" ]; then members=${MEMBERS:-500}; else members=${MEMBERS:-200}; fi
moments() { # moments KIND: how many of it; Slurm takes its time where a node is to be given up
	case ${LONG:+long}$1 in
	long*) echo "${MOMENTS:-50}" ;;
	engine | agent | slurmctld) echo "${MOMENTS:-5}" ;;
	*) echo "${MOMENTS:-2}" ;;
	esac
}
t_cluster "kills" --cpu-nodes $((2 * lanes)) --gpu-nodes 0
home=$DIR/home/alice

# Members tell when they begin and end.  Each lane has two nodes of its own, and one moment
# at a time.
first=$((members * 62 / 100)) most=$((members * 74 / 100)) round=$((members * 6 / 100))
mkfifo "$home/never"
cat >"$home/steer.py" <<'E'
import json, os, random
results = [json.loads(l) for l in open(os.environ["WEFT_RESULTS"])]
pending = [json.loads(l) for l in open(os.environ["WEFT_PENDING"])]
n = len(results)
random.seed(n)
for k in range(6):
    print(json.dumps({"add": {"i": 10000 + 10 * n + k}}))
for m in pending[:1] + pending[-2:]:
    print(json.dumps({"cancel": m["member"]}))
for m in random.sample(pending, min(3, len(pending))):
    print(json.dumps({"priority": [m["member"], random.randrange(10)]}))
E
for lane in $(seq "$lanes"); do
	others=$(for n in $(seq $((2 * lanes))); do [ $(((n + 1) / 2)) = "$lane" ] || printf '%sc%s' "${sep-}" "$n" && sep=,; done)
	others=${others#,}
	cat >"$home/kill$lane.yaml" <<E
#!/usr/bin/env weft
#SBATCH --job-name=kill$lane --nodes=2 --ntasks-per-node=4 --mem=400M --time=10 --no-requeue
#SBATCH --output=/dev/null ${others:+--exclude=$others}
name: kill$lane
loop: {steps: [sim, train], max: 4}
defaults: {resources: {time: 1m, mem: 20M${others:+, exclude: \"$others\"}}}
steps:
  - name: look
    sweep: {i: {range: [1, $first]}}
    max_parallel: 5
    steer: {max_members: $most, every: $((members / 16)), time: 1m, run: "python3 \$WEFT_WORKFLOW_DIR/steer.py"}
    run: &run |
      tell() { echo "\$WEFT_STEP \${WEFT_MEMBER:--} \$1 \$EPOCHREALTIME" >>"\$WEFT_RUN_DIR/effects"; }
      tell begin
      read -rt 0.\$(<"\$WEFT_WORKFLOW_DIR/$lane.pace")\$((RANDOM % 4 + 2)) _ <>"\$WEFT_WORKFLOW_DIR/never" || :
      tell end
  - {name: sim, sweep: {j: {range: [1, $round]}}, depends: [{step: start}], max_parallel: 4, run: *run}
  - {name: train, depends: [sim], run: *run}
  - {name: start, run: *run}
  - {name: after, depends: [look, train], run: *run}
E
done
chown -R --reference="$home" "$home"

cat >"$T_TMP/check.py" <<'E'
# check.py RUN STATUS KIND KILLED: what is wrong, a line each.
import collections, glob, json, os, sys
run, status, kind, killed = sys.argv[1], json.load(open(sys.argv[2])), sys.argv[3], float(sys.argv[4])
bad = []
records = collections.defaultdict(lambda: collections.defaultdict(list))
seen = set()
for f in glob.glob(run + "/records/**/*.jsonl", recursive=True):
    for line in open(f, errors="replace"):
        try:
            r = json.loads(line)
        except ValueError:
            continue  # a torn one
        if line not in seen:  # a compacted file may be beside those that it was made of
            seen.add(line)
            records[r["step"], r["member"]][r["attempt"]].append(r["state"])
for f in glob.glob(run + "/steps/*/done.json"):
    r = json.load(open(f))
    records[r["step"], "-"][r["attempt"]].append(r["state"])
want = {}
for s in status["steps"]:
    for m in s["members"]:
        want[s["name"], m.get("id") or "-"] = m["state"]
for k in records.keys() - want.keys():
    bad.append(f"a record of {k}, which the run doesn't have")
for k, state in want.items():
    of = records.get(k, {})
    last = of[max(of)] if of else []
    if last not in (["done"], ["skipped"]) or last != [state]:
        bad.append(f"{k} is {state}: records {dict(of)}")
    if sum(v.count("done") for v in of.values()) > 1:
        bad.append(f"{k} ran again though it was done: {dict(of)}")
    if state == "skipped" and k[0] != "look":
        bad.append(f"{k} was skipped")
begin, end = collections.defaultdict(list), collections.defaultdict(list)
for line in open(run + "/effects", errors="replace"):
    step, member, what, at = line.split()
    (begin if what == "begin" else end)[step, member].append(float(at))
for k in want:
    n = len(end[k])
    if not n and want[k] == "done":
        bad.append(f"the effect of {k} is missing")
    # Inside it: from its begin on, until its record is on disk, which others may wait for.
    # What runs on beyond a cable that was cut is ended later.
    if n > 1 and not (sorted(end[k])[-2] >= killed - 2 and
                      (kind in ("link", "slurmd", "slurmstepd") or sorted(begin[k])[-2] <= killed + 1)):
        bad.append(f"{k} has run {n} times: {begin[k]} to {end[k]}, killed {killed}")
twice = sum(len(v) > 1 for v in end.values())
if twice > 16:
    bad.append(f"{twice} members ran twice")
print(f"{twice} twice" if not bad else "\n".join(["wrong:"] + bad[:5]))
E

lines() { if [ -e "$run/effects" ]; then wc -l <"$run/effects"; else echo 0; fi; }
engine_pid() { # of a batch script it is the name of the spooled copy that is seen
	for p in $(pgrep -f '^[^ ]*weft (engine |/[^ ]*slurm_script)'); do
		grep -qzsx "SLURM_JOB_ID=$job" "/proc/$p/environ" && echo "$p" && break
	done
}
one_of() { # one_of NUMBER LINES: one of them
	[ -n "$2" ] || return
	sed -n "$(($1 % $(wc -l <<<"$2") + 1))p" <<<"$2"
}
of_run() { # processes of the run, whoever started them
	grep -lazs "^WEFT_RUN_DIR=$run\$" /proc/[0-9]*/environ | cut -d / -f 3
	pgrep -f "$run\$"
}
# With what squeue says when slurmctld doesn't answer.
jobs_of() { as alice timeout 20 squeue -h -o '%i %j' 2>&1 | awk -v n="kill$lane" '$2 == n || index($2, n ".") == 1 || $2 !~ /^kill/ { print $1 }'; }
no_jobs() { [ -z "$(jobs_of)" ]; }
none_left() { [ -z "$(of_run)" ]; }
usable() { [ "$(as root timeout 20 sinfo -h -N -n "$nodes" -o %T 2>&1 | sort -u)" = idle ]; }
status() { as alice timeout 60 weft status "$@" "$run" 2>&1; }

find_victim() { # find_victim KIND: a process, or a node
	case $1 in
	engine) victim=$(engine_pid) ;;
	agent) victim=$(one_of "$which" "$(pgrep -f "^[^ ]*weft agent .*$run\$" | while read -r p; do
		[ "$(cat "/proc/$p/comm")" = weft ] && echo "$p"
	done 2>/dev/null)") ;;
	slurmstepd) victim=$(one_of "$which" "$(pgrep -f "^slurmstepd: \\[$job\\.")") ;;
	slurmctld) victim=ctl ;;
	*) victim=$(one_of "$which" "${nodes/,/$'\n'}") ;;
	esac
	[ -n "$victim" ]
}
well() { status --json >"$T_TMP/status.$lane" && grep -q '"finished": true' "$T_TMP/status.$lane"; }

kill_it() { # kill_it KIND
	case $1 in
	slurmd) devcluster kill-node --slurmd "$victim" ;;
	slurmctld | node) devcluster kill-node "$victim" ;;
	link) devcluster link "$victim" down ;;
	*)
		local pid=$victim
		victim=$(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c1-40)
		kill -9 "$pid"
		;;
	esac >/dev/null 2>&1
}
mend() {
	case $1 in
	slurmd | node | slurmctld) devcluster start-node "$victim" ;;
	link) devcluster link "$victim" up ;;
	esac >/dev/null 2>&1
	# Slurm looks for a node that is down only now and then.
	[ "$1" = slurmctld ] || as root scontrol update "NodeName=$nodes" State=RESUME >/dev/null 2>&1
}

# Is the moment there?  A job that slurmctld hasn't saved is forgotten by Slurm itself, and
# its number given to another one.
comes() {
	[ -e "$run/run.json" ] && [ "$(lines)" -ge "$at" ] && find_victim "$kind" &&
		{ [ "$kind" != slurmctld ] || [ "$DIR/state/job_state" -nt "$run/run.json" ]; }
}
# one KIND SEED: at a moment of a run, which the seed says; what came of it, and "wrong:"
# lines.
one() {
	local kind=$1 begun=$SECONDS at which killed=0 how=ended said="" victim="" job polls=0
	RANDOM=$(cksum <<<"$kind $2" | cut -d ' ' -f 1) # a subshell's own
	at=$((RANDOM * (members * 18 / 10) / 32768)) which=$RANDOM
	# As long as Slurm may take to save a job.
	if [ "$kind" = slurmctld ]; then echo 1; else echo 0; fi >"$home/$lane.pace"
	job=$(as alice sbatch --parsable "kill$lane.yaml" 2>&1) || { echo "wrong: sbatch: $job" && return; }
	local end=$((SECONDS + 120))
	until comes; do
		if [ $((polls++ % 50)) = 49 ] && no_jobs; then break; fi
		[ $SECONDS -lt $end ] || { echo "wrong: it doesn't come to line $at: $(jobs_of; status)" && return; }
		read -rt 0.02 _ <>"$home/never"
	done
	if [ -n "$victim" ]; then
		killed=$EPOCHREALTIME
		kill_it "$kind"
	else
		victim=nothing
	fi
	[ "$kind" != slurmctld ] || mend slurmctld
	local at_kill=$SECONDS
	# A slurmctld that was killed as a job ended may hold it for minutes.
	if ! t_until 300 no_jobs; then
		echo "wrong: it hangs: $(as alice squeue; status)"
		mend "$kind"
		return
	fi
	local over=$((SECONDS - at_kill))
	mend "$kind"
	t_until 60 usable || echo "wrong: $(as root sinfo -N -n "$nodes")"
	if ! well; then
		how=resumed
		said=$(as alice timeout 150 weft resume -q "$run" 2>&1) || echo "wrong: resume: $? $said"
	fi
	well || echo "wrong: $(status)"
	said=$(python3 "$T_TMP/check.py" "$run" "$T_TMP/status.$lane" "$kind" "$killed" 2>&1)
	t_until 30 none_left || echo "wrong: processes are left: $(of_run | xargs ps -o pid,args -p)"
	t_until 30 no_jobs || echo "wrong: jobs are left: $(as alice squeue)"
	echo "$how after $((SECONDS - begun)) s ($over s from the kill until the job's end), $said; killed $victim at line $at"
}

# The moments of a lane: whoever is first takes the next.
go() { # go LANE KIND:NUMBER...
	lane=$1 number=$(find "$home/weft-runs/kill$1" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)
	nodes=c$((2 * lane - 1)),c$((2 * lane))
	shift
	for m in "$@"; do
		mkdir "$T_TMP/take.$m" 2>/dev/null || continue
		kind=${m%:*} k=${m#*:}
		# One whose moment was over before it came has another one.
		for s in $((seed + k - 1)) $((seed + k + 999)) $((seed + k + 1999)); do
			run=$home/weft-runs/kill$lane/$((number + 1))
			said=$(one "$kind" $s 2>&1) || :
			number=$(find "$home/weft-runs/kill$lane" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)
			case $said in *wrong:*) break ;; *"killed nothing"*) ;; *) break ;; esac
		done
		of="$k of $(moments "$kind"), SEED=$s"
		case $said in
		*wrong:* | "")
			[ -z "${KEEP-}" ] || { mkdir -p "$KEEP/$kind.$k" && cp -a "$run" "$DIR/log" "$KEEP/$kind.$k"; }
			echo "FAIL  $kind killed, $of: $said"
			;;
		*) echo "ok    $kind killed, $of: $said" ;;
		esac | tee -a "$T_TMP/said"
	done
}
together="" alone="" all=0
for kind in $kinds; do
	n=$(moments "$kind") all=$((all + $(moments "$kind")))
	case $kind in
	slurmctld) alone=$(seq -f "$kind:%g" "$n") ;; # it is of all lanes
	*) together="$together $(seq -f "$kind:%g" "$n")" ;;
	esac
done
together=$(tr ' ' '\n' <<<"$together" | sort -t : -k 2n) # kind after kind
: >"$T_TMP/said"
for lane in $(seq "$lanes"); do
	# shellcheck disable=SC2086 # words
	go "$lane" $together &
done
wait
# shellcheck disable=SC2086 # words
go 1 $alone
T_PASSED=$(grep -c '^ok ' "$T_TMP/said") T_FAILED=$(grep -c '^FAIL ' "$T_TMP/said")
for kind in $kinds; do
	echo "$kind: $(grep -c "^ok *$kind " "$T_TMP/said") of $(moments "$kind")"
done
[ $((T_PASSED + T_FAILED)) -eq $all ] || t_fail "every moment was tried" "$(cat "$T_TMP/said")"
t_done
