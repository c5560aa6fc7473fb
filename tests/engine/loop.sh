#!/bin/bash
# loop.sh - rounds: what they reach of each other, when they end, what waits for them
# shellcheck source=tests/lib.sh disable=SC2016
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 2
export HOME=$T_TMP WEFT_CONF=/dev/null
unset WEFT_RUNS
status() { "$WEFT" status --json "$1" | python3 -c "import json,sys; d=json.load(sys.stdin); print($2)"; }
states() { status "$1" '*[s["state"] for s in d["steps"]], sep=", "'; }
done_of() { status "$1" '*[s["done"] for s in d["steps"]]'; }

# The largest k is taken away from m in each round.
cat >l.yaml <<'E2'
name: l
params: {k: [1, 2]}
vars: {max: 5, fail: none}
loop: {steps: [sim, each, train], max: "${{ vars.max }}", until: steps.train.metrics.m < 3}
steps:
  - {name: start, run: "echo 10 > ${{ outputs.m }}", outputs: {m: m.txt}}
  - name: sim
    sweep: [k]
    inputs: [{from: train.m, as: m, round: prev, first: start.m}]
    run: |
      test ${{ loop.index }}.${{ params.k }} != ${{ vars.fail }}
      m=$(cat $WEFT_INPUT_M); echo $((m - WEFT_PARAM_K)) > ${{ outputs.o }}
      echo ${{ loop.index }} $WEFT_LOOP_INDEX ${{ member.index }} of ${{ member.count }}
    outputs: {o: o.txt}
  - name: each
    sweep: [k]
    inputs: [{from: sim.o, as: o}, {from: each.p, as: before, round: prev, optional: true}]
    run: cat ${WEFT_INPUT_BEFORE:-} ${{ inputs.o }} > ${{ outputs.p }}
    outputs: {p: p.txt}
  - name: train
    inputs: [{from: sim.o, as: o}, {from: train.m, as: all, round: all}]
    run: |
      cat ${{ inputs.o }}/*/o.txt | sort -n | head -1 > ${{ outputs.m }}
      printf '{"m": %s}\n' $(cat ${{ outputs.m }}) >> metrics.jsonl
      [ -z "${WEFT_INPUT_ALL:-}" ] || cat $WEFT_INPUT_ALL/*/m.txt | sort
    outputs: {m: m.txt}
  - name: after
    inputs: [{from: train.m, as: m}, {from: each.p, as: p}, {from: train.m, as: all, round: all}]
    run: echo $(cat ${{ inputs.m }}), ${{ steps.train.metrics.m }}, $(cat ${{ inputs.p }}/*/p.txt | sort -n), $(cat ${{ inputs.all }}/*/m.txt | sort -n)
  - {name: failed, depends: [{step: train, state: failed}], run: "true"}
  - {name: last, finally: true, run: "true"}
E2
sed -i 's/as: all, round: all}\]$/as: all, round: all, optional: true}]/' l.yaml
t_run 0 "a loop runs" "$WEFT" run --local -q l.yaml
t_is "to the round at whose end \`until\` is true" "$(done_of l)" "1 8 8 4 1 0 1"
t_is "all is done" "$(states l)" "done, done, done, done, done, skipped, done"
t_is "what depends on it sees the last round, or all" "$(cat weft-runs/l/1/steps/after/stdout)" \
	"2, 2, 2 3 4 5 6 7 8 9, 2 4 6 8"
t_is "a round knows its number" "$(cat weft-runs/l/1/steps/sim/r3/*/stdout | sort)" "3 3 0 of 2
3 3 1 of 2"
t_is "and what all before it made" "$(cat weft-runs/l/1/steps/train/r3/stdout)" "4
6
8"
t_has "status tells the round" "$("$WEFT" status l)" "loop sim, each, train: round 4 of 5 at most, the last: round 3: \`until\` is true"
t_is "for programs, too" "$(status l 'd["loops"][0]["rounds"], d["loops"][0]["max"], d["loops"][0]["ended"]')" "4 5 True"
t_is "the plan reckons with all rounds" \
	"$("$WEFT" plan --local --json l.yaml | python3 -c 'import json,sys; print(*[s["members"] for s in json.load(sys.stdin)["steps"]])')" \
	"1 10 10 5 1 1 1"

sed -i '/"action":"end"/d' weft-runs/l/1/actions/*
t_has "killed before that is written" "$("$WEFT" resume --dry-run l)" "sim  more members may come"
t_run 0 "it is asked again by who resumes" "$WEFT" resume -q l
t_is "with the same answer" "$(done_of l), $(states l)" "1 8 8 4 1 0 1, done, done, done, done, done, skipped, done"

t_run 0 "without it being true" "$WEFT" run --local -q --set vars.max=2 l.yaml
t_is "it ends with max rounds" "$(done_of l)" "1 4 4 2 1 0 1"
t_run 0 "one round is a loop, too" "$WEFT" run --local -q --set vars.max=1 l.yaml
t_is "of one round" "$(done_of l)" "1 2 2 1 1 0 1"

t_run 1 "a round may fail" "$WEFT" run --local -q --set vars.fail=1.2 --set on_failure=continue l.yaml
t_is "no further round begins" "$(done_of l)" "1 3 3 1 0 1 1"
t_is "and who waits for that goes on" "$(states l)" "done, failed, not run, not run, not run, done, done"
t_run 1 "or stop the run" "$WEFT" run --local -q --set vars.fail=1.2 l.yaml
t_is "with it all else" "$(status l 'd["finished"], d["steps"][4]["state"], d["steps"][6]["state"]')" "True not run done"
t_run 0 "a member of it may fail where a sweep may lose some" "$WEFT" run --local -q --set vars.fail=0.1 \
	--set steps.sim.max_failed=1 --set steps.each.max_failed=1 l.yaml
t_is "the other goes on" "$(status l 'd["steps"][1]["failed"], d["steps"][1]["done"]')" "1 7"
t_run 3 "\`until\` must have a value" "$WEFT" run --local -q --set loop.until='steps.train.metrics.none < 3' l.yaml
t_is "else the loop ends there" "$(done_of l)" "1 2 2 1 0 0 1"
t_is "as a failure of its steps" "$(status l "d[\"steps\"][1][\"state\"], d[\"code\"]")" "failed 3"
t_has "and says why" "$(status l 'd["stopped"]')" "until"

# ---- an engine that dies in a round: what is done stays, the rest is made in its turn
cat >k.yaml <<'E2'
name: k
loop: {steps: [sim, train], max: 3}
steps:
  - name: sim
    sweep: {x: [1, 2, 3]}
    inputs: [{from: train.m, as: m, round: prev, first: ./first}]
    run: |
      echo sim ${{ params.x }} ${{ loop.index }} >>"${{ workflow.dir }}/effects"
      sleep 0.05
      cat $WEFT_INPUT_M >${{ outputs.o }}
    outputs: {o: o.txt}
  - name: train
    inputs: [{from: sim.o, as: all}]
    run: |
      echo train ${{ loop.index }} >>"${{ workflow.dir }}/effects"
      sleep 0.05
      cat $WEFT_INPUT_ALL/*/* >${{ outputs.m }}
    outputs: {m: m.txt}
  - {name: after, depends: [train], run: 'echo after >>"${{ workflow.dir }}/effects"'}
E2
echo first >first
bad=""
for at in 1 4 5 7 8 11; do
	rm -rf weft-runs/k effects
	: >effects
	setsid "$WEFT" run --local -q k.yaml >/dev/null 2>&1 &
	pid=$!
	end=$((SECONDS + 20))
	until [ "$(wc -l <effects)" -ge $at ]; do
		[ $SECONDS -lt $end ] || { bad="$bad $at:no-effects" && break; }
		sleep 0.02
	done
	kill -9 -- -$pid
	wait $pid 2>/dev/null
	timeout 40 "$WEFT" resume -q k >said 2>&1 || bad="$bad $at:resume-$?"
	[ "$(sort -u effects | wc -l)" = 13 ] || bad="$bad $at:lost"
	[ "$(wc -l <effects)" -le $((13 + $(nproc))) ] || bad="$bad $at:again"
	[ "$(cat weft-runs/k/1/steps/train/r2/out/m.txt | wc -l)" = 27 ] || bad="$bad $at:result"
done
t_is "killed in any round it goes on in that round" "$bad" ""

rm -r weft-runs/k
timeout -s TERM 0.5 "$WEFT" run --local -q k.yaml
t_is "told to end in a round it ends, and is resumed" "$(t_until 20 "$WEFT" resume -q k 2>&1 >/dev/null | grep -v 'may still run\|hint' && echo not; echo 'it has')" 'it has'

# What an early round made is gone: it, and all that came of it, is made again in turn.
rm -r weft-runs/k/1/steps/train/r0/out
: >effects
t_run 0 "an early round may be made again" "$WEFT" resume -q k
t_is "with those after it, in turn" "$(cut -d' ' -f1 effects | uniq -c | tr -s ' \n' ' ')" " 1 train 3 sim 1 train 3 sim 1 train 1 after "
t_done
