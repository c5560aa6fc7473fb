#!/bin/bash
# sweeps.sh - members that are rows of a file, of the user's or of a step's
# shellcheck source=tests/lib.sh disable=SC2016
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 2
export HOME=$T_TMP WEFT_CONF=/dev/null
unset WEFT_RUNS
status() { "$WEFT" status --json "$1" | python3 -c "import json,sys; d=json.load(sys.stdin); print($2)"; }
states() { status "$1" '*[s["state"] for s in d["steps"]], sep=", "'; }

cat >rows.yaml <<'E2'
name: rows
vars: {text: 'x,name\n1.10,a\n2,"b, c"\n'}
steps:
  - name: points
    run: printf ${{ vars.text }} > ${{ outputs.p }}
    outputs: {p: points.csv}
  - name: sim
    sweep: {file: points.p, max: 10}
    run: printf '%s:%s\n' ${{ params.x }} ${{ params.name }} > ${{ outputs.o }}
    outputs: {o: out.txt}
  - name: each
    sweep: {each: sim}
    inputs: [{from: sim.o, as: o}]
    run: cat ${{ inputs.o }}
  - name: all
    inputs: [{from: each.*.o, as: o, optional: true}, {from: sim.o, as: s}]
    run: cat ${{ inputs.s }}/*/out.txt | sort > ${{ outputs.all }}
    outputs: {all: all.txt}
  - {name: fixed, sweep: {file: ./fixed.jsonl}, run: "echo ${{ params.k.n }}"}
E2
sed -i 's/{from: each.\*.o, as: o, optional: true}, //' rows.yaml
printf '{"k": {"n": 1}}\n{"k": {"n": 2}}\n' >fixed.jsonl
t_run 0 "rows of an output, and of a file" "$WEFT" run --local -q rows.yaml
t_is "all is done" "$(states rows)" "done, done, done, done, done"
t_is "each has its values" "$(cat weft-runs/rows/1/steps/all/out/all.txt)" "1.10:a
2:b, c"
t_is "a member of each goes by its own" "$(cat weft-runs/rows/1/steps/each/*/stdout | sort)" "1.10:a
2:b, c"
t_is "a file's members, too" "$(cat weft-runs/rows/1/steps/fixed/*/stdout | sort)" "1
2"
t_is "the plan reckons with max" \
	"$("$WEFT" plan --local --json rows.yaml | python3 -c 'import json,sys; print(*[s["members"] for s in json.load(sys.stdin)["steps"]])')" \
	"1 10 10 1 2"
# What the user does to the file afterwards is none of the run's business.
echo broken >fixed.jsonl
t_is "the run keeps its rows" "$(states rows)" "done, done, done, done, done"
t_run 3 "a new one reads the file" "$WEFT" run --local -q rows.yaml
t_has "and says where it is broken" "$T_OUT" "fixed.jsonl:1:"
printf '{"k": {"n": 1}}\n' >fixed.jsonl

t_run 0 "no rows are no members" "$WEFT" run --local -q --set 'vars.text=x,name\n' --set steps.all.inputs='[]' \
	--set steps.all.depends='[each]' --set steps.all.run='touch all.txt' rows.yaml
t_is "which is no failure" "$(states rows)" "done, skipped, skipped, done, done"
for bad in 'x,x\n1,2\n' 'x\n1\n1\n' 'x,name\n'"$(seq -s, 30 | sed 's/,/,a\\n/g')"'\n'; do
	t_run 3 "a broken file fails the sweep" "$WEFT" run --local -q --set "vars.text=$bad" rows.yaml
	t_is "and what needs it" "$(states rows)" "done, failed, not run, not run, done"
	t_has "with file and line" "$("$WEFT" status rows)" "steps/points/out/points.csv:"
done
t_run 1 "where the step fails" "$WEFT" run --local -q --set steps.points.run=false rows.yaml
t_is "nothing of it runs" "$(states rows)" "failed, not run, not run, not run, done"
# ---- keep: what stays of members that have ended
cat >keep.yaml <<'E2'
name: keep
on_failure: continue
vars: {keep: all, scratch: shared, restart: "false"}
steps:
  - name: m
    sweep: {x: [0, 1]}
    keep: ${{ vars.keep }}
    scratch: ${{ vars.scratch }}
    max_failed: 1
    run: |
      echo said; echo said >&2; echo 1 >left; ln -s / link; echo made >${{ outputs.o }}
      echo '{"loss": ${{ params.x }}}' >>metrics.jsonl
      exit ${{ params.x }}
    outputs: {o: {path: o.txt}}
  - name: reads
    inputs: [{from: m.o, as: o, optional: true}]
    depends: [{step: m, state: ended}]
    run: cat ${{ inputs.o }}/*/o.txt; echo ${{ steps.m.state }}
E2
kept() { (cd "weft-runs/keep/$1/steps/m" && find . -type f | sed 's,\./[^/]*/,,' | sort | tr '\n' ' '); }
n=0
for scratch in shared node; do
	for keep in all failed none; do
		n=$((n + 1))
		t_run 0 "keep: $keep, in $scratch scratch" "$WEFT" run --local -q --set vars.keep=$keep --set vars.scratch=$scratch keep.yaml
		t_is "what others need is there" "$(head -n 1 weft-runs/keep/$n/steps/reads/stdout)" made
	done
done
t_is "all of it stays" "$(kept 1 | tr ' ' '\n' | grep -c -x -e stdout -e stderr)" 4
t_is "or of the one that failed" "$(kept 2 | tr ' ' '\n' | grep -c -x -e stdout -e stderr)" 2
t_has "with what it left" "$(kept 2)" "work/left"
t_is "or nothing but outputs and metrics" "$(kept 3)" "metrics.jsonl out/o.txt "
t_is "on a node's disk, too" "$(kept 5 | tr ' ' '\n' | grep -c -x -e stdout -e stderr), $(kept 6)" "2, metrics.jsonl out/o.txt "
t_run 0 "a resumption finds nothing to do" "$WEFT" resume -q keep/2
t_run 3 "it has three words" "$WEFT" check --set vars.keep=some keep.yaml
t_done
