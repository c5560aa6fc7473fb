#!/bin/bash
# steer.sh - a program that adds, cancels and ranks members while they run
# shellcheck source=tests/lib.sh disable=SC2016
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 2
export HOME=$T_TMP WEFT_CONF=/dev/null
unset WEFT_RUNS
status() { "$WEFT" status --json "$1" | python3 -c "import json,sys; d=json.load(sys.stdin); print($2)"; }
states() { status "$1" '*[s["state"] for s in d["steps"]], sep=", "'; }
actions() { # RUN
	python3 - weft-runs/"$1"/actions/* <<'P'
import json, sys
print(*[a["action"] + (":" + a["text"] if a["action"] == "note" else "")
        for f in sys.argv[1:] for a in map(json.loads, open(f))], sep="; ")
P
}

# What the program says is in say.N for its Nth call; members wait for a file of theirs.
cat >s.yaml <<'E2'
name: s
vars: {parallel: 1, every: 1, max: 8, time: 10s}
steps:
  - name: sim
    sweep: {x: [0, 1, 2, 3]}
    max_parallel: "${{ vars.parallel }}"
    steer: {max_members: "${{ vars.max }}", every: "${{ vars.every }}", time: "${{ vars.time }}", run: ". ${{ workflow.dir }}/call.sh"}
    run: |
      echo ${{ params.x }} >> $WEFT_RUN_DIR/order
      printf '{"y": 0}\n{"y": %s, "s": "a"}\n' ${{ params.x }} >> metrics.jsonl
      echo hi > ${{ outputs.o }}
      n=0; while [ -e $WEFT_WORKFLOW_DIR/hold.${{ params.x }} ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n+1)); done
    outputs: {o: o.txt}
  - {name: each, sweep: {each: sim}, depends: [sim], run: "true"}
  - {name: after, depends: [each], run: "true"}
E2
cat >call.sh <<'E2'
n=$(($(cat n 2>/dev/null || echo 0) + 1))
echo $n >n
cp "$WEFT_RESULTS" results.$n
cp "$WEFT_PENDING" pending.$n
. "$WEFT_WORKFLOW_DIR/say.$n"
E2
nothing() { rm -f say.*; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo true >"say.$i"; done; }
run() { timeout 100 "$WEFT" run --local -q "$@" s.yaml; }

nothing
t_run 0 "a program that says nothing" run
t_is "changes nothing" "$(states s), $(status s '*[s["done"] for s in d["steps"]]')" "done, done, done, 4 4 1"
t_is "the end of the sweep is written" "$(actions s/1)" "stop"
# Killed when all members had ended, before that was written.
sed -i '/"action":"stop"/d' weft-runs/s/1/actions/*
t_has "all may have ended, and more may come" "$("$WEFT" resume --dry-run s)" "sim  more members may come"
t_run 0 "then resume has an engine look" "$WEFT" resume -q s
t_is "which says so" "$(actions s/1), $(states s)" "stop, done, done, done"
t_run 0 "and is done" "$WEFT" resume s
t_is "for good" "$T_OUT" "s/1: 0 of 9 run again"
t_is "it is given results" "$(python3 -c '
import json
r = [json.loads(l) for l in open("weft-runs/s/1/steps/sim/steer/results.jsonl")]
print(len(r), sorted(m["params"]["x"] for m in r), {m["state"] for m in r}, {m["metrics"]["s"] for m in r},
      sorted(m["metrics"]["y"] for m in r), {open(m["outputs"]["o"]).read() for m in r})')" \
	"4 [0, 1, 2, 3] {'done'} {'a'} [0, 1, 2, 3] {'hi\\n'}"
t_is "and what is yet to come" "$(python3 -c '
import json
print({json.loads(l)["state"] for l in open("weft-runs/s/1/steps/sim/steer/pending.1")} <= {"waiting", "running"})')" True

# The first member runs until the program has spoken.
nothing
three=$(python3 -c '
import json
print(*[m["member"] for m in map(json.loads, open("weft-runs/s/1/steps/sim/steer/results.jsonl")) if m["params"]["x"] == 3])')
two=$(python3 -c '
import json
print(*[m["member"] for m in map(json.loads, open("weft-runs/s/1/steps/sim/steer/results.jsonl")) if m["params"]["x"] == 2])')
cat >say.1 <<E2
cat <<'X'
{"add": {"x": 0.5}}
{"add": {"x": 0}}
{"add": {"x": 0.50}}
{"add": {"z": 1}}
{"add": {"x": 1, "z": 1}}
{"cancel": "$two"}
{"cancel": "nobody"}
{"priority": ["$three", 10]}
{"priority": "$three"}
what?
{"add": 1, "cancel": 2}
{"jump": 1}
[]
X
rm -f $T_TMP/hold.1
E2
touch hold.1
t_run 0 "members are added, cancelled and ranked" run
t_is "it is all done" "$(states s), $(status s '*[s["done"] for s in d["steps"]]')" "done, done, done, 4 4 1"
t_is "in that order" "$(tr '\n' ' ' <weft-runs/s/2/order)" "0 1 3 0.5 "
t_is "a cancelled member is no failure" "$(status s '[m["reason"] for m in d["steps"][0]["members"] if m["state"] == "skipped"]')" \
	"['cancelled by the program that steers the sweep']"
t_is "what can't be done is written, too" "$(actions s/2 | tr ';' '\n' | grep -c note)" "10"
t_has "with what is wrong" "$(actions s/2)" 'the sweep has no axis `z`'
t_has "status tells it" "$("$WEFT" status s)" "sim: 1 added, 1 cancelled"

nothing
echo 'echo "{\"cancel\": \"'"$two"'\"}"' >say.1
touch hold.2
t_run 0 "a member that runs is ended by it" run --set vars.parallel=4
t_is "and is no failure either" "$(status s 'd["steps"][0]["done"], [m["reason"] for m in d["steps"][0]["members"] if m["state"] == "skipped"]')" \
	"3 ['cancelled by the program that steers the sweep']"
rm -f hold.2

nothing
printf '%s\n' "echo '{\"stop\": \"sure\"}'" >say.1
touch hold.1
echo "rm -f $T_TMP/hold.1" >>say.1
t_run 0 "it may stop the sweep" run
t_is "as done" "$(states s)" "done, done, done"
t_is "what hadn't begun is skipped" "$(status s 'd["steps"][0]["done"], [m["reason"] for m in d["steps"][0]["members"] if m["state"] == "skipped"]')" \
	"2 ['steering stopped the sweep: sure', 'steering stopped the sweep: sure']"
t_has "status says why" "$("$WEFT" status s)" "the last: stop: sure"

nothing
cat >say.1 <<'E2'
for i in 1 2 3 4 5 6 7 8 9; do echo "{\"add\": {\"x\": 0.$i}}"; done
E2
t_run 0 "no more than max_members" run
t_is "are added" "$(status s '*[len(s["members"]) for s in d["steps"]]')" "8 8 1"
t_has "and that is written" "$(actions s/5)" "there are 8 members already"

for bad in 'exit 3' 'kill -9 $$' 'sleep 60'; do
	nothing
	printf '%s\n' "echo '{\"add\": {\"x\": 7}}'" "$bad" >say.1
	cp say.1 say.2
	t_run 0 "a program that fails" run --set vars.time=1s
	t_is "loses nothing ($bad)" "$(states s), $(status s '*[s["done"] for s in d["steps"]]')" "done, done, done, 5 5 1"
done
nothing
for i in 1 2 3 4 5 6; do echo 'exit 1' >say.$i; done
t_run 0 "one that fails for ever" run
t_is "is given up" "$(states s), $(status s '*[s["done"] for s in d["steps"]]')" "done, done, done, 4 4 1"
t_has "and that is written" "$(actions s/9)" "it failed too often"

# CPUs of its own: no member runs on them, and it runs nowhere else.
if [ "$(nproc)" -lt 2 ]; then
	t_skip "CPUs of its own" "one CPU here"
	t_done
fi
cat >seat.yaml <<'E2'
name: seat
steps:
  - name: sim
    sweep: {replicas: 8}
    steer: {max_members: 8, every: 1, run: 'echo "steer $(taskset -pc $BASHPID)" >> $WEFT_RUN_DIR/cpus', resources: {cpus_per_task: 1}}
    run: 'echo "sim $(taskset -pc $BASHPID)" >> $WEFT_RUN_DIR/cpus'
  - {name: wide, depends: [sim], sweep: {replicas: 2}, resources: {cpus_per_task: 1000}, run: 'echo "wide $(taskset -pc $BASHPID)" >> $WEFT_RUN_DIR/cpus'}
  - {name: all, depends: [wide], steer: {max_members: 2, run: "true", resources: {cpus_per_task: 4}}, sweep: {replicas: 2}, resources: {cpus_per_task: 1000}, run: "true"}
E2
t_run 0 "a program with CPUs of its own" timeout 100 "$WEFT" run --local -q seat.yaml
t_is "all is done, also what needs all CPUs" "$(states seat)" "done, done, done"
cpus() { sed -n "s/^$1 .*: //p" weft-runs/seat/1/cpus | sort -u; }
of_steer=$(cpus steer)
t_is "it is bound to one" "$(grep -cx '[0-9]*' <<<"$of_steer")" 1
t_is "on which no member runs" "$(cpus sim | tr ',-' '\n\n' | grep -cx "$of_steer")" 0
t_is "until the sweep has ended" "$(cpus wide)" "$(taskset -pc $$ | sed 's/.*: //')"
t_done
