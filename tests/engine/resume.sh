#!/bin/bash
# weft resume, on this machine: what runs again after kills, failures and changes, why, and
# that nothing else does.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 2
export HOME=$T_TMP
unset WEFT_RUNS

weft() { "$WEFT" "$@"; }
status() { weft status --json "$1" | python3 -c "import json,sys; d=json.load(sys.stdin); print($2)"; }
states() { status "$1" '*[s["state"] for s in d["steps"]], sep=", "'; }
effects() { sort "$1" | uniq -c | awk '{ printf "%s%s:%d", sep, $2, $1; sep = " " } END { print "" }'; }

# ---- a killed engine ------------------------------------------------------------------
cat >killed.yaml <<E
name: killed
steps:
  - name: m
    sweep: {i: {range: [1, 12]}}
    resources: {cpus_per_task: 1}
    max_parallel: 1
    run: |
      [ \${{ params.i }} != 5 ] || [ -e $T_TMP/go ] || { touch $T_TMP/begun; exec sleep 4715; }
      echo \${{ params.i }} >>$T_TMP/effects; echo \${{ params.i }} >o
    outputs: {o: o}
  - name: sum
    inputs: [{from: m.o, as: os}]
    run: cat \${{ inputs.os }}/*/o | wc -l >s; echo sum >>$T_TMP/effects
    outputs: {s: s}
E
setsid "$WEFT" run --local -q killed.yaml >killed.out 2>&1 &
begun() { [ -e begun ]; }
t_until 30 begun || t_fail "the run began" "$(cat killed.out)"
t_run 2 "a run that lives isn't resumed" weft resume killed
t_has "and says so" "$T_OUT" "may still run"
kill -9 "$(cut -d ' ' -f 3 <weft-runs/killed/1/engine)"
wait
touch go
t_run 0 "a dry run says what is left" weft resume --dry-run killed
t_has "and why" "$T_OUT" "m  8 of 12 members  no completion record"
t_has "and what follows" "$T_OUT" "sum  m runs again"
t_run 0 "a killed run is resumed" weft resume -q killed
t_is "and ends well" "$(states killed)" "done, done"
t_is "each member has run once" "$(effects effects)" \
	"1:1 10:1 11:1 12:1 2:1 3:1 4:1 5:1 6:1 7:1 8:1 9:1 sum:1"
t_is "the fan-in has them all" "$(cat weft-runs/killed/1/steps/sum/out/s)" 12
t_run 0 "a second time there is nothing to do" weft resume killed
t_has "and it says so" "$T_OUT" "0 of 13 run again"
t_is "none ran" "$(wc -l <effects)" 13

# ---- failures, inputs -----------------------------------------------------------------
echo one >in.txt
cat >flow.yaml <<E
name: flow
on_failure: continue
steps:
  - {name: a, inputs: [{from: ./in.txt, as: i}], run: "echo a >>$T_TMP/ran; cat \${{ inputs.i }} >o", outputs: {o: o}}
  - {name: b, inputs: [{from: a.o, as: i}], run: "echo b >>$T_TMP/ran; cp \${{ inputs.i }} o", outputs: {o: o}}
  - {name: c, run: "echo c >>$T_TMP/ran; test -e $T_TMP/fixed"}
  - {name: d, depends: [c], run: "echo d >>$T_TMP/ran"}
  - {name: e, run: "echo e >>$T_TMP/ran"}
E
ran() { tr '\n' ' ' <ran && : >ran; }
t_run 1 "a run fails" weft run --local -q flow.yaml
t_is "with all that doesn't need it" "$(ran | tr ' ' '\n' | sort | tr -d '\n')" "abce"
touch fixed
t_run 0 "and is resumed once it is mended" weft resume --why flow
t_has "why: it failed" "$T_OUT" "c  failed: exited with status 1"
t_has "why: what it needs" "$T_OUT" "d  c runs again"
t_is "just these two ran" "$(ran)" "c d "
sleep 0.02
echo two >in.txt
t_run 0 "an input that changed" weft resume --why flow
t_has "is the reason" "$T_OUT" "a  its inputs have changed"
t_is "what depends on it follows, nothing else" "$(ran)" "a b "
t_is "with the new contents" "$(cat weft-runs/flow/1/steps/b/out/o)" two
printf '{' >weft-runs/flow/1/steps/e/done.json
t_run 0 "a damaged record" weft resume -q flow
t_is "is none" "$(ran)" "e "
rm -r weft-runs/flow/1/steps/a/out
t_run 0 "an output that is gone" weft resume -q flow
t_is "is made again" "$(ran)" "a b "
# ---- another file ---------------------------------------------------------------------
sed -i 's/echo b >>/echo B >>/' flow.yaml
t_run 0 "a run goes by its own copy of the file" weft resume flow
t_is "whatever was changed since" "$(ran)" ""
t_run 0 "--update takes it as it is now" weft resume --why --update flow
t_has "why: its definition" "$T_OUT" "b  the step's definition has changed"
t_is "a changed step runs again, nothing else" "$(ran)" "B "
printf '  - {name: f, depends: [b], run: "echo f >>%s/ran"}\n' "$T_TMP" >>flow.yaml
sed -i 's/echo a >>/echo A >>/' flow.yaml
t_run 0 "with another step, and a changed one" weft resume -q --update flow
t_is "all that depends on it follows" "$(ran)" "A B f "
t_is "and all is done" "$(states flow)" "done, done, done, done, done, done"

t_done
