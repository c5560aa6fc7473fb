#!/bin/sh
# exec.sh - weft exec brings inputs to scratch and outputs from there; here without Slurm
# shellcheck source=tests/lib.sh
# shellcheck disable=SC2016,SC2317 # the shells that are run expand
. "$(dirname "$0")/../lib.sh"

cd "$T_TMP" || exit 1
unset SLURM_JOB_ID WEFT_RUN_DIR WEFT_FILE WEFT_STEP
mkdir node mem
printf 'scratch = %s/node\nmemory = %s/mem\n' "$T_TMP" "$T_TMP" >weft.conf
export WEFT_CONF="$T_TMP/weft.conf"
echo data >data.txt
cat >w.yaml <<'E'
name: w
steps:
  - name: a
    run: "true"
    scratch: node
    inputs: [{from: ./data.txt, as: data, to: memory}]
    outputs: {made: out/made.txt, none: {path: none.txt, optional: true}}
  - name: plain
    run: "true"
    outputs: {made: plain.txt}
E
run() { "$WEFT" exec --file w.yaml "$@"; }

t_run 0 "a command with scratch" run a -- sh -c \
	'cat "$WEFT_INPUT_DATA" >"$WEFT_OUTPUT_MADE"; echo "$WEFT_INPUT_DATA $WEFT_OUTPUT_MADE"; ls out 2>&1 || :'
t_has "reads on the node" "$T_OUT" "$T_TMP/mem/weft-$(id -u)/weft/"
t_has "and writes there" "$T_OUT" "$T_TMP/node/weft-$(id -u)/weft/"
t_is "what it made comes to its place" "$(cat out/made.txt)" data
t_is "with nothing left behind" "$(find node mem -type f)" ""
t_is "and no folder of its own" "$(find node mem -name 'exec.*')" ""
t_run 3 "its status" run a -- sh -c 'echo new >"$WEFT_OUTPUT_MADE"; exit 3'
t_is "and what it made all the same" "$(cat out/made.txt)" new
t_run 143 "a signal" run a -- sh -c 'kill -TERM $$'
# shellcheck disable=SC2016
"$WEFT" exec --file w.yaml a -- sh -c 'trap "echo told >\"$WEFT_OUTPUT_MADE\"; exit 7" TERM; : >up; while :; do sleep 0.05; done' &
pid=$!
t_run 0 "one that runs" t_until 20 test -e up
kill -TERM $pid
wait $pid
t_is "hears of a signal, and is staged out" "$? $(cat out/made.txt)" "7 told"
t_run 0 "a step without" run plain -- sh -c 'echo here >"$WEFT_OUTPUT_MADE"'
t_is "makes it where it is to be" "$(cat plain.txt)" here
t_run 0 "a dry run" run --dry-run a -- true
t_is "brings nothing" "$(find node mem -name 'exec.*')" ""

# ---- where it can't be brought back
rm -rf out
: >out
t_run 5 "a place that can't be" run a -- sh -c 'echo kept >"$WEFT_OUTPUT_MADE"'
t_has "is told, and where it is left" "$T_OUT" "they are left in $T_TMP/node/weft-$(id -u)/weft/exec."
t_is "and it is there" "$(cat node/weft-*/weft/exec.*/out/made/made.txt)" kept
t_done
