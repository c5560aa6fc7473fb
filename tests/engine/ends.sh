#!/bin/bash
# How runs on this machine end when not all is well: modes of on_failure, killed
# engines, runs of one name at once, folders with odd names.
# shellcheck source=tests/lib.sh disable=SC2317
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 2
export HOME=$T_TMP
mkdir scratch
echo "scratch = $T_TMP/scratch" >weft.conf
export WEFT_CONF=$T_TMP/weft.conf
unset WEFT_RUNS

weft() { "$WEFT" "$@"; }
status() { weft status --json "$1" | python3 -c "import json,sys; d=json.load(sys.stdin); print($2)"; }
states() { status "$1" '*[s["state"] for s in d["steps"]], sep=", "'; }

# ---- on_failure -------------------------------------------------------------------
cat >modes.yaml <<E
name: modes
vars: {nap: 0.5}
steps:
  - {name: bad, run: "until [ -e $T_TMP/begun ]; do sleep 0.05; done; exit 3"}
  - {name: beside, run: "touch $T_TMP/begun; sleep \${{ vars.nap }}"}
  - {name: later, depends: [beside], run: "true"}
  - {name: rescue, depends: [{step: bad, state: failed}], run: "sleep 0.2"}
  - {name: last, finally: true, run: "true"}
E
mode() {
	rm -f begun
	t_run 1 "on_failure: $1" weft run --local -q --set on_failure="$1" --set vars.nap="$2" modes.yaml
}
mode stop 0.5
t_is "what runs finishes, nothing new starts" "$(states modes)" "failed, done, not run, done, done"
mode continue 0.5
t_is "what doesn't depend on it goes on" "$(states modes)" "failed, done, done, done, done"
mode cancel 60
t_is "all ends but what deals with it" "$(states modes)" "failed, cancelled, not run, done, done"

# ---- kills ------------------------------------------------------------------------
cat >slow.yaml <<E
name: slow
steps:
  - {name: a, run: "touch $T_TMP/begun; exec sleep 4714", resources: {cpus_per_task: 4096}}
  - {name: b, depends: [a], run: "true"}
  - {name: c, run: "true", resources: {cpus_per_task: 4096}}
E
begun() { [ -e begun ]; }
engine() { cut -d ' ' -f 3 <weft-runs/slow/"$1"/engine; }
start() {
	rm -f begun
	setsid "$WEFT" run --local slow.yaml >slow.out 2>&1 &
	pid=$!
	t_until 20 begun || t_fail "the slow run began" "$(cat slow.out)"
}
start
t_is "a run tells who its engine is" "$(awk '{ print $4 }' "/proc/$(engine 1)/stat")" "$pid"
kill -9 "$(engine 1)"
wait "$pid" 2>/dev/null
t_is "a killed engine is no success" "$([ $? -ne 0 ] && echo yes)" yes
start
kill -9 "$pid" "$(engine 2)"
wait "$pid" 2>/dev/null
over() { [ "$(status slow 'd["finished"]')" = True ]; }
if t_until 20 over; then t_ok "a killed run is seen to be over"; else t_fail "a killed run is seen to be over" "$(weft status slow)"; fi
# The engine may hear of its parent's end before its own.
t_is "what hadn't begun is lost" "$(states slow | sed s/^cancelled/lost/)" "lost, not run, lost"
T_OUT=$(timeout 20 "$WEFT" status --follow slow 2>&1)
t_is "and following it ends, with no success" "$(case $? in 1 | 7) echo yes ;; esac)" yes

# ---- two runs of one name and number ------------------------------------------------
for d in one two; do
	mkdir $d
	cat >$d/flow.yaml <<E
name: flow
steps:
  - name: a
    scratch: node
    resources: {cpus_per_task: 1}
    run: |
      touch $T_TMP/in-$d
      for i in \$(seq 200); do [ -e $T_TMP/in-one ] && [ -e $T_TMP/in-two ] && break; sleep 0.05; done
      echo $d > o
    outputs: {o: o}
E
	(cd $d && exec "$WEFT" run --local -q flow.yaml) >$d.out 2>&1 &
done
wait
t_is "don't meet on the node" "$(cat one/weft-runs/flow/1/steps/a/out/o two/weft-runs/flow/1/steps/a/out/o)" "one
two"

# ---- names that shells and Slurm would read -----------------------------------------
# shellcheck disable=SC2016 # that is the point
odd='a b'\''c"$(touch pwned)%j
x;touch pwned \é'
mkdir "$odd"
echo hello >"$odd/in put.txt"
cat >"$odd/w f.yaml" <<'E'
name: odd
params: {k: [1, 2]}
steps:
  - name: a
    sweep: [k]
    inputs: [{from: "./in put.txt", as: t}, {from: "./in put.txt", as: n, to: node}]
    run: cat "$WEFT_INPUT_T" ${{ inputs.n }} > "out ${{ params.k }}.txt"
    outputs: {o: "out ${{ params.k }}.txt"}
    scratch: node
  - name: b
    inputs: [{from: a.o, as: os}]
    launch: srun
    resources: {ntasks: 2}
    run: cat ${{ inputs.os }}/*/*.txt > "all $SLURM_PROCID"
    outputs: {all: "all*"}
E
t_run 0 "a workflow in a folder of an odd name" sh -c 'cd "$1" && exec "$2" run --local -q "w f.yaml"' - "$odd" "$WEFT"
t_is "has what it should have" "$(cat "$odd/weft-runs/odd/1/steps/b/out/all/"*)" "$(yes hello | head -n 8)"
t_is "and no part of the name ever ran" "$(find . -name pwned)" ""
t_run 2 "a run directory whose path isn't UTF-8 is refused" \
	weft run --local -q --run-dir "$(printf 'r\377')" "$odd/w f.yaml"
t_has "and said" "$T_OUT" "not UTF-8"
cat >bytes.yaml <<'E'
name: bytes
steps: [{name: a, run: "printf '\\377\\n' > o; rm nosuch$(printf '\\376')", outputs: {o: o}}]
E
weft run --local -q bytes.yaml
t_is "status --json is JSON, whatever was said" "$(status bytes 'd["finished"]')" True
t_done
